# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replay finds what is wrong with a plan, one broken rule at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import planner
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay import replay
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import fleet

CATALOGUE = Catalogue.load()
DATA: dict[str, Any] = {
    "target_version": "6.2.31",
    "clusters": {"leaf": {"root": "main"}},
    "instances": fleet(
        """a1 main auth 4.4.12
        a2 main auth 4.4.12
        p main proxy 4.4.12
        n1 main agent 4.4.12
        n2 main agent 4.4.12
        c main client 4.4.12
        b leaf auth 4.4.12
        m leaf agent 4.4.12"""
    ),
}
Plan = dict[str, Any]


def good_plan() -> Plan:
    """Return a plan that nothing is wrong with."""
    return planner.plan_upgrade(DATA).plan


def steps(plan: Plan, stage: int) -> list[dict[str, Any]]:
    """Return the steps of a stage."""
    return plan["stages"][stage]["steps"]  # type: ignore[no-any-return]


def swap_phases(plan: Plan) -> None:
    first, last = steps(plan, 0)[2], steps(plan, 0)[-1]
    first["phase"], last["phase"] = last["phase"], first["phase"]


def agents_before_proxy(plan: Plan) -> None:
    rows = steps(plan, 0)
    rows.insert(2, rows.pop(3))


def leaf_before_root(plan: Plan) -> None:
    stages = plan["stages"]
    stages[0], stages[1] = stages[1], stages[0]
    for index, stage in enumerate(stages):
        stage["index"] = index


def skip_a_line(plan: Plan) -> None:
    del plan["hops"][0]
    plan["hops"][0]["index"] = 0
    plan["stages"] = plan["stages"][2:]
    for index, stage in enumerate(plan["stages"]):
        stage.update(index=index, hop=0)
        for step in stage["steps"]:
            step["from"] = "4.4.12"


def leave_an_agent_behind(plan: Plan) -> None:
    for stage in (0, 2):
        plan["stages"][stage]["steps"] = [step for step in steps(plan, stage) if step["host"] != "n1"]


def leave_a_leaf_behind(plan: Plan) -> None:
    plan["stages"] = [plan["stages"][0], plan["stages"][2]]
    plan["stages"][1]["index"] = 1


def forget_a_peer(plan: Plan) -> None:
    steps(plan, 2).pop(1)


def auths_together(plan: Plan) -> None:
    steps(plan, 0)[1]["batch"] = 0


def mix_phases_in_a_batch(plan: Plan) -> None:
    rows = steps(plan, 0)
    rows[3]["batch"] = rows[2]["batch"]


def go_back(plan: Plan) -> None:
    plan["stages"][2]["to"] = "4.4.6"
    plan["hops"][1]["to"] = "4.4.6"
    for step in steps(plan, 2):
        step["to"] = "4.4.6"


def twice(plan: Plan) -> None:
    steps(plan, 0).append(steps(plan, 0)[-1])


def lie_about_from(plan: Plan) -> None:
    steps(plan, 2)[0]["from"] = "5.0.2"


def move_for_nothing(plan: Plan) -> None:
    plan["stages"].append({**copy.deepcopy(plan["stages"][2]), "index": 4})


def unknown_host(plan: Plan) -> None:
    steps(plan, 0)[-1]["host"] = "x"


def wrong_level(plan: Plan) -> None:
    plan["stages"][0]["level"] = 1


def wrong_cluster(plan: Plan) -> None:
    steps(plan, 0)[-1]["cluster"] = "leaf"


def another_version(plan: Plan) -> None:
    plan["stages"][0]["to"] = "5.0.2"
    for step in steps(plan, 0):
        step["to"] = "5.0.2"


def stop_early(plan: Plan) -> None:
    plan["hops"][-1]["to"] = "6.1.2"
    for stage in plan["stages"][2:]:
        stage["to"] = "6.1.2"
        for step in stage["steps"]:
            step["to"] = "6.1.2"


def number_stages_from_one(plan: Plan) -> None:
    for stage in plan["stages"]:
        stage["index"] += 1


def number_hops_from_one(plan: Plan) -> None:
    for hop in plan["hops"]:
        hop["index"] += 1


def two_stages_of_a_level(plan: Plan) -> None:
    stage = plan["stages"][0]
    rest = {**stage, "steps": stage["steps"][3:]}
    stage["steps"] = stage["steps"][:3]
    plan["stages"].insert(1, rest)
    for index, row in enumerate(plan["stages"]):
        row["index"] = index


