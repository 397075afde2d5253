# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an auth group does in one stage, and how far it got: pure judgements over the plan and the hosts' results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import journal
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan, stage_at

HostVars = Mapping[str, Mapping[str, Any]]

UPGRADED = "upgraded"
UNTOUCHED = "untouched"
UNKNOWN = "unknown"

_PEERS_STAY = "Peers that were stopped for it stay stopped and held"


def auth_part(plan: Plan, index: int, host: str) -> dict[str, Any]:
    """Return the part that an auth host plays in a stage.

    ``primary`` is the host whose step the plan marks as the one that takes the backend along. It is ``None`` when the
    backend has been migrated before: every host of the stage is a peer then. ``members`` are all hosts of the stage's
    auth group. ``crosses_lines`` says whether any of them changes its release line.

    Raises ``KeyError`` when the stage has no auth step for *host*.
    """
    stage = stage_at(plan, index)
    steps = [step for step in (stage or {}).get("steps", []) if step["phase"] == "auth"]
    own = {step["host"]: step for step in steps}[host]
    group = [step for step in steps if step["cluster"] == own["cluster"]]
    members = [step["host"] for step in group]
    primary = next((step["host"] for step in group if step["migrates"]), None)
    return {
        "cluster": own["cluster"],
        "to": own["to"],
        "from": own["from"],
        "members": members,
        "primary": primary,
        "peers": [member for member in members if member != primary],
        "role": "primary" if host == primary else "peer",
        "crosses_lines": any(Version.parse(step["from"]).line != Version.parse(step["to"]).line for step in group),
    }


def tables(part: Mapping[str, Any], hostvars: HostVars) -> list[str]:
    """Return the DynamoDB tables that the group's Auth Services name, as far as this run has seen or changed them."""
    found = []
    for member in part["members"]:
        variables = hostvars[member]
        changed = (variables.get("auth_upgrade") or {}).get("config_change") or {}
        storage = variables["observe_result"]["instance"]["config"]["storage"]
        found.append(changed.get("new") or storage.get("table_name"))
    return sorted({name for name in found if name})


def primary_outcome(part: Mapping[str, Any], hostvars: HostVars, active: Collection[str]) -> str:
    """Say what the primary runs now: ``upgraded``, ``untouched`` (the old version, as after a way back) or ``unknown``.

    Peers may return only where this is known: an old peer on a migrated backend, or a new one on an old backend beside
    an old primary, damages the cluster silently.
    """
    primary = part["primary"]
    if primary is None:
        return UPGRADED
    if primary not in active:
        return UNKNOWN
    variables = hostvars[primary]
    result = variables.get("auth_upgrade") or {}
    if not result or result.get("skipped"):
        return UNTOUCHED
    if result.get("failed"):
        runs_old = result.get("rolled_back") or result.get("unfinished") in journal.BEFORE_SWITCH
        return UNTOUCHED if runs_old or not result.get("changed") else UNKNOWN
    return UNKNOWN if variables.get("auth_failure") else UPGRADED


def is_whole(part: Mapping[str, Any], hostvars: HostVars, active: Collection[str]) -> bool:
    """Whether every auth server of the group runs again, be it at the old version.

    A gate that refused the primary, or a primary that was switched back with its data, has its own say before.
    """
    failed = [one for one in part["peers"] if one not in active or hostvars[one].get("auth_failure")]
    return not failed and primary_outcome(part, hostvars, active) != UNKNOWN


def hosts_of(cluster: str, instances: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all auth hosts of a cluster, also those that a stage leaves as they are."""
    return [one["host"] for one in instances if one["cluster"] == cluster and "auth" in one["services"]]


def failures(part: Mapping[str, Any], hostvars: HostVars, active: Collection[str]) -> list[str]:
    """Return one sentence for each member of the group that failed or stopped answering."""
    told: list[str] = []
    for member in part["members"]:
        if member not in active:
            told.append(
                f"{member}: stopped answering or failed for good, so what it runs is not known. {_PEERS_STAY}; reach "
                "it again and repeat the run, which continues from what it finds."
            )
        elif hostvars[member].get("auth_failure"):
            told.append(f"{member}: {hostvars[member]['auth_failure']}{_consequence(part, member, hostvars, active)}")
    return told


def _consequence(part: Mapping[str, Any], member: str, hostvars: HostVars, active: Collection[str]) -> str:
    """Say what the failure of a primary means for its peers, and how to go back."""
    if member != part.get("primary"):
        return ""
    failed = (hostvars[member].get("auth_upgrade") or {}).get("failed")
    if failed and part["peers"] and primary_outcome(part, hostvars, active) == UNKNOWN:
        return f" {_PEERS_STAY}."
    return _way_back(part, hostvars[member])


def _way_back(part: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    """Name the command that leads back, when a primary serves at the new version and was stopped by its gate.

    It is not taken back by itself then: clients may have written to the migrated backend, and that would be lost.
    """
    result = variables.get("auth_upgrade") or {}
    serves = "instance_after" in result and not result.get("failed")
    if not serves or not part["crosses_lines"]:
        return ""
    path = (result.get("backup") or {}).get("path")
    accepted = f" -e teleport_rollback_acknowledge={path.rstrip('/').rsplit('/', 1)[-1]}" if path else ""
    return (
        f" It serves at {part['to']}, and its peers stay held. Mend the cause and run the upgrade again; or go back,"
        " and lose what was written since the backup, with: ansible-playbook -i INVENTORY lockstep.teleport.rollback"
        f" -e teleport_rollback_cluster={part['cluster']}{accepted}"
    )
