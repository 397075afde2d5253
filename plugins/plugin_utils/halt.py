# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a run must not go on: pure judgements whose result is the record of a stop, empty when there is none.

A record has ``kind`` (``stopped`` or ``paused``), ``reason``, ``stage``, ``phase``, and ``hosts``, those concerned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import auth_group, proven
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import (
    Plan,
    auth_hosts,
    gate_hosts,
    left_behind,
    stage_at,
)

HostVars = Mapping[str, Mapping[str, Any]]
Record = dict[str, Any]

STOPPED = "stopped"
PAUSED = "paused"
MOST_CONCERNED = 25  # hosts that a stop looks at more closely


def followed_plan(localhost: Mapping[str, Any], name: str = "plan_outcome") -> dict[str, Any]:
    """Return the plan that the plays are to follow: none before there is one, and none any more after a stop.

    *name* is that of the variable with the planner's result.
    """
    outcome = localhost.get(name)
    if localhost.get("halt_record") or not isinstance(outcome, Mapping):
        return {}
    return dict(outcome.get("plan") or {})


def lock_hosts(localhost: Mapping[str, Any]) -> list[str]:
    """Return the auth hosts to lock for a plan: all that were observed, of all its clusters; none without stages."""
    outcome = localhost.get("plan_outcome")
    plan = outcome.get("plan") if isinstance(outcome, Mapping) else None
    return observed_auth_hosts(localhost) if plan and plan.get("stages") else []


def observed_auth_hosts(localhost: Mapping[str, Any]) -> list[str]:
    """Return all auth hosts that could be observed, of all clusters; none before anything was observed."""
    return sorted(
        instance["host"]
        for instance in (localhost.get("plan_inventory") or {}).get("instances", [])
        if "auth" in instance["services"] and instance["state"] != "unreachable"
    )


def beside_localhost(hosts: Collection[str]) -> list[str]:
    """Return *hosts* with localhost before them, so that a play outlives hosts that stop answering; none for none."""
    return ["localhost", *(host for host in hosts if host != "localhost")] if hosts else []


def opening_hosts(localhost: Mapping[str, Any], index: int) -> list[str]:
    """Return the hosts that open a stage: localhost, which decides, and the auth hosts that are locked."""
    return ["localhost", *lock_hosts(localhost)] if stage_at(followed_plan(localhost), index) else []


def before_stage(
    plan: Plan,
    index: int,
    hostvars: HostVars,
    active: Collection[str],
    failed: Collection[str],
    pause_after: int = 0,
) -> Record:
    """Judge whether a stage may begin: the lock is held, nobody is left two lines behind, no pause was asked for."""
    silent = sorted(set(lock_hosts(hostvars["localhost"])) - set(active))
    if silent:
        return _stop(index, "lock", f"{', '.join(silent)} stopped answering before the stage.", silent)
    for host in active:
        renewal = hostvars[host].get("lock_renewal") or {}
        if renewal and not renewal.get("skipped") and not renewal.get("held"):
            return _stop(index, "lock", f"{host}: {renewal.get('msg')}", [])
    behind = left_behind(plan, index, failed)
    if behind:
        told = (
            "These hosts were not upgraded in an earlier hop and would be left more than one line behind: "
            f"{', '.join(behind)}. Nothing of this stage has been changed. Mend them and run again."
        )
        return _stop(index, "auth", told, behind)
    if 0 < pause_after <= index:
        told = f"teleport_pause_after_stages is {pause_after}."
        return {"kind": PAUSED, "reason": told, "stage": index, "phase": "auth", "hosts": []}
    return {}


def after_auth(plan: Plan, index: int, hostvars: HostVars, active: Collection[str]) -> Record:
    """Judge the auth servers of a stage once each has done its part."""
    told: list[str] = []
    hosts: list[str] = []
    for host in auth_hosts(plan, index):
        part = {**auth_group.auth_part(plan, index, host), "members": [host]}
        found = auth_group.failures(part, hostvars, active)
        told.extend(found)
        hosts.extend([host] * bool(found))
    if told:
        return _stop(index, "auth", " ".join(told), hosts)
    return _after_look(index, "auth", proven.looks_of(auth_hosts(plan, index), hostvars, active), hostvars)


def after_first_agents(plan: Plan, index: int, hostvars: HostVars, looks: Iterable[Mapping[str, Any]]) -> Record:
    """Judge the auth servers once the first agents of a stage are through, by *looks*, one for each of them.

    Agents that are upgraded may be newer than an Auth Service that has to be taken back.
    """
    hosts = proven.servers(plan, index, ("auth",))
    return _after_look(index, "agent", dict(zip(hosts, looks, strict=False)), hostvars)


def _after_look(index: int, phase: str, looks: Mapping[str, Mapping[str, Any]], hostvars: HostVars) -> Record:
    """Judge servers by a second look at them."""
    lost = proven.losses(looks, hostvars)
    if not lost:
        return {}
    advice = "Nothing that was to follow has been begun. Read the journal of each, mend them and run again."
    return _stop(index, phase, " ".join([*lost.values(), advice]), sorted(lost))


def after_gate(
    plan: Plan, index: int, instances: Iterable[Mapping[str, Any]], hostvars: HostVars, active: Collection[str]
) -> Record:
    """Judge the gates of a stage, and the servers that were looked at again beside them."""
    told: list[str] = []
    hosts: list[str] = []
    for host in gate_hosts(plan, index, instances):
        failure = hostvars[host].get("gate_failure")
        if host not in active:
            told.append(f"{host}: stopped answering at the gate.")
        elif failure:
            told.append(f"{host}: {failure}")
        else:
            continue
        hosts.append(host)
    if told:
        return _stop(index, "gate", " ".join(told), hosts)
    return _after_look(index, "gate", proven.looks_of(proven.servers(plan, index), hostvars, active), hostvars)


def concerned_hosts(
    localhost: Mapping[str, Any], failed: Collection[str] = (), name: str = "plan_outcome"
) -> list[str]:
    """Return the hosts to look at more closely after a stop: those that failed, and the auth hosts of its stage.

    *name* is that of the variable with the planner's result.
    """
    record = localhost.get("halt_record") or {}
    outcome = localhost.get(name)
    plan = outcome.get("plan") if isinstance(outcome, Mapping) else None
    if not plan or (not failed and record.get("kind") != STOPPED):
        return []
    stage = int(record.get("stage", -1))
    # In a stage that upgrades no Auth Service, the one that its gate asks.
    instances = (localhost.get("plan_inventory") or {}).get("instances") or []
    servers = auth_hosts(plan, stage) or gate_hosts(plan, stage, instances)
    named = [*(record.get("hosts") or []), *failed, *servers]
    return list(dict.fromkeys(named))[:MOST_CONCERNED]


def failure_text(result: Mapping[str, Any]) -> str:
    """Say why a task failed; of one with a loop, why each item did, which its own message does not tell."""
    items = [item for item in result.get("results") or [] if item.get("failed") or item.get("unreachable")]
    return " ".join(str(one.get("msg") or "no reason was given") for one in items or [result])


def _stop(index: int, phase: str, reason: str, hosts: list[str]) -> Record:
    return {"kind": STOPPED, "reason": reason, "stage": index, "phase": phase, "hosts": hosts}
