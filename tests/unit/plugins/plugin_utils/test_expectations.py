# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gates are told to expect, and that the gate understands it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import gate_expectation
from ansible_collections.lockstep.teleport.plugins.plugin_utils.expectations import after_primary, after_stage, view_of


def step(phase: str, host: str, cluster: str = "east") -> dict[str, Any]:
    return {"phase": phase, "cluster": cluster, "host": host, "from": "15.5.4", "to": "16.5.18", "batch": 0}


PLAN = {
    "stages": [
        {"to": "15.5.4", "steps": [{**step("agent", "n1"), "to": "15.5.4"}]},
        {
            "to": "16.5.18",
            "steps": [
                step("auth", "a1"),
                step("auth", "a2"),
                step("proxy", "p1"),
                step("agent", "n1"),
                step("client", "c1"),
                step("agent", "w1", "west"),
            ],
        },
    ]
}
HOSTS = ("a1", "a2", "p1", "n1", "c1", "w1")
INVENTORY = {
    "names": {**{host: [host, f"uuid-{host}", f"{host}.example", f"node-{host}"] for host in HOSTS}, "n1": ["n1"]}
}
BEFORE = {"ca_pins": ["sha256:1"], "instances": []}


def hosts(expected: dict[str, Any]) -> list[str]:
    return [entry["host"] for entry in expected["instances"]]


def test_the_migrated_cluster_shows_the_new_version_without_its_peers() -> None:
    part = {"to": "16.5.18", "primary": "a1", "peers": ["a2"]}
    expected = after_primary(part, INVENTORY, BEFORE)
    assert expected == {
        "version": "16.5.18",
        "proven": ["a1", "uuid-a1", "a1.example", "node-a1"],
        "stopped": ["a2", "uuid-a2", "a2.example", "node-a2"],
        "before": BEFORE,
    }
    read = gate_expectation.read(expected)
    assert (read.version, "uuid-a2" in read.stopped, read.ca_pins) == ("16.5.18", True, ("sha256:1",))


def test_a_stage_shows_everyone_of_the_cluster_but_client_tools_and_failed_hosts() -> None:
    expected = after_stage(PLAN, 1, "east", INVENTORY, [], BEFORE)
    assert hosts(expected) == ["a1", "a2", "p1", "n1"]
    assert hosts(after_stage(PLAN, 1, "east", INVENTORY, ["n1", "w1"], BEFORE)) == ["a1", "a2", "p1"]
    assert "uuid-n1" not in expected["proven"]


def test_all_names_of_an_instance_are_told() -> None:
    expected = after_stage(PLAN, 1, "east", INVENTORY, [], BEFORE)
    first, last = gate_expectation.read(expected).instances[0], gate_expectation.read(expected).instances[-1]
    assert first.names == {"a1", "uuid-a1", "a1.example", "node-a1"}
    assert (last.names, last.version) == (frozenset({"n1"}), "16.5.18")


def test_the_version_of_the_cluster_is_expected_only_where_auth_moved() -> None:
    assert after_stage(PLAN, 1, "east", INVENTORY, [], BEFORE)["version"] == "16.5.18"
    laggards = after_stage(PLAN, 0, "east", INVENTORY, [], BEFORE)
    assert "version" not in laggards
    assert laggards["instances"] == [{"host": "n1", "version": "15.5.4"}]


@pytest.mark.parametrize(("index", "cluster"), [(7, "east"), (1, "north")])
def test_nothing_is_expected_where_nothing_was_planned(index: int, cluster: str) -> None:
    assert after_stage(PLAN, index, cluster, INVENTORY, [], None) == {"instances": [], "proven": [], "before": {}}


def test_the_view_of_the_plan_is_that_of_the_auth_server_that_was_asked() -> None:
    instances = [
        {"host": "n1", "cluster": "east", "services": ["agent"]},
        {"host": "a1", "cluster": "east", "services": ["auth"]},
        {"host": "a2", "cluster": "east", "services": ["auth"]},
        {"host": "b1", "cluster": "west", "services": ["auth"]},
    ]
    hostvars = {"a1": {}, "a2": {"gate_asked": {"cluster_view": BEFORE}}, "b1": {"gate_asked": {"failed": True}}}
    assert view_of("east", instances, hostvars) == BEFORE
    assert view_of("west", instances, hostvars) is None
