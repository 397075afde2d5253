# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switches off one rule of the planner at a time and shows what notices: the replay, or the planner's tables.

``python tests/mutation/planner_mutants.py`` prints rule by rule what killed its mutants, and fails when one survives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

from ansible_collections.lockstep.teleport.plugins.plugin_utils import (
    findings,
    plan,
    planner,
    planner_checks,
    planner_hops,
    planner_input,
    planner_release_checks,
    planner_rules,
    planner_stages,
    topology,
)
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import FINDINGS, Case
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_stage_cases import STAGES

REPLAY = "replay"
TABLE = "table"


@dataclass(frozen=True)
class Mutant:
    """A rule with something else in its place, wherever its name is looked up."""

    rule: str
    change: str
    places: tuple[tuple[Any, str], ...]
    value: Any


def _mutant(place: Any, rule: str, change: str, value: Any, *more: Any) -> Mutant:
    return Mutant(rule, change, tuple((where, rule) for where in (place, *more)), value)


def _rule(rule: str, change: str, value: Any) -> Mutant:
    return _mutant(planner_rules, rule, change, value)


def _in_one_batch(_phase: str, total: int, _sizes: Any) -> Iterator[int]:
    yield from [0] * total


def _needless_moves(_group: Any, member: Any, hop: Any) -> bool:
    return bool(member.version < hop.to)


def _jumping_agents(group: Any, member: Any, hop: Any) -> bool:
    return bool(group.line < hop.line or member.line < hop.line or hop.is_final)


RULES = [
    _mutant(planner_hops, "lines_between", "no line between", lambda start, end: iter(())),
    _mutant(
        planner_hops,
        "lowest_line",
        "start from the newest cluster",
        lambda clusters: max(auth.line for cluster in clusters for auth in cluster.auths if auth.line is not None),
    ),
    _mutant(planner_hops, "is_mover", "everybody moves", lambda version, line, state: True, planner_stages),
    _mutant(topology, "_levels", "no levels", lambda names, roots: (dict.fromkeys(names, 0), set())),
    _mutant(
        planner_input,
        "phase_of",
        "the latest service decides",
        lambda services: max(services, key=topology.PHASES.index),
    ),
    _mutant(plan, "PHASES", "agents before proxies", ("auth", "agent", "proxy", "client")),
    _mutant(plan, "PHASES", "auth after proxies", ("proxy", "auth", "agent", "client")),
    _mutant(plan, "PHASES", "client tools before agents", ("auth", "proxy", "client", "agent")),
    _mutant(plan, "_batch_numbers", "everybody at once", _in_one_batch),
    _mutant(plan, "_play_order", "proxies by name", lambda phase, moves: moves),
    _rule("migrates", "nobody migrates", lambda group, hop: False),
    _rule("migrates", "everybody migrates", lambda group, hop: True),
    _rule("line_before", "no laggards", lambda group, hop: None),
    _rule(
        "line_before",
        "no laggards inside a line",
        lambda group, hop: group.line if group.line < hop.line else None,
    ),
    _rule("line_before", "a line too few", lambda group, hop: group.line - 1 if group.line < hop.line else None),
    _rule("line_on_the_way", "leaves do not wait", lambda group, hop: None),
    _rule("rounds", "peers do not wait", lambda group, needed: [needed]),
    _rule("catches_up", "nobody does", lambda member, needed: False),
    _rule(
        "catches_up", "also who need not", lambda member, needed: member.line <= needed and not member.instance.is_auth
    ),
    _rule("catch_up_version", "past the slowest auth", lambda group, needed: group.newest),
    _rule(
        "catch_up_version",
        "past a waiting proxy",
        lambda group, needed: min(auth.version for auth in group.auths if auth.line >= needed),
    ),
    _rule("is_unproven", "an installed binary proves its line", lambda group: False),
    _rule("is_unproven", "no run proves anything", lambda group: True),
    _rule("finishes_first", "nobody does", lambda group, member: False),
    _rule("moves", "all to every hop", _needless_moves),
    _rule("moves", "with or without need", _jumping_agents),
    _rule(
        "moves",
        "nothing interrupted is finished",
        lambda group, member, hop: member.version != hop.to if hop.is_final else group.line < hop.line > member.line,
    ),
    _rule(
        "moves",
        "agents pass their auth",
        lambda group, member, hop: member.version != hop.to if hop.is_final else member.line < hop.line,
    ),
    _rule("auth_order", "no order", lambda member, to: (False, False)),
    _rule("auth_order", "interrupted ones last", lambda member, to: (member.interrupted, not member.running)),
    _mutant(findings, "is_waivable", "everything can be waived", lambda code: True),
    _mutant(findings, "is_waivable", "nothing can be waived", lambda code: False),
    _mutant(planner_release_checks, "known_bad_pairs", "no pair is bad", lambda *_args: []),
    _mutant(planner_release_checks, "laggard_versions", "laggards may get anything", lambda *_args: []),
]


def _without(module: Any, name: str) -> list[Mutant]:
    checks: tuple[Callable[..., Any], ...] = getattr(module, name)
    return [
        Mutant(check.__name__, "not checked", ((module, name),), tuple(other for other in checks if other is not check))
        for check in checks
    ]


MUTANTS = [
    *RULES,
    *_without(planner_checks, "CHECKS"),
    *_without(planner_release_checks, "RELEASE_CHECKS"),
]


def killer(mutant: Mutant) -> str:
    """Return what notices the mutant first, with the case that shows it; nothing when it survives."""
    with ExitStack() as stack:
        for module, name in mutant.places:
            stack.enter_context(mock.patch.object(module, name, mutant.value))
        noticed = [(_verdict(case), case.name) for case in (*STAGES, *FINDINGS)]
    kills = sorted((verdict, name) for verdict, name in noticed if verdict)
    return ": ".join(kills[0]) if kills else ""


def _verdict(case: Case) -> str:
    try:
        outcome = case.ask()
    except Exception:  # noqa: BLE001 - a mutant may break in any way, and has been noticed then
        return TABLE
    if any(item["code"] == "plan-inconsistent" for item in outcome.plan["findings"]):
        return REPLAY
    return "" if case.holds() else TABLE


def main() -> int:
    """Print the table of rules; return 1 when a mutant survives."""
    survivors = 0
    for mutant in MUTANTS:
        what = killer(mutant)
        survivors += not what
        print(f"{mutant.rule:<24} {mutant.change:<38} {what or 'SURVIVED'}")
    print(f"{len(MUTANTS)} mutants of {planner.__name__.rsplit('.', 1)[-1]}, {survivors} survived")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
