# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner over random fleets: its plans are valid, shortest, stable, and finish after any interruption."""

from __future__ import annotations

import copy
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay import replay
from ansible_collections.lockstep.teleport.tests.property.plan_fleets import examples, upgrades
from ansible_collections.lockstep.teleport.tests.property.plan_rules import Scene, changes_of, objections, steps_of

CATALOGUE = Catalogue.load()


def planned(data: dict[str, Any]) -> dict[str, Any]:
    """Plan what nothing forbids."""
    outcome = plan_upgrade(data)
    assert not outcome.refused, outcome.message
    return outcome.plan


@given(upgrades())
@examples(200)
def test_a_plan_is_valid_by_all_three_readings_of_the_rules(data: dict[str, Any]) -> None:
    plan = planned(data)
    assert replay(plan, data, CATALOGUE) == []
    assert objections(data, plan) == []


@given(upgrades(clusters=2, largest=3))
@examples(80)
def test_no_valid_plan_is_shorter(data: dict[str, Any]) -> None:
    data["instances"] = data["instances"][:5]
    data["instances"] = [row for row in data["instances"] if _has_auth(data, row["cluster"])]
    if not data["instances"]:
        return
    data["clusters"] = {row["cluster"]: {} for row in data["instances"]} | {
        name: row for name, row in data["clusters"].items() if _has_auth(data, name) and _has_auth(data, row["root"])
    }
    plan = planned(data)
    shortest = Scene.of(data, [hop["to"] for hop in plan["hops"]]).shortest()
    assert shortest == len(changes_of(plan))


def _has_auth(data: dict[str, Any], cluster: str | None) -> bool:
    return any(row["cluster"] == cluster and "auth" in row["services"] for row in data["instances"])


@given(upgrades(), st.randoms(use_true_random=False))
@examples(60)
def test_the_order_of_the_input_does_not_matter(data: dict[str, Any], chance: random.Random) -> None:
    other = copy.deepcopy(data)
    chance.shuffle(other["instances"])
    names = list(other["clusters"])
    chance.shuffle(names)
    other["clusters"] = {name: other["clusters"][name] for name in names}
    assert planned(other) == planned(data)


@given(upgrades(), st.data())
@examples(200)
def test_a_run_cut_anywhere_is_finished_by_the_next(data: dict[str, Any], draw: st.DataObject) -> None:
    first = planned(data)
    steps = steps_of(first)
    done = draw.draw(st.integers(0, len(steps)), label="steps done")
    cut_off = draw.draw(st.booleans(), label="killed inside a step")
    later = carried_out(data, steps[:done])
    if cut_off and done < len(steps):
        kill(later, first, steps[done], switched=draw.draw(st.booleans(), label="binary switched"))
    second = planned(later)
    assert objections(later, second) == []
    if cut_off and done < len(steps) and steps[done].get("migrates"):
        assert who_goes_first(second, steps[done]["cluster"], steps[done]["host"])
    finished = carried_out(later, steps_of(second))
    assert {row["version"] for row in finished["instances"]} <= {data["target_version"]}
    assert planned(finished)["stages"] == []


@given(upgrades())
@examples(150)
def test_of_auth_servers_a_killed_one_goes_first_unless_another_has_the_version_already(data: dict[str, Any]) -> None:
    rows = {row["host"]: row for row in data["instances"]}
    plan = planned(data)
    for cluster in data["clusters"]:
        stages = [
            [step for step in stage["steps"] if step["phase"] == "auth" and step["cluster"] == cluster]
            for stage in plan["stages"]
        ]
        group = next((steps for steps in stages if steps), [])
        killed = [step["host"] for step in group if rows[step["host"]]["unfinished"]]
        at_the_version = [
            step for step in group if rows[step["host"]]["interrupted"] and rows[step["host"]]["version"] == step["to"]
        ]
        if killed and not at_the_version:
            assert group[0]["host"] in killed


@given(upgrades(), st.data())
@examples(100)
def test_a_cut_costs_no_extra_change(data: dict[str, Any], draw: st.DataObject) -> None:
    first = planned(data)
    steps = steps_of(first)
    done = draw.draw(st.integers(0, len(steps)), label="steps done")
    second = planned(carried_out(data, steps[:done]))
    left = [step for step in steps[done:] if step["from"] != step["to"]]
    assert len(changes_of(second)) == len(left)


@given(upgrades(), st.data())
@examples(150)
def test_who_cannot_be_reached_stays_served_or_is_named(data: dict[str, Any], draw: st.DataObject) -> None:
    others = [row for row in data["instances"] if "auth" not in row["services"]]
    lost = draw.draw(st.lists(st.sampled_from(others), unique_by=lambda row: row["host"]) if others else st.just([]))
    for row in lost:
        row.update(state="unreachable", interrupted=False, unfinished=False)
        if draw.draw(st.booleans(), label="version unknown"):
            row["version"] = None
    outcome = plan_upgrade({**data, "waivers": [*data["waivers"], "unreachable", "version-unknown"]})
    blocking = {item["code"] for item in outcome.plan["findings"] if item["severity"] == "blocker"}
    assert blocking <= {"left-behind"}
    assert outcome.refused or {row["host"] for row in lost}.isdisjoint(step["host"] for step in steps_of(outcome.plan))


def who_goes_first(plan: dict[str, Any], cluster: str, host: str) -> bool:
    """Whether of a cluster's auth servers this one is upgraded first: only it can undo the migration that it began."""
    order = [str(step["host"]) for step in steps_of(plan) if step["phase"] == "auth" and step["cluster"] == cluster]
    return order[0] == host


def carried_out(data: dict[str, Any], steps: list[Any]) -> dict[str, Any]:
    """Return the input as it is observed after these steps."""
    after = copy.deepcopy(data)
    rows = {row["host"]: row for row in after["instances"]}
    for step in steps:
        rows[step["host"]].update(version=step["to"], state="running", interrupted=False, unfinished=False)
    return after


def kill(data: dict[str, Any], plan: dict[str, Any], step: Any, *, switched: bool) -> None:
    """Leave a step half done: its host is down with either binary, the peers of a migration are held."""
    rows = {row["host"]: row for row in data["instances"]}
    rows[step["host"]].update(
        state="stopped",
        interrupted=True,
        unfinished=True,
        version=step["to"] if switched else rows[step["host"]]["version"],
    )
    if not step.get("migrates"):
        return
    stage = next(stage for stage in plan["stages"] if step in stage["steps"])
    for other in stage["steps"]:
        if other["phase"] == "auth" and other["cluster"] == step["cluster"] and other is not step:
            rows[other["host"]].update(state="stopped", interrupted=True)
