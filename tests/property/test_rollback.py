# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollbacks of random fleets: valid by the second opinion, finished wherever they are cut, done when they are done."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback import plan_rollback
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_replay import replay
from ansible_collections.lockstep.teleport.tests.property.plan_fleets import LINES, PATCHES, examples, versions

CATALOGUE = Catalogue.load()
NAME = "20260301T100000Z-x"


@st.composite
def rollbacks(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a cluster that was upgraded by one line, as far as it came, and the backup from before."""
    line = draw(st.integers(1, len(LINES) - 1))
    new, old = draw(versions(line, line)), draw(versions(line - 1, line - 1))
    auths = draw(st.integers(1, 3))
    rows = [_row(f"a{number}", ["auth"], new) for number in range(auths)]
    for number in range(draw(st.integers(0, 5))):
        services = draw(st.sampled_from([["proxy"], ["agent"], ["client"], ["proxy", "agent"]]))
        at = draw(st.sampled_from([new, new, old, *PATCHES[LINES[line - 1]]]))
        rows.append({**_row(f"m{number}", services, at), "interrupted": draw(st.sampled_from([False, False, True]))})
    chosen = {"name": NAME, "path": f"/b/{NAME}", "cluster": "main", "version": old, "created": "2026-03-01T10:00:00Z"}
    holder = f"a{draw(st.integers(0, auths - 1))}"
    return {
        "cluster": "main",
        "instances": draw(st.permutations(rows)),
        "backups": [{"host": holder, "backups": [], "chosen": {**chosen, "problems": []}}],
        "acknowledge": NAME,
        "batches": draw(st.sampled_from([[1, "10%", "25%"], ["100%"]])),
    }


def _row(host: str, services: list[str], version: str) -> dict[str, Any]:
    return {"host": host, "cluster": "main", "services": services, "version": version, "state": "running"}


def planned(data: dict[str, Any]) -> dict[str, Any]:
    outcome = plan_rollback(data)
    assert not outcome.refused, outcome.message
    assert replay(outcome.plan, data, CATALOGUE) == []
    return outcome.plan


def steps_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for stage in plan["stages"] for step in stage["steps"]]


def carried_out(data: dict[str, Any], steps: list[dict[str, Any]], *, held: bool) -> dict[str, Any]:
    """The input as it is observed after these steps; *held* when the auth group was stopped and not all came back."""
    after = copy.deepcopy(data)
    rows = {row["host"]: row for row in after["instances"]}
    if held:
        for row in rows.values():
            if "auth" in row["services"]:
                row.update(held=True, interrupted=True, state="stopped")
    for step in steps:
        rows[step["host"]].update(version=step["to"], state="running", interrupted=False, held=False)
    return after


@given(rollbacks())
@examples(150)
def test_a_rollback_ends_with_nothing_newer_than_its_auth_servers(data: dict[str, Any]) -> None:
    plan = planned(data)
    assert plan["restore"]
    finished = carried_out(data, steps_of(plan), held=False)
    assert planned(finished)["stages"] == []
    order = [patch for line in LINES for patch in PATCHES[line]]
    top = order.index(plan["target_version"])
    assert {row["version"] for row in finished["instances"] if "auth" in row["services"]} == {plan["target_version"]}
    assert all(order.index(row["version"]) <= top for row in finished["instances"])


@given(rollbacks(), st.data())
@examples(150)
def test_a_rollback_cut_anywhere_is_finished_by_the_next_and_restores_no_second_time(
    data: dict[str, Any], draw: st.DataObject
) -> None:
    steps = steps_of(planned(data))
    done = draw.draw(st.integers(0, len(steps)), label="steps done")
    auths_done = [step for step in steps[:done] if step["phase"] == "auth"]
    reached_auth = done == len(steps) or steps[done]["phase"] == "auth"
    held = reached_auth and done < len(steps) and draw.draw(st.booleans() if not auths_done else st.just(True))
    later = carried_out(data, steps[:done], held=held)
    second = planned(later)
    assert second["restore"] == (not auths_done)
    assert [step["host"] for step in steps_of(second)] == [step["host"] for step in steps[done:]]
    assert planned(carried_out(later, steps_of(second), held=False))["stages"] == []


@given(rollbacks(), st.permutations(range(9)))
@examples(40)
def test_the_order_of_the_input_does_not_matter(data: dict[str, Any], order: list[int]) -> None:
    places = [place for place in order if place < len(data["instances"])]
    other = {**data, "instances": [data["instances"][place] for place in places]}
    assert planned(other) == planned(data)
