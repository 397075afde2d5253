# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner: from what was observed and what is wanted to a plan, or to everything that speaks against it.

Pure: the same input gives the same plan, whatever its order, and nothing is read or written on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import findings as said
from ansible_collections.lockstep.teleport.plugins.plugin_utils import planner_checks, planner_release_checks
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import STAGES_PER_RUN, Plan, make_plan
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_checks import Situation
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_hops import route
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_input import ROLLING, Request, read_request
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_preflight import offended_rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_stages import Draft, Fleet, draft_stages
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay import replay


@dataclass(frozen=True)
class Outcome:
    """A plan with its findings. A refused upgrade has a plan without hops and stages: there is nothing to carry out."""

    plan: Plan
    refused: bool
    message: str


def plan_upgrade(data: Mapping[str, Any]) -> Outcome:
    """Plan an upgrade from plain data (the options of ``lockstep.teleport.upgrade_plan``, by name).

    Nothing is raised for bad input: all findings are collected and come with the outcome.
    """
    request = read_request(data)
    situation = Situation(request, route(request))
    checks = (*planner_checks.CHECKS, *planner_release_checks.RELEASE_CHECKS, offended_rules)
    found = [*request.problems, *(item for check in checks for item in check(situation))]
    if said.blockers(said.apply_waivers(found, request.waivers)):
        return _refused(request, found)
    drafts = list(draft_stages(Fleet.of(request.topology, request.catalogue.index), situation.route.hops))
    found += planner_release_checks.known_bad_pairs(request.topology, request.catalogue, drafts)
    found += planner_release_checks.laggard_versions(situation, drafts)
    found += planner_release_checks.unpinned_artifacts(drafts)
    found += _long_plan(drafts)
    found += _rolling(request, drafts)
    judged = said.in_order(said.apply_waivers(found, request.waivers))
    if said.blockers(judged):
        return _refused(request, found)
    plan = make_plan(request.target_text, situation.route.hops, drafts, request.sizes, judged)
    broken = replay(plan, data, request.catalogue)
    if broken:
        return _refused(request, [*found, *(finding("plan-inconsistent", text) for text in broken)])
    return Outcome(plan, refused=False, message=_summary(plan))


def _refused(request: Request, found: list[Finding]) -> Outcome:
    judged = said.in_order(said.apply_waivers(found, request.waivers))
    plan = make_plan(request.target_text, (), (), request.sizes, judged)
    return Outcome(plan, refused=True, message=said.message(judged))


def _long_plan(drafts: list[Draft]) -> list[Finding]:
    if len(drafts) <= STAGES_PER_RUN:
        return []
    return [
        finding(
            "more-stages-than-one-run",
            f"The plan has {len(drafts)} stages; one run carries out the first {STAGES_PER_RUN}.",
        )
    ]


def _rolling(request: Request, drafts: list[Draft]) -> list[Finding]:
    """Say it in the plan, so that whoever approves a digest approves the strategy."""
    if request.strategy != ROLLING or not any(move.instance.is_auth for draft in drafts for move in draft.moves):
        return []
    return [
        finding(
            "auth-rolls",
            "Each Auth Service is upgraded while the others of its group serve, also during the backup before.",
        )
    ]


def _summary(plan: Plan) -> str:
    if not plan["stages"]:
        return f"Everything is at {plan['target_version']}; nothing is to be done."
    steps = sum(len(stage["steps"]) for stage in plan["stages"])
    return (
        f"{len(plan['hops'])} hop(s), {len(plan['stages'])} stage(s) and {steps} change(s) "
        f"lead to {plan['target_version']}; plan {plan['digest'][:12]}."
    )
