# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters between the plan and the plays: thin translations of plugin_utils."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import (
    auth_group,
    expectations,
    observed,
    releases,
    report,
    stage_view,
    verify,
)


def _telling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a pure function says of bad input into Ansible's way of saying it."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (KeyError, TypeError, ValueError) as exc:
            raise AnsibleFilterError(f"lockstep.teleport: {exc}") from exc

    return wrapper


def _verify_findings(inventory: Any, hostvars: Any, target: str, overrides: Any = None) -> list[dict[str, Any]]:
    catalogue = releases.Catalogue.load(overrides or None)

    def serves(server: str, client: str) -> bool:
        return catalogue.serves(Version.parse(server), Version.parse(client))

    return verify.verify(inventory, hostvars, target, serves)


class FilterModule:
    """Filters that the collection's own plays are written with."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "all_gate_hosts": _telling(stage_view.all_gate_hosts),
            "auth_expectations": _telling(expectations.after_primary),
            "auth_failures": _telling(auth_group.failures),
            "auth_part": _telling(auth_group.auth_part),
            "auth_primary_outcome": _telling(auth_group.primary_outcome),
            "collect_observations": _telling(observed.collect),
            "count_agents": _telling(stage_view.count_agents),
            "failure_budget": _telling(stage_view.failure_budget),
            "merge_views": _telling(observed.merge_views),
            "stage_auth_hosts": _telling(stage_view.auth_hosts),
            "stage_expectations": _telling(expectations.after_stage),
            "stage_left_behind": _telling(stage_view.left_behind),
            "stage_gate_hosts": _telling(stage_view.gate_hosts),
            "planned_view": _telling(expectations.view_of),
            "stage_record": _telling(report.stage_record),
            "upgrade_report": _telling(report.build_report),
            "upgrade_report_markdown": _telling(report.render),
            "verify_findings": _telling(_verify_findings),
        }
