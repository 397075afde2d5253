# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a run from going on, and who is looked at then."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import halt


def step(host: str, phase: str, to: str) -> dict[str, Any]:
    return {"host": host, "cluster": "main", "phase": phase, "from": "15.5.4", "to": to, "migrates": host == "a1"}


PLAN: dict[str, Any] = {
    "stages": [
        {
            "hop": 0,
            "kind": "hop",
            "to": "16.5.18",
            "steps": [step("a1", "auth", "16.5.18"), step("n1", "agent", "16.5.18")],
        },
        {
            "hop": 1,
            "kind": "hop",
            "to": "17.7.20",
            "steps": [step("a1", "auth", "17.7.20"), step("n1", "agent", "17.7.20")],
        },
    ]
}
INSTANCES = [
    {"host": "a2", "cluster": "main", "services": ["auth"], "state": "stopped"},
    {"host": "a1", "cluster": "main", "services": ["auth", "proxy"], "state": "running"},
    {"host": "a3", "cluster": "main", "services": ["auth"], "state": "unreachable"},
    {"host": "n1", "cluster": "main", "services": ["agent"], "state": "running"},
]
HELD = {"lock_renewal": {"held": True}}


def localhost(**more: Any) -> dict[str, Any]:
    return {"plan_outcome": {"plan": PLAN}, "plan_inventory": {"instances": INSTANCES}, **more}


def hostvars(**hosts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"localhost": localhost(), "a1": HELD, "a2": HELD, "n1": {}, **hosts}


ALL = ["localhost", "a1", "a2"]


def test_the_plan_is_followed_until_the_run_is_to_stop() -> None:
    assert halt.followed_plan(localhost()) == PLAN
    assert halt.followed_plan(localhost(halt_record={"kind": "paused"})) == {}
    assert halt.followed_plan({}) == {}
    assert halt.followed_plan({"rollback_outcome": {"plan": PLAN}}, "rollback_outcome") == PLAN


def test_all_auth_hosts_are_locked_that_were_seen_and_none_for_a_plan_without_stages() -> None:
    assert halt.lock_hosts(localhost()) == ["a1", "a2"]
    assert halt.lock_hosts({}) == []
    assert halt.observed_auth_hosts({}) == []
    assert halt.observed_auth_hosts({"plan_inventory": {"instances": INSTANCES}}) == ["a1", "a2"]
    assert halt.lock_hosts({**localhost(), "plan_outcome": {"plan": {"stages": []}}}) == []


def test_a_stage_is_opened_by_the_controller_and_the_locked_hosts() -> None:
    assert halt.opening_hosts(localhost(), 1) == ["localhost", "a1", "a2"]
    assert halt.opening_hosts(localhost(), 2) == []


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [([], []), (["a1"], ["localhost", "a1"]), (["a1", "localhost"], ["localhost", "a1"])],
)
def test_the_controller_outlives_the_hosts_of_a_play(hosts: list[str], expected: list[str]) -> None:
    assert halt.beside_localhost(hosts) == expected


def test_a_stage_may_begin() -> None:
    assert halt.before_stage(PLAN, 1, hostvars(), ALL, []) == {}
    skipped = {"lock_renewal": {"skipped": True}}
    assert halt.before_stage(PLAN, 0, hostvars(a1=skipped, a2=skipped), ALL, []) == {}


@pytest.mark.parametrize(
    ("changes", "active", "failed", "pause_after", "kind", "told"),
    [
        (
            {"a2": {"lock_renewal": {"held": False, "refused": "lost", "msg": "gone"}}},
            ALL,
            [],
            0,
            "stopped",
            "a2: gone",
        ),
        ({"a2": {"lock_renewal": {"msg": "unreadable"}}}, ALL, [], 0, "stopped", "a2: unreadable"),
        ({}, ["localhost", "a1"], [], 0, "stopped", "a2 stopped answering"),
        ({}, ALL, ["n1"], 0, "stopped", "left more than one line behind: n1."),
        ({}, ALL, [], 1, "paused", "teleport_pause_after_stages is 1"),
    ],
)
def test_a_stage_must_not_begin(
    changes: dict[str, Any], active: list[str], failed: list[str], pause_after: int, kind: str, told: str
) -> None:
    found = halt.before_stage(PLAN, 1, hostvars(**changes), active, failed, pause_after)
    assert (found["kind"], found["stage"]) == (kind, 1)
    assert told in found["reason"]


