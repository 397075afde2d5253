# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import stage_view


def step(phase: str, cluster: str, host: str) -> dict[str, Any]:
    return {"phase": phase, "cluster": cluster, "host": host, "from": "15.5.3", "to": "16.5.12", "batch": 0}


PLAN = {
    "stages": [
        {"steps": [step("auth", "east", "a2"), step("auth", "east", "a1"), step("agent", "east", "n1")]},
        {"steps": [step("agent", "west", "w1"), step("agent", "east", "n2")]},
    ]
}
INSTANCES = [
    {"host": "a1", "cluster": "east", "services": ["auth"]},
    {"host": "b1", "cluster": "west", "services": ["auth"]},
    {"host": "n1", "cluster": "east", "services": ["agent"]},
]


def test_auth_hosts_keep_the_order_of_the_plan() -> None:
    assert stage_view.auth_hosts(PLAN, 0) == ["a2", "a1"]


@pytest.mark.parametrize("plan", [{}, PLAN])
def test_a_stage_that_the_plan_does_not_have_matches_no_host(plan: dict[str, Any]) -> None:
    assert stage_view.auth_hosts(plan, 2) == []
    assert stage_view.gate_hosts(plan, 2, INSTANCES) == []


def test_the_gate_asks_one_auth_server_of_each_cluster_that_changed() -> None:
    assert stage_view.gate_hosts(PLAN, 0, INSTANCES) == ["a1"]
    assert stage_view.gate_hosts(PLAN, 1, INSTANCES) == ["a1", "b1"]


HOPS = {
    "stages": [
        {"hop": 0, "kind": "laggards", "steps": [step("agent", "east", "n1")]},
        {"hop": 0, "kind": "hop", "steps": [step("auth", "east", "a1"), step("agent", "east", "n2")]},
        {"hop": 0, "kind": "hop", "steps": [step("auth", "west", "b1"), step("client", "west", "c1")]},
        {"hop": 1, "kind": "hop", "steps": [step("auth", "east", "a1"), step("agent", "east", "n3")]},
    ]
}


CANARIES = {
    "stages": [
        {
            "to": "16.5.18",
            "steps": [step("auth", "east", "a1"), step("proxy", "east", "p1"), step("client", "east", "c1")],
        },
        {
            "to": "16.5.18",
            "steps": [step("auth", "west", "b1"), step("agent", "west", "w2"), step("agent", "west", "w1")],
        },
        {"to": "16.5.18", "steps": [step("auth", "far", "f1"), step("agent", "far", "n9")]},
        {"to": "17.7.20", "steps": [step("auth", "east", "a1"), step("agent", "east", "n1")]},
    ]
}


@pytest.mark.parametrize(("index", "expected"), [(0, ""), (1, "w2"), (2, "w2"), (3, "n1"), (4, "")])
def test_the_canary_is_the_first_agent_of_the_hop(index: int, expected: str) -> None:
    assert stage_view.canary(CANARIES, index) == expected


@pytest.mark.parametrize(
    ("index", "expected"),
    [(0, []), (1, ["n1"]), (2, ["n1"]), (3, ["c1", "n1", "n2"]), (4, [])],
)
def test_auth_waits_for_laggards_and_for_hosts_of_earlier_hops(index: int, expected: list[str]) -> None:
    assert stage_view.left_behind(HOPS, index, ["n3", "n2", "c1", "n1", "stranger"]) == expected


def test_auth_waits_for_nobody_when_nobody_failed() -> None:
    assert stage_view.left_behind({"stages": HOPS["stages"]}, 3, []) == []


@pytest.mark.parametrize(
    ("spec", "total", "allowed"), [(0, 10, 0), ("3", 10, 3), ("10%", 25, 2), ("0%", 9, 0), ("100%", 9, 9)]
)
def test_failure_budget(spec: int | str, total: int, allowed: int) -> None:
    assert stage_view.failure_budget(spec, total) == allowed


@pytest.mark.parametrize("spec", ["some", "-1", "101%", "1.5", "5 %", ""])
def test_a_budget_that_is_no_number_is_named(spec: str) -> None:
    with pytest.raises(ValueError, match="teleport_max_failed_agents"):
        stage_view.failure_budget(spec, 10)
