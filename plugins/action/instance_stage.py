# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name, and brings it the artefacts that lie on the controller."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.plugin_utils import controller_artifact

_MODULE = "lockstep.teleport.instance_stage"


class ActionModule(ActionBase):
    """Brings releases onto one host: one module execution, one more for each artefact of the controller."""

    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        answer = self._call(arguments, variables)
        required = answer.pop("required", None)
        if required:
            try:
                answer = self._bring_all(required, arguments, variables)
            except ValueError as problem:
                raise AnsibleActionFail(str(problem)) from None
        answer.pop("invocation", None)
        return {**result, **answer}

    def _bring_all(self, versions: list[str], arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Bring artefacts one after the other, once it is sure that all of them are here and find room there."""
        paths = {version: _path({**arguments, "version": version}) for version in versions}
        sizes = [os.path.getsize(path) for path in paths.values()]
        answer = self._call({**arguments, "artifact_size": max(sizes)}, variables)
        for version, path in paths.items():
            if not answer.get("failed") and not self._task.check_mode:
                answer = self._bring(version, path, arguments, variables)
        if answer.get("failed"):
            return answer
        verb = "would be" if self._task.check_mode else "were"
        told = f"{' and '.join(versions)} {verb} brought from the controller."
        return {"fetched_bytes": 0, "present": [], **answer, "changed": True, "brought": versions, "msg": told}

    def _bring(self, version: str, path: str, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        described = controller_artifact.verified(path, {**arguments, "version": version})
        folder = self._make_tmp_path()
        try:
            remote = self._connection._shell.join_path(folder, os.path.basename(path))  # noqa: SLF001 - as ansible.builtin.copy
            self._transfer_file(path, remote)
            self._fixup_perms2((folder, remote))
            return self._call({**arguments, **described, "versions": [version], "artifact_file": remote}, variables)
        finally:
            self._remove_tmp_path(folder, force=True)

    def _call(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=variables)
        return answer


def _path(arguments: dict[str, Any]) -> str:
    """Return where the artefact of a version lies. Raises ``ValueError`` when it, or its checksum, is missing."""
    path = controller_artifact.path_of(arguments)
    if not path:
        url = arguments.get("artifact_url")
        raise ValueError(f"artifact_url is {url!r}: neither an http(s) URL nor a directory on the controller.")
    controller_artifact.describe(path, arguments)
    return path
