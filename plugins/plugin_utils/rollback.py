# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning the way back of one cluster by one hop: the steps in order, what is lost, or all that forbids it. Pure.

The order is that of an upgrade reversed: client tools, agents, proxies, auth. So nothing is ever newer than what it
talks to, and nothing falls more than one release line behind. All auth servers are stopped together for the restore.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import findings as said
from ansible_collections.lockstep.teleport.plugins.plugin_utils import rollback_checks
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import sealed
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_batches import cut
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_input import Backup, Member, Request, read
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_render import sequence
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_replay import replay
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_state import State, judge
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import AGENT, AUTH, PHASES, PROXY

#: The phases in the order of going back.
BACKWARDS = tuple(reversed(PHASES))

#: What a restore takes away, in words that an operator knows.
LOST_KINDS = (
    "users, roles, connectors and other resources that were created or changed, and passwords and second factors set",
    "join tokens, invitations and access requests, and what was decided on them",
    "sessions and certificates issued: whoever logged in since has to log in again",
    "agents that joined: they keep their certificates, but what the cluster knew of them has to be announced anew",
    "audit events, as far as they lie in the backend or beside it on the auth hosts",
    "a CA rotation, if one was begun or finished: agents that took part have to join again",
)


@dataclass(frozen=True)
class Outcome:
    """A rollback plan with its findings. A refused rollback has a plan without steps."""

    plan: dict[str, Any]
    refused: bool
    message: str


def plan_rollback(data: Mapping[str, Any]) -> Outcome:
    """Plan a rollback from plain data (the options of ``lockstep.teleport.rollback_plan``, by name).

    Nothing is raised for bad input: all findings are collected and come with the outcome.
    """
    request = read(data)
    state = judge(request)
    found = [*request.problems, *rollback_checks.judge(request, state)]
    steps = list(_steps(request, state)) if state.to is not None else []
    found += rollback_checks.judge_steps(request, {step["host"] for step in steps})
    judged = said.in_order(said.apply_waivers(found, request.waivers))
    against = {item.code for item in said.blockers(judged)}
    if against:
        # Who is asked to accept the loss has to see what will be done for it.
        return _refused(request, state, judged, steps if against == {"rollback-unacknowledged"} else [])
    plan = _plan(request, state, steps, judged)
    broken = replay(plan, data, request.catalogue)
    if broken:
        return _refused(request, state, [*judged, *(finding("plan-inconsistent", text) for text in broken)], [])
    return Outcome(plan, refused=False, message=_summary(plan))


def target(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can be said before the hosts were asked whether they can go back.

    ``version`` is where the cluster would go, None when that is not known; ``hosts`` are those that would change.
    """
    request = read(data)
    state = judge(request)
    hosts = [step["host"] for step in _steps(request, state)] if state.to is not None else []
    return {"version": None if state.to is None else str(state.to), "hosts": hosts}


def _refused(request: Request, state: State, judged: list[Finding], steps: list[dict[str, Any]]) -> Outcome:
    """Refuse, with a plan that has no stages; *steps* are told of as what would follow."""
    ordered = said.in_order(judged)
    text = said.message(ordered).replace("The upgrade is", "The rollback is", 1)
    would_be = _plan(request, state, steps, ordered)
    plan = {**would_be, "restore": False, "hops": [], "stages": []}
    del plan["digest"]
    return Outcome(sealed({**plan, "preview": list(sequence(would_be))}), refused=True, message=text)


def _plan(request: Request, state: State, steps: list[dict[str, Any]], judged: Iterable[Finding]) -> dict[str, Any]:
    to = "" if state.to is None else str(state.to)
    stage = {"index": 0, "hop": 0, "kind": "rollback", "level": 0, "to": to, "steps": steps}
    restore = state.restores and bool(steps)
    return sealed(
        {
            "kind": "rollback",
            "cluster": request.cluster,
            "target_version": to,
            "restore": restore,
            "backup": None if state.backup is None else state.backup.as_dict(),
            "lost": _lost(request, state.backup) if restore and state.backup else None,
            "hops": [{"index": 0, "to": to}] if steps else [],
            "stages": [stage] if steps else [],
            "findings": [item.as_dict() for item in judged],
        }
    )


def _lost(request: Request, backup: Backup) -> dict[str, Any]:
    """What is lost: everything written since the backup. ``seconds`` is None when a clock cannot be read or is off."""
    seconds = None
    if backup.created_at is not None and request.now is not None:
        span = request.now.timestamp() - backup.created_at.timestamp()
        seconds = round(span) if span >= 0 else None
    until = None if request.now is None else request.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"since": backup.created, "until": until, "seconds": seconds, "kinds": list(LOST_KINDS)}


def _steps(request: Request, state: State) -> Iterator[dict[str, Any]]:
    first = 0
    for phase in BACKWARDS:
        members = [member for member in request.members if member.phase == phase and state.goes_back(member)]
        if not members:
            continue
        number = 0
        for member, number in zip(_order(members, state), _batches(phase, len(members), request), strict=True):
            yield _step(member, state, first + number)
        first += number + 1


def _order(members: list[Member], state: State) -> list[Member]:
    """By name; of an auth group the one that restores goes first, then the others one by one."""
    return sorted(members, key=lambda member: (member.phase == AUTH and member.host != state.primary, member.host))


def _batches(phase: str, total: int, request: Request) -> Iterator[int]:
    cuts = [1] if phase == AUTH else request.sizes[PROXY if phase == PROXY else AGENT]
    for number, size in enumerate(cut(total, cuts)):
        yield from [number] * size


def _step(member: Member, state: State, batch: int) -> dict[str, Any]:
    step: dict[str, Any] = {
        "phase": member.phase,
        "cluster": member.cluster,
        "host": member.host,
        "from": None if member.version is None else str(member.version),
        "to": str(state.to),
        "batch": batch,
    }
    if member.phase == AUTH:
        step["restores"] = state.restores and member.host == state.primary
    return step


def _summary(plan: Mapping[str, Any]) -> str:
    if not plan["stages"]:
        return f"Cluster {plan['cluster']} is at {plan['target_version']} already; nothing is to be done."
    steps = plan["stages"][0]["steps"]
    how = "its backend restored" if plan["restore"] else "without a restore"
    return f"{len(steps)} change(s) take cluster {plan['cluster']} back to {plan['target_version']}, {how}."