def test_a_pause_after_stages_lets_that_many_pass() -> None:
    assert halt.before_stage(PLAN, 0, hostvars(), ALL, [], 1) == {}
    assert halt.before_stage(PLAN, 1, hostvars(), ALL, [], 2) == {}


def test_auth_servers_that_failed_or_fell_silent_stop_the_run() -> None:
    assert halt.after_auth(PLAN, 0, hostvars(), ALL) == {}
    failed = halt.after_auth(PLAN, 0, hostvars(a1={"auth_failure": "no"}), ALL)
    assert (failed["reason"], failed["hosts"]) == ("a1: no", ["a1"])
    assert "stopped answering" in halt.after_auth(PLAN, 0, hostvars(), ["localhost"])["reason"]


def test_gates_that_failed_or_fell_silent_stop_the_run() -> None:
    own = [INSTANCES[1]]
    assert halt.after_gate(PLAN, 0, own, hostvars(), ALL) == {}
    failed = halt.after_gate(PLAN, 0, own, hostvars(a1={"gate_failure": "no"}), ALL)
    assert (failed["reason"], failed["hosts"], failed["phase"]) == ("a1: no", ["a1"], "gate")
    assert "stopped answering" in halt.after_gate(PLAN, 0, own, hostvars(), ["localhost"])["reason"]


def test_hosts_that_failed_and_the_auth_hosts_of_the_stage_are_looked_at() -> None:
    stop = {"kind": "stopped", "stage": 0, "hosts": ["n1"]}
    assert halt.concerned_hosts(localhost(halt_record=stop)) == ["n1", "a1"]
    assert halt.concerned_hosts(localhost(halt_record={**stop, "kind": "paused", "hosts": []})) == []
    assert halt.concerned_hosts(localhost()) == []
    assert halt.concerned_hosts(localhost(), ["n1"]) == ["n1"]
    assert halt.concerned_hosts({}, ["n1"]) == []
    agents_only = {"hop": 0, "kind": "laggards", "to": "15.5.4", "steps": [step("n1", "agent", "15.5.4")]}
    laggards = localhost(plan_outcome={"plan": {"stages": [agents_only]}}, halt_record={**stop, "hosts": []})
    assert halt.concerned_hosts(laggards) == ["a2"], "evidence of a stop without auth and without hosts of its own"
    many = [f"n{number}" for number in range(900)]
    assert len(halt.concerned_hosts(localhost(halt_record=stop), many)) == halt.MOST_CONCERNED


def looked_at(pid: int, restarts: int) -> dict[str, Any]:
    unit = {"name": "teleport.service", "main_pid": pid, "n_restarts": restarts}
    upgraded = {"instance_after": {"version": "16.5.18", "main_pid": 70}}
    return {
        **HELD,
        "auth_upgrade": upgraded,
        "gate_look": {"instance": {"state": "running", "running_version": "16.5.18", "unit": unit}},
    }


def test_an_auth_server_that_died_since_its_upgrade_stops_the_run_wherever_it_is_looked_at() -> None:
    dead = hostvars(a1=looked_at(71, 3))
    looks = [dead["a1"]["gate_look"]]
    found = [
        halt.after_auth(PLAN, 0, dead, ALL),
        halt.after_first_agents(PLAN, 0, dead, looks),
        halt.after_gate(PLAN, 0, INSTANCES, dead, ALL),
    ]
    assert [record["phase"] for record in found] == ["auth", "agent", "gate"]
    assert all(record["hosts"] == ["a1"] and "restarted it 3 times" in record["reason"] for record in found)
    lives = hostvars(a1=looked_at(70, 0))
    assert halt.after_auth(PLAN, 0, lives, ALL) == {}
    assert halt.after_first_agents(PLAN, 0, lives, [lives["a1"]["gate_look"]]) == {}
    assert halt.after_gate(PLAN, 0, INSTANCES, lives, ALL) == {}
