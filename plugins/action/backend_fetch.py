# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a backup that the module of the same name found on a host to the controller."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.validation import check_type_int
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_store
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.plugin_utils import backup_pull

_MODULE = "lockstep.teleport.backend_fetch"
_HERE = ("dest", "keep")

#: Bytes of one answer of the module; held in memory a few times over, here and on the host.
_PIECE_BYTES = 16 << 20


class ActionModule(ActionBase):
    """Asks the host for its backup and puts it together here."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return where the backup lies now, and which older ones were removed here."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        if not arguments.get("dest"):
            raise AnsibleActionFail("dest is missing; name the folder on the controller that receives backups.")
        try:
            keep = check_type_int(arguments.get("keep") or 0)
        except TypeError:
            raise AnsibleActionFail(f"keep is {arguments['keep']!r}; allowed is a number of backups.") from None
        found = self._ask(arguments, variables)
        if found.get("failed"):
            return {**result, **found}
        try:
            return {**result, **self._fetch(found, str(arguments["dest"]), keep, variables)}
        except BackupError as error:
            return {**result, "failed": True, "changed": False, "msg": f"controller: {error}"}

    def _fetch(self, found: Mapping[str, Any], dest: str, keep: int, variables: dict[str, Any]) -> dict[str, Any]:
        directory = os.path.abspath(os.path.expanduser(dest))
        remote = str(found["path"])
        wanted = backup_pull.plan(directory, os.path.basename(remote), found["manifest"])
        here = backup_pull.is_here(wanted)
        removed: list[str] = []
        if not self._task.check_mode:
            backup_pull.pull(
                wanted, lambda part, offset: self._read(remote, part, offset, variables), self._copy(remote)
            )
            removed = backup_store.prune(directory, str(wanted.manifest["cluster"]), keep)
        return {
            "changed": not here or bool(removed),
            "path": remote,
            "dest": wanted.path,
            "manifest": dict(wanted.manifest),
            "removed": removed,
        }

    def _copy(self, remote: str) -> backup_pull.Copy | None:
        """The connection's own way to copy a file, unless becoming another user gave the right to read it."""
        if self._connection.become is not None:
            return None
        return lambda part, path: self._connection.fetch_file(os.path.join(remote, part), path)

    def _read(self, remote: str, part: str, offset: int, variables: dict[str, Any]) -> bytes:
        piece = {"path": os.path.join(remote, part), "offset": offset, "size": _PIECE_BYTES}
        answer = self._ask({"path": remote, "piece": piece}, variables)
        if answer.get("failed"):
            raise BackupError(f"{piece['path']} on the host: {answer.get('msg')}")
        return base64.b64decode(answer["content"])

    def _ask(self, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        asked = {key: value for key, value in arguments.items() if key not in _HERE}
        answer: dict[str, Any] = self._execute_module(module_name=_MODULE, module_args=asked, task_vars=variables)
        answer.pop("invocation", None)
        return answer
