# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes files on the controller without running a module for each."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.plugin_utils import controller_files

ARGUMENTS: dict[str, dict[str, Any]] = {
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "content": {"type": "str"},
            "document": {"type": "raw"},
        },
        "mutually_exclusive": [("content", "document")],
        "required_one_of": [("content", "document")],
    },
    "folder": {"type": "path"},
    "mode": {"type": "str", "choices": ["0600", "0640"], "default": "0640"},
}


class ActionModule(ActionBase):
    """``lockstep.teleport.controller_files``: translates between the task and the files."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the paths of the files that were not as they should be."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            wanted = controller_files.contents(arguments["files"], arguments["folder"])
            paths = controller_files.stale(wanted)
            if not self._task.check_mode:
                controller_files.write(wanted, paths, int(arguments["mode"], 8), arguments["folder"])
        except OSError as problem:
            raise AnsibleActionFail(
                f"{problem.filename}: {problem.strerror} on the controller. Make room or give it to the user that runs "
                "Ansible, or name another place."
            ) from None
        except ValueError as problem:
            raise AnsibleActionFail(str(problem)) from None
        return {**result, "changed": bool(paths), "paths": paths}
