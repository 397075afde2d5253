# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hop as a workflow runs it: a playbook for each phase, each planning from what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

OLD, HOP, TARGET = "15.5.4", "16.5.18", "17.7.20"
SLICES = {"awx_workflow_job_id": 7}

pytestmark = pytest.mark.slow


def fleet(**versions: str) -> dict[str, dict[str, Any]]:
    """An auth server, a proxy and three agents; *versions* are those of hosts that have moved already."""
    services = {"a1": ["auth"], "p1": ["proxy"], "n1": [], "n2": [], "n3": []}
    return {name: host(name, *kind, version=versions.get(name, OLD)) for name, kind in services.items()}


def approved(**work: list[str]) -> dict[str, Any]:
    """What the plan handed on for the hop to HOP."""
    listed = {phase: {HOP: work.get(phase, [])} for phase in ("auth", "proxies", "agents", "leaves")}
    return {"digest": "0" * 64, "target_version": TARGET, "to": HOP, "hops": 2, "work": listed, "servers": {}}


def run(folder: Path, phase: str, hosts: dict[str, dict[str, Any]], *arguments: str, **extra: Any) -> Outcome:
    return play(folder, hosts, *arguments, name=f"upgrade_{phase}", teleport_hop_versions={"16": HOP}, **extra)


@pytest.mark.parametrize(
    ("phase", "moved", "upgraded"),
    [("auth", [], ["a1"]), ("agents", ["a1", "p1", "n2"], ["n1", "n3"])],
)
def test_a_phase_does_what_is_left_of_its_part_of_one_hop(
    tmp_path: Path, phase: str, moved: list[str], upgraded: list[str]
) -> None:
    told = approved(auth=["a1"], proxies=["p1"], agents=["n1", "n2", "n3"])
    outcome = run(tmp_path, phase, fleet(**dict.fromkeys(moved, HOP)), teleport_approved_hop=told)
    assert outcome.status == 0, outcome.text
    assert (outcome.upgraded(HOP), outcome.upgraded(TARGET)) == (upgraded, [])
    assert outcome.gates()


@pytest.mark.parametrize(
    ("phase", "extra", "told"),
    [
        ("agents", {}, "on the way to 16.5.18, p1 come first. Run lockstep.teleport.upgrade_proxies."),
        ("proxies", {"teleport_approved_hop": approved(auth=["a1"])}, "more than was approved"),
    ],
)
def test_out_of_order_or_unapproved_nothing_is_done(
    tmp_path: Path, phase: str, extra: dict[str, Any], told: str
) -> None:
    outcome = run(tmp_path, phase, fleet(a1=HOP), **extra)
    assert outcome.status != 0
    assert told in " ".join(outcome.text.split())
    assert [call["name"] for call in outcome.calls if call["name"].startswith(("instance_up", "cluster_lock"))] == []


def one_slice(*hosts: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The share of a slice, and what was handed on: how the servers are reached, whom the slice does not have."""
    everyone = fleet(a1=HOP, p1=HOP)
    told = approved(agents=["n1", "n2", "n3"])
    told["servers"] = {name: {"ansible_host": f"{name}.example.com"} for name in ("a1", "p1")}
    view = {"cluster": "main", "version": HOP, "rotation_in_progress": False, "instances": []}
    answers = {name: {"seen": everyone[name]["seen"], "view": view} for name in ("a1", "p1")}
    return {name: everyone[name] for name in hosts}, {"teleport_approved_hop": told, "stand_in_hosts": answers}


def test_a_slice_has_no_servers_and_asks_them_all_the_same(tmp_path: Path) -> None:
    hosts, extra = one_slice("n2")
    outcome = run(tmp_path, "agents", hosts, **extra, **SLICES)
    assert outcome.status == 0, outcome.text
    assert outcome.upgraded(HOP) == ["n2"]
    asked = {call["name"]: call for call in outcome.calls if call["host"] == "a1"}
    assert {"instance_info", "cluster_info", "cluster_lock", "cluster_gate"} <= set(asked)
    locks = [call["share"] for call in outcome.calls if call["name"] == "cluster_lock" and call["state"] == "present"]
    assert locks == ["AWX workflow job 7"]


def test_a_slice_is_refused_what_has_an_order_over_all_hosts(tmp_path: Path) -> None:
    hosts, extra = one_slice("n2")
    extra["teleport_approved_hop"]["work"]["auth"] = {HOP: ["a1"]}
    outcome = run(tmp_path, "auth", hosts, **extra, **SLICES)
    assert outcome.status != 0
    assert "set the job slicing of this template to 1" in " ".join(outcome.text.split())


def limited(*servers: str) -> dict[str, Any]:
    """What the plan handed on when these servers were found."""
    told = approved(agents=["n1", "n2", "n3"])
    return {"teleport_approved_hop": {**told, "servers": {name: {} for name in servers}}}


def test_agents_alone_are_upgraded_under_a_limit_with_the_servers_locked_and_asked(tmp_path: Path) -> None:
    hosts = fleet(a1=HOP, p1=HOP)
    outcome = run(tmp_path, "agents", hosts, "--limit", "n2,n3", **limited("a1", "p1"))
    assert outcome.status == 0, outcome.text
    assert outcome.upgraded(HOP) == ["n2", "n3"]
    calls = [
        (call["name"], call["state"])
        for call in outcome.calls
        if call["host"] == "a1" and call["name"].startswith(("cluster", "instance_up"))
    ]
    assert calls == [
        ("cluster_info", "present"),
        ("cluster_lock", "present"),
        ("cluster_gate", "present"),
        ("cluster_lock", "absent"),
    ]
    (gate,) = outcome.gates()
    assert [(entry["host"], entry["version"]) for entry in gate["instances"]] == [("n2", HOP), ("n3", HOP)]
    assert outcome.report is not None
    assert outcome.report["state"] == "completed"


def test_under_a_limit_agents_wait_for_their_servers_all_the_same(tmp_path: Path) -> None:
    outcome = run(tmp_path, "agents", fleet(a1=HOP), "--limit", "n2", **limited("a1", "p1"))
    assert outcome.status != 0
    assert "p1 come first. Run lockstep.teleport.upgrade_proxies." in " ".join(outcome.text.split())
    assert [call["name"] for call in outcome.calls if call["name"].startswith(("instance_up", "cluster_lock"))] == []


def test_an_agent_that_fails_under_a_limit_ends_the_run_with_locks_let_go_and_a_report(tmp_path: Path) -> None:
    hosts = fleet(a1=HOP, p1=HOP)
    hosts["n2"]["script"] = {"instance_upgrade": "fail"}
    outcome = run(tmp_path, "agents", hosts, "--limit", "n2", **limited("a1", "p1"))
    assert outcome.status != 0
    assert [call["state"] for call in outcome.calls if call["name"] == "cluster_lock"] == ["present", "absent"]
    assert outcome.report is not None
    assert "1 of 1 agents failed" in outcome.report["reason"]
