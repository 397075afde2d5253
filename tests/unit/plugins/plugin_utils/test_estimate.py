# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates count batches and forks, trust measured figures before defaults, and nothing that is no figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.estimate import (
    DEFAULTS,
    earlier_figures,
    estimate,
    measured_figures,
    spoken,
    told,
    usable,
)
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import digest_of, sealed


def steps(phase: str, *batches: int, cluster: str = "main") -> list[dict[str, Any]]:
    """Return steps of a phase, so many in each batch."""
    return [
        {"phase": phase, "cluster": cluster, "host": f"{cluster}-{phase}{batch}-{number}", "batch": batch}
        for batch, size in enumerate(batches)
        for number in range(size)
    ]


def plan_of(*stages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a plan with these stages."""
    return {"stages": [{"index": index, "steps": found} for index, found in enumerate(stages)]}


FIGURES = {"auth": 100, "proxy": 10, "agent": 1, "client": 1, "gate": 1}


@pytest.mark.parametrize(
    ("found", "forks", "phases"),
    [
        (steps("agent", 1, 10, 25), 5, {"agent": 1 + 2 + 5}),
        (steps("agent", 1, 10, 25), 50, {"agent": 3}),
        (steps("proxy", 1, 3), 5, {"proxy": 20}),
        (steps("auth", 1, 1, 1), 5, {"auth": 300}),
        # Primaries side by side, the peers of all clusters one after the other.
        (steps("auth", 1, 1) + steps("auth", 1, 1, cluster="leaf"), 5, {"auth": 300}),
    ],
)
def test_a_stage_takes_what_its_rounds_take(found: Any, forks: int, phases: dict[str, int]) -> None:
    stage = estimate(plan_of(found), forks, FIGURES)["stages"][0]
    assert stage["phases"] == {**phases, "gate": 1}
    assert stage["seconds"] == sum(phases.values()) + 1


def test_stages_add_up_and_figures_that_were_not_measured_are_guessed() -> None:
    found = estimate(plan_of(steps("agent", 1), steps("client", 1)), 5, {"agent": 100})
    assert found["measured"] == ["agent"]
    assert found["seconds"] == round(100 + DEFAULTS["client"] + 2 * DEFAULTS["gate"])
    assert "stage 0 2 min, stage 1 14 s; from the last run's figures for agent" in told(found)


def test_without_stages_nothing_is_to_be_waited_for() -> None:
    assert estimate({}, 5) == {"seconds": 0, "stages": [], "measured": []}


@pytest.mark.parametrize("value", ["12", None, -1, 0, float("nan"), float("inf"), 1e9, [1]])
def test_what_is_no_time_is_not_used(value: Any) -> None:
    assert usable({"agent": value}) == {}


def test_figures_come_from_the_report_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert earlier_figures(str(path)) == {}
    path.write_text("{")
    assert earlier_figures(str(path)) == {}
    path.write_text(json.dumps({"measured": {"agent": 7.5, "dog": 3}}))
    assert earlier_figures(str(path)) == {"agent": 7.5}


def test_hosts_of_a_run_are_measured_by_their_median() -> None:
    plan = plan_of(steps("agent", 4))
    hosts = [step["host"] for step in plan["stages"][0]["steps"]]
    ends: dict[str, Any] = dict(zip(hosts, (4, 6, 100, 5), strict=True))
    hostvars: dict[str, Any] = {
        host: {"agent_upgrade": {"timeline": [{"at": 1000.0}, {"at": 1000.0 + end}]}} for host, end in ends.items()
    }
    hostvars[hosts[2]]["agent_upgrade"]["failed"] = True
    hostvars[hosts[3]] = {}
    assert measured_figures(plan, hostvars) == {"agent": 5.0}


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (720, "12 min"), (12000, "3 h 20 min")])
def test_times_are_told_as_people_say_them(seconds: int, text: str) -> None:
    assert spoken(seconds) == text


def test_estimates_are_no_part_of_the_digest() -> None:
    plan = sealed(plan_of(steps("agent", 1)))
    assert digest_of({**plan, "estimates": estimate(plan, 5)}) == plan["digest"]
