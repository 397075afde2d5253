# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a rollback on the controller; no host is touched."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback import plan_rollback, target
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_render import render

ARGUMENTS: dict[str, dict[str, Any]] = {
    "cluster": {"type": "str", "required": True},
    "instances": {"type": "list", "elements": "dict", "required": True},
    "unmanaged": {"type": "list", "elements": "dict", "default": []},
    "clusters": {"type": "dict", "default": {}},
    "version": {"type": "str"},
    "backups": {"type": "list", "elements": "dict", "default": []},
    "names_backup": {"type": "bool", "default": False},
    "acknowledge": {"type": "str", "default": ""},
    "refusals": {"type": "dict", "default": {}},
    "waivers": {"type": "list", "elements": "str", "default": []},
    "findings": {"type": "list", "elements": "dict", "default": []},
    "releases": {"type": "raw"},
    "batches": {"type": "list", "elements": "raw", "default": [1, "10%", "25%"]},
    "proxy_batches": {"type": "list", "elements": "raw", "default": [1, "10%", "25%"]},
    "now": {"type": "str"},
    "draft": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """``lockstep.teleport.rollback_plan``: translates between the task and the planner."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the plan, its findings and its Markdown; ``failed`` when the rollback is refused."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        result.update(changed=False, target=target(arguments))
        if arguments["draft"]:
            return result
        outcome = plan_rollback(arguments)
        result.update(
            failed=outcome.refused,
            msg=outcome.message,
            plan=outcome.plan,
            findings=outcome.plan["findings"],
            markdown=render(outcome.plan, refused=outcome.refused),
        )
        return result
