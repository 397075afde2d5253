# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans an upgrade on the controller; no host is touched."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.plugin_utils.estimate import estimate
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_input import STRATEGIES
from ansible_collections.lockstep.teleport.plugins.plugin_utils.render import render

ARGUMENTS: dict[str, dict[str, Any]] = {
    "target_version": {"type": "str", "required": True},
    "instances": {"type": "list", "elements": "dict", "required": True},
    "unmanaged": {"type": "list", "elements": "dict", "default": []},
    "clusters": {"type": "dict", "default": {}},
    "cluster_concerns": {"type": "dict", "default": {}},
    "hop_versions": {"type": "dict", "default": {}},
    "releases": {"type": "raw"},
    "waivers": {"type": "list", "elements": "str", "default": []},
    "findings": {"type": "list", "elements": "dict", "default": []},
    "auth_strategy": {"type": "str", "choices": list(STRATEGIES), "default": "shrink"},
    "batches": {"type": "list", "elements": "raw", "default": [1, "10%", "25%"]},
    "proxy_batches": {"type": "list", "elements": "raw", "default": [1, "10%", "25%"]},
    "allow_prerelease": {"type": "list", "elements": "str", "default": []},
    "edition": {"type": "str", "choices": ["community", "enterprise", "fips"]},
    "forks": {"type": "int", "default": 5},
    "measured": {"type": "dict", "default": {}},
}


class ActionModule(ActionBase):
    """``lockstep.teleport.upgrade_plan``: translates between the task and the planner."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the plan, its findings and its Markdown; ``failed`` when the upgrade is refused."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # A variable whose entries are all commented out is null, and means as much as one that is not there.
        self._task.args = {name: value for name, value in self._task.args.items() if value is not None}
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        outcome = plan_upgrade(arguments)
        estimates = estimate(outcome.plan, arguments["forks"], arguments["measured"])
        result.update(
            changed=False,
            failed=outcome.refused,
            msg=outcome.message,
            plan=outcome.plan,
            findings=outcome.plan["findings"],
            estimates=estimates,
            markdown=render(outcome.plan, refused=outcome.refused, estimates=estimates),
        )
        return result