BROKEN: list[tuple[Callable[[Plan], None], str]] = [
    (swap_phases, "its cluster, phase or level"),
    (agents_before_proxy, "phases or batches are out of order"),
    (leaf_before_root, "gets ahead of root cluster main"),
    (skip_a_line, "an auth server skips a line"),
    (leave_an_agent_behind, "n1 ends at 4.4.12"),
    (leave_an_agent_behind, "more than one line behind what this auth server becomes"),
    (leave_a_leaf_behind, "leaf leaf is more than one line behind its root main"),
    (leave_a_leaf_behind, "hop 0 ends and cluster leaf has an auth server below its line"),
    (leave_a_leaf_behind, "a hop starts before cluster leaf has finished the one before"),
    (forget_a_peer, "not all of its auth servers come along"),
    (auths_together, "two instances change together with an auth server"),
    (mix_phases_in_a_batch, "a batch holds two phases"),
    (go_back, "this is a downgrade"),
    (twice, "a host has two steps"),
    (lie_about_from, "the step says 5.0.2 to 6.2.31, it runs 5.2.5"),
    (move_for_nothing, "it runs that version already"),
    (move_for_nothing, "does not take each trust level once"),
    (unknown_host, "it cannot be upgraded"),
    (wrong_level, "its cluster, phase or level"),
    (wrong_cluster, "its cluster, phase or level"),
    (another_version, "is not that of its hop"),
    (stop_early, "the last hop leads to 6.1.2"),
    (number_stages_from_one, "the stages are not numbered"),
    (number_hops_from_one, "the hops are not numbered"),
    (two_stages_of_a_level, "does not take each trust level once"),
]


def test_a_good_plan_passes() -> None:
    assert replay(good_plan(), DATA, CATALOGUE) == []


@pytest.mark.parametrize(("break_it", "complaint"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_plan_is_found_out(break_it: Callable[[Plan], None], complaint: str) -> None:
    plan = good_plan()
    break_it(plan)
    broken = replay(plan, DATA, CATALOGUE)
    assert any(complaint in text for text in broken), broken


def test_an_agent_newer_than_its_auth_is_found_out() -> None:
    data = {"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5\nn main agent 5.2.5")}
    plan = planner.plan_upgrade(data).plan
    rows = plan["stages"][0]["steps"]
    rows.reverse()
    assert any("newer than an auth server" in text for text in replay(plan, data, CATALOGUE))


def test_an_agent_of_a_newer_line_than_its_proxy_is_found_out() -> None:
    data = {"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5\np main proxy 5.2.5\nn main agent 5.2.5")}
    plan = planner.plan_upgrade(data).plan
    rows = plan["stages"][0]["steps"]
    rows[1], rows[2] = rows[2], rows[1]
    assert any("newer line than a proxy" in text for text in replay(plan, data, CATALOGUE))


def test_an_unfinished_interruption_is_found_out() -> None:
    data = {"target_version": "6.2.31", "instances": fleet("a main auth 6.2.31 interrupted")}
    plan = {**planner.plan_upgrade(data).plan, "hops": [], "stages": []}
    assert replay(plan, data, CATALOGUE) == ["a was interrupted and nothing finishes its upgrade"]


def test_what_was_out_of_order_may_stay_so_until_it_is_cured() -> None:
    data = {
        "target_version": "6.2.31",
        "instances": fleet("a main auth 6.2.31\nn main agent 4.3.10\nm main agent 5.2.5"),
    }
    assert replay(planner.plan_upgrade(data).plan, data, CATALOGUE) == []


def test_a_plan_that_the_replay_objects_to_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "replay", lambda *_args: ["stage 0: it is wrong"])
    outcome = planner.plan_upgrade(DATA)
    assert outcome.refused
    assert outcome.plan["stages"] == []
    assert "[plan-inconsistent] stage 0: it is wrong" in outcome.message


def test_a_thoroughly_broken_plan_is_told_in_some_twenty_sentences() -> None:
    plan = good_plan()
    for stage in plan["stages"]:
        for step in stage["steps"]:
            step.update({"from": "3.2.15", "phase": "client"})
    assert len(replay(plan, DATA, CATALOGUE)) == 20
