# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import auth_group

GROUP = ["a1", "a2", "a3"]


def plan_for(*hosts: str, source: str = "15.5.3", migrates: str | None = None) -> dict[str, Any]:
    steps = [
        {
            "phase": "auth",
            "cluster": "east",
            "host": host,
            "from": source,
            "to": "16.5.12",
            "batch": 0,
            "migrates": host == migrates,
        }
        for host in hosts
    ]
    return {"stages": [{"steps": steps}]}


def part(*hosts: str) -> dict[str, Any]:
    return auth_group.auth_part(plan_for(*hosts, migrates="a1"), 0, hosts[0])


def test_the_step_that_migrates_makes_the_primary() -> None:
    found = auth_group.auth_part(plan_for("a2", "a1", "a3", migrates="a2"), 0, "a1")
    assert (found["primary"], found["role"], found["peers"]) == ("a2", "peer", ["a1", "a3"])
    assert found["crosses_lines"]


def test_nobody_migrates_twice() -> None:
    found = part("a2", "a3")
    assert (found["primary"], found["role"]) == (None, "peer")


@pytest.mark.parametrize(
    ("result", "source", "words"),
    [
        (
            {"instance_after": {}, "backup": {"path": "/b/east/20260301T100000Z-15.5.3"}},
            "15.5.3",
            "-e teleport_rollback_cluster=east -e teleport_rollback_acknowledge=20260301T100000Z-15.5.3",
        ),
        ({"instance_after": {}}, "15.5.3", "lockstep.teleport.rollback -e teleport_rollback_cluster=east"),
        ({"failed": True, "rolled_back": True}, "15.5.3", ""),
        ({"instance_after": {}}, "16.4.0", ""),
        ({}, "15.5.3", ""),
    ],
)
def test_a_gate_that_stops_a_primary_that_serves_names_the_way_back(
    result: dict[str, Any], source: str, words: str
) -> None:
    group = auth_group.auth_part(plan_for(*GROUP, source=source, migrates="a1"), 0, "a1")
    hostvars = {"a1": {"auth_failure": "The gate does not open.", "auth_upgrade": result}, "a2": {}, "a3": {}}
    told = auth_group.failures(group, hostvars, GROUP)
    assert len(told) == 1
    assert told[0].endswith(words) if words else told == ["a1: The gate does not open."]


def test_who_does_not_know_what_the_primary_runs_is_told_that_its_peers_are_down() -> None:
    killed = {"failed": True, "changed": True, "unfinished": "switched"}
    hostvars = {"a1": {"auth_failure": "It was killed.", "auth_upgrade": killed}, "a2": {}, "a3": {}}
    told = auth_group.failures(part(*GROUP), hostvars, GROUP)
    assert told == ["a1: It was killed. Peers that were stopped for it stay stopped and held."]
    killed["unfinished"] = "stopped"
    assert auth_group.failures(part(*GROUP), hostvars, GROUP) == ["a1: It was killed."]


def test_a_patch_does_not_cross_lines() -> None:
    assert not auth_group.auth_part(plan_for(*GROUP, source="16.4.0"), 0, "a1")["crosses_lines"]


@pytest.mark.parametrize(
    ("primary", "active", "outcome"),
    [
        ({"auth_upgrade": {"changed": True}}, GROUP, "upgraded"),
        ({"auth_upgrade": {"failed": True, "changed": True, "rolled_back": True}}, GROUP, "untouched"),
        ({"auth_upgrade": {"failed": True, "changed": True, "rolled_back": False}}, GROUP, "unknown"),
        ({"auth_upgrade": {"failed": True, "changed": False, "rolled_back": False}}, GROUP, "untouched"),
        ({"auth_upgrade": {"failed": True, "changed": True, "unfinished": "stopped"}}, GROUP, "untouched"),
        ({"auth_upgrade": {"failed": True, "changed": True, "unfinished": "switched"}}, GROUP, "unknown"),
        ({"auth_upgrade": {"failed": True, "changed": True, "unfinished": None}}, GROUP, "unknown"),
        ({"auth_upgrade": {"changed": True}, "auth_failure": "the gate"}, GROUP, "unknown"),
        ({"auth_failure": "the rehearsal"}, GROUP, "untouched"),
        ({}, ["a2", "a3"], "unknown"),
    ],
)
def test_peers_return_only_when_it_is_known_what_the_primary_runs(
    primary: dict[str, Any], active: list[str], outcome: str
) -> None:
    assert auth_group.primary_outcome(part(*GROUP), {"a1": primary, "a2": {}, "a3": {}}, active) == outcome


def test_every_failed_or_silent_member_is_named() -> None:
    told = auth_group.failures(
        part(*GROUP), {"a1": {"auth_failure": "broke"}, "a2": {}, "a3": {"auth_failure": ""}}, ["a1", "a3"]
    )
    assert [sentence.split(":")[0] for sentence in told] == ["a1", "a2"]


def test_all_tables_that_a_group_names_are_listed_with_what_a_restore_changed() -> None:
    def host(**more: Any) -> dict[str, Any]:
        return {
            "observe_result": {"instance": {"config": {"storage": {"type": "dynamodb", "table_name": "t"}}}},
            **more,
        }

    change = {"key": "table_name", "old": "t", "new": "t-lockstep-20261122T201500Z"}
    hostvars = {
        "a1": host(auth_upgrade={"failed": True, "config_change": change}),
        "a2": host(auth_upgrade={}),
        "a3": host(),
    }
    assert auth_group.tables(part(*GROUP), hostvars) == ["t", "t-lockstep-20261122T201500Z"]
    hostvars["a1"] = host(auth_upgrade={"config_change": None})
    assert auth_group.tables(part(*GROUP), hostvars) == ["t"]


@pytest.mark.parametrize(
    ("changes", "active", "whole"),
    [
        ({}, GROUP, True),
        ({"a1": {"auth_failure": "switched back", "auth_upgrade": {"failed": True, "rolled_back": True}}}, GROUP, True),
        ({"a1": {"auth_failure": "The gate does not open.", "auth_upgrade": {"instance_after": {}}}}, GROUP, False),
        ({"a3": {"auth_failure": "not ready"}}, GROUP, False),
        ({}, ["a1", "a2"], False),
        ({}, ["a2", "a3"], False),
    ],
)
def test_a_group_is_given_back_only_when_every_server_runs_again(
    changes: dict[str, Any], active: list[str], whole: bool
) -> None:
    hostvars = {**{host: {"auth_upgrade": {"instance_after": {}}} for host in GROUP}, **changes}
    assert auth_group.is_whole(part(*GROUP), hostvars, active) is whole


def test_a_group_has_all_auth_hosts_of_its_cluster() -> None:
    instances = [
        {"host": "a1", "cluster": "east", "services": ["auth", "proxy"]},
        {"host": "p1", "cluster": "east", "services": ["proxy"]},
        {"host": "b1", "cluster": "west", "services": ["auth"]},
    ]
    assert auth_group.hosts_of("east", instances) == ["a1"]
