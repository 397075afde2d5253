# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters between the plan and the plays: thin translations of plugin_utils."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import (
    around,
    auth_group,
    awx_objects,
    estimate,
    evidence_folder,
    expectations,
    halt,
    hooks,
    observed,
    page,
    phases,
    proven,
    releases,
    report,
    rollback_report,
    rotation_input,
    rotation_plan,
    rotation_render,
    stage_view,
    staging_view,
    survey,
    updaters,
    verify,
)


def _telling(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what a pure function says of bad input into Ansible's way of saying it."""
    called = f"lockstep.teleport.{name}"

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ValueError as exc:
            raise AnsibleFilterError(f"{called}: {exc}") from exc
        except KeyError as exc:
            raise AnsibleFilterError(f"{called}: {exc} is not in what it was given; {_advice(called)}") from exc
        except (AttributeError, IndexError, TypeError) as exc:
            raise AnsibleFilterError(f"{called}: it cannot use what it was given ({exc}); {_advice(called)}") from exc

    return wrapper


def _advice(called: str) -> str:
    return f"'ansible-doc -t filter {called}' says what it takes."


def _verify_findings(
    inventory: Any, hostvars: Any, target: str, overrides: Any = None, clusters: Any = None
) -> list[dict[str, Any]]:
    catalogue = releases.Catalogue.load(overrides or None)

    @functools.cache
    def serves(server: str, client: str) -> bool:
        return catalogue.serves(Version.parse(server), Version.parse(client))

    return verify.verify(inventory, hostvars, target, serves, clusters)


FILTERS: dict[str, Callable[..., Any]] = {
    "all_gate_hosts": stage_view.all_gate_hosts,
    "approvable_hop": phases.approvable,
    "auth_expectations": expectations.after_primary,
    "auth_failures": auth_group.failures,
    "auth_group_hosts": auth_group.hosts_of,
    "auth_group_is_whole": auth_group.is_whole,
    "auth_part": auth_group.auth_part,
    "auth_primary_outcome": auth_group.primary_outcome,
    "auth_tables": auth_group.tables,
    "awx_data": awx_objects.dump,
    "awx_nodes": awx_objects.nodes,
    "awx_survey": survey.build,
    "awx_templates": awx_objects.templates,
    "beside_localhost": halt.beside_localhost,
    "collect_observations": observed.collect,
    "concerned_hosts": halt.concerned_hosts,
    "count_agents": stage_view.count_agents,
    "earlier_figures": estimate.earlier_figures,
    "evidence_files": evidence_folder.evidence_files,
    "failure_budget": stage_view.failure_budget,
    "failure_text": halt.failure_text,
    "followed_plan": halt.followed_plan,
    "halt_after_auth": halt.after_auth,
    "halt_after_first_agents": halt.after_first_agents,
    "halt_after_gate": halt.after_gate,
    "halt_before_stage": halt.before_stage,
    "hook_due": hooks.is_due,
    "hook_findings": hooks.problems,
    "hook_occasion": hooks.occasion,
    "lock_hosts": halt.lock_hosts,
    "measured_figures": estimate.measured_figures,
    "merge_views": observed.merge_views,
    "observed_auth_hosts": halt.observed_auth_hosts,
    "opening_hosts": halt.opening_hosts,
    "phase_limit_refusal": phases.limit_refusal,
    "phase_part": phases.part,
    "phase_refusal": phases.refusal,
    "phase_slice_refusal": phases.slice_refusal,
    "phase_target": phases.target,
    "plan_page": page.plan_page,
    "planned_view": expectations.view_of,
    "report_page": page.report_page,
    "rollback_expectations": rollback_report.expectations,
    "rollback_gate_hosts": rollback_report.gate_hosts,
    "rollback_instances": rollback_report.with_holds,
    "rollback_locked": rollback_report.locked,
    "rollback_offers": rollback_report.offers,
    "rollback_part": rollback_report.part,
    "rollback_refusals": rollback_report.refusals,
    "rollback_report": rollback_report.build,
    "rollback_report_markdown": rollback_report.render,
    "rollback_scope": rollback_report.scope,
    "rotation_expected": rotation_input.expected_of,
    "rotation_plan": rotation_plan.build,
    "rotation_report": rotation_render.build_report,
    "stage_auth_hosts": stage_view.auth_hosts,
    "stage_canary": stage_view.canary,
    "stage_expectations": expectations.after_stage,
    "stage_gate_hosts": stage_view.gate_hosts,
    "stage_hosts": stage_view.hosts_of,
    "stage_record": report.stage_record,
    "stage_serial": stage_view.serial_sizes,
    "stage_servers": proven.servers,
    "staging_message": staging_view.staging_message,
    "staging_paths": staging_view.staging_paths,
    "staging_shares": staging_view.staging_shares,
    "staging_summary": staging_view.staging_summary,
    "surrounding_findings": around.problems,
    "unfinished_record": report.unfinished_record,
    "updaters_to_pause": updaters.to_pause,
    "updaters_to_resume": updaters.to_resume,
    "upgrade_report": report.build_report,
    "upgrade_report_markdown": report.render,
    "verify_findings": _verify_findings,
    "versions_seen": evidence_folder.versions_seen,
    "watch_left": proven.watch_left,
}


class FilterModule:
    """Filters that the collection's own plays are written with."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {name: _telling(name, function) for name, function in FILTERS.items()}
