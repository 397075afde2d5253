# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that die after their upgrade was judged, and what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import proven


def stage(*steps: tuple[str, str]) -> dict[str, Any]:
    return {"steps": [{"phase": phase, "host": host} for phase, host in steps]}


PLAN = {
    "stages": [
        stage(("auth", "a1"), ("auth", "a2"), ("proxy", "p1"), ("agent", "n1")),
        stage(("auth", "a1"), ("proxy", "p2"), ("client", "c1")),
    ]
}
UPGRADED = {"instance_after": {"version": "17.7.20", "main_pid": 70}, "outage": {"ready_at": 1000.0}}


def seen(pid: int = 70, restarts: int | None = 0, version: str = "17.7.20", **instance: Any) -> dict[str, Any]:
    unit = {"name": "teleport.service", "main_pid": pid, "n_restarts": restarts}
    return {"instance": {"state": "running", "running_version": version, "unit": unit, **instance}}


def lost(look: dict[str, Any], result: dict[str, Any] | None = None) -> dict[str, str]:
    return proven.losses({"p1": look}, {"p1": {"proxy_upgrade": UPGRADED if result is None else result}})


def test_the_servers_of_a_stage_are_those_of_the_stages_before_as_well() -> None:
    assert proven.servers(PLAN, 0) == ["a1", "a2", "p1"]
    assert proven.servers(PLAN, 1) == ["a1", "a2", "p1", "p2"]
    assert proven.servers(PLAN, 1, ("auth",)) == ["a1", "a2"]
    assert proven.servers({}, 0) == []


DEAD: dict[str, Any] = {"state": "stopped", "running_version": None}
FAILED: dict[str, Any] = {"name": "teleport.service", "main_pid": 0, "active_state": "failed", "result": "exit-code"}


@pytest.mark.parametrize(
    ("look", "says"),
    [
        (seen(pid=81, restarts=2), "process 70, which was proven at 17.7.20, has died since; systemd has restarted it"),
        (seen(pid=81, restarts=None), "has died since; another runs in its place"),
        (seen(**DEAD, unit=FAILED), "nothing runs in its place (teleport.service is failed, Result=exit-code)"),
        (seen(pid=81, version="16.5.18"), "was replaced by 16.5.18"),
        ({"unreachable": True, "msg": "No route to host."}, "since it was upgraded (No route to host)."),
        ({"failed": True, "failed_when_result": False}, "since it was upgraded (it could not be observed)."),
    ],
)
def test_a_server_whose_proven_process_is_gone_is_told(look: dict[str, Any], says: str) -> None:
    told = lost(look)
    assert list(told) == ["p1"]
    assert told["p1"].startswith("p1: ")
    assert says in told["p1"]


@pytest.mark.parametrize(
    "look",
    [seen(), seen(restarts=2), seen(pid=81, restarts=0), {"skipped": True}, {}],
    ids=["lives", "came up at the third attempt", "restarted by hand", "dry run", "not looked at"],
)
def test_what_lives_or_was_restarted_on_purpose_is_no_loss(look: dict[str, Any]) -> None:
    assert lost(look) == {}


@pytest.mark.parametrize(
    "result",
    [{}, {"skipped": True}, {**UPGRADED, "failed": True}, {"instance_after": {"version": "17.7.20"}}],
    ids=["not upgraded", "left out", "failed", "no process"],
)
def test_without_a_proof_there_is_nothing_to_lose(result: dict[str, Any]) -> None:
    assert lost(seen(**DEAD, unit=FAILED), result) == {}


def test_what_a_host_that_is_gone_showed_before_does_not_count() -> None:
    hostvars = {"a1": {"gate_look": seen()}, "p1": {"gate_look": seen(), "proxy_upgrade": UPGRADED}, "p2": {}}
    looks = proven.looks_of(["a1", "p1", "p2"], hostvars, ["a1", "p2"])
    assert looks == {"a1": seen(), "p1": {"msg": "it is unreachable"}, "p2": {}}
    assert list(proven.losses(looks, hostvars)) == ["p1"]


@pytest.mark.parametrize(
    ("now", "left"),
    [(1000.0, 30.0), (1012.5, 17.5), (1031.0, 0.0), (900.0, 30.0)],
    ids=["just up", "half-way", "long enough", "a clock that is behind"],
)
def test_a_server_is_watched_until_it_has_been_up_for_long_enough(now: float, left: float) -> None:
    assert proven.watch_left({"auth_upgrade": UPGRADED}, 30.0, now) == left


@pytest.mark.parametrize("result", [{}, {**UPGRADED, "outage": {"ready_at": None}}, {**UPGRADED, "outage": None}])
def test_a_server_that_was_not_started_is_not_waited_for(result: dict[str, Any]) -> None:
    assert proven.watch_left({"proxy_upgrade": result}, 30.0, 1000.0) == 0.0
