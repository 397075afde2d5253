# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays of an upgrade, run as they are: what stops them, who is counted, what is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_cures
from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

HOP, TARGET = "16.5.18", "17.7.20"
AGENTS = ["n1", "n2", "n3", "n4", "n5"]


def fleet(*clients: str, **scripts: str) -> dict[str, dict[str, Any]]:
    """One auth server with a proxy, five agents, and client tools; *scripts* say what becomes of upgrades to HOP."""
    hosts = {"a1": host("a1", "auth", "proxy"), **{name: host(name) for name in AGENTS}}
    hosts.update({name: host(name, "client") for name in clients})
    for name, fate in scripts.items():
        hosts[name]["script"] = {f"instance_upgrade {HOP}": fate}
    return hosts


def run(folder: Path, hosts: dict[str, dict[str, Any]], *arguments: str, budget: int = 0, **extra: Any) -> Outcome:
    pins = {"16": HOP}
    return play(folder, hosts, *arguments, teleport_max_failed_agents=budget, teleport_hop_versions=pins, **extra)


pytestmark = pytest.mark.slow


def test_failures_of_all_batches_count_and_stop_the_run_before_its_gate(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(n1="fail", n3="fail", n4="lose"), budget=2)
    assert outcome.status != 0
    assert "3 of 5 agents failed, 2 may" in outcome.text
    assert "n1, n3, n4." in outcome.text
    assert outcome.upgraded(HOP) == ["a1", *AGENTS]
    assert len(outcome.gates()) == 1, "the gate of the primary, and none after the agents"
    assert outcome.report is not None
    assert (outcome.report["state"], outcome.report["failed"]) == ("stopped", ["n1", "n3", "n4"])
    after = {row["host"]: row["after"] for row in outcome.report["hosts"]}
    assert after == {"a1": HOP, "n1": "15.5.4", "n2": HOP, "n3": "15.5.4", "n4": "15.5.4", "n5": HOP}


def test_a_hop_is_refused_while_hosts_of_the_one_before_are_unfinished(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet("c1", "c2", n3="fail", n4="lose", c2="fail"), budget=2)
    assert outcome.status != 0
    assert "would be left more than one line behind: c2, n3, n4." in " ".join(outcome.text.split())
    assert outcome.upgraded(TARGET) == []
    gate = outcome.gates()[-1]
    assert [entry["host"] for entry in gate["instances"]] == ["a1", "n1", "n2", "n5"]


def test_hosts_left_behind_are_reported_and_fail_the_run(tmp_path: Path) -> None:
    hosts = fleet("c1", "c2", n3="fail", n4="lose", c1="lose")
    outcome = run(tmp_path, hosts, budget=2, teleport_target_version=HOP, teleport_batches=["100%"])
    assert outcome.status != 0
    assert outcome.report is not None
    assert outcome.report["failed"] == ["c1", "n3", "n4"]
    after = {row["host"]: row["after"] for row in outcome.report["hosts"]}
    assert (after["n3"], after["n4"], after["c1"], after["n5"], after["c2"]) == ("15.5.4", "15.5.4", "15.5.4", HOP, HOP)
    written = (tmp_path / "report.md").read_text()
    assert "Failed: c1, n3, n4." in written
    finish = f"ansible-playbook -i {tmp_path}/inventory.yml lockstep.teleport.upgrade -e teleport_target_version={HOP}"
    assert finish in written.splitlines()


def test_an_agent_that_did_not_answer_before_the_run_is_named_as_skipped(tmp_path: Path) -> None:
    hosts = fleet()
    hosts["n2"]["script"] = {"instance_info": "lose"}
    outcome = run(tmp_path, hosts, teleport_waivers=["unreachable", "version-unknown"], teleport_target_version=HOP)
    assert outcome.status == 0, outcome.text
    assert outcome.upgraded(HOP) == ["a1", "n1", "n3", "n4", "n5"]
    assert outcome.report is not None
    assert outcome.report["skipped"] == ["n2"]
    assert "Skipped: n2. They did not answer" in (tmp_path / "report.md").read_text()


def watched(outcome: Outcome, version: str) -> dict[str, int]:
    """For how long the agents have to stay ready."""
    calls = [call for call in outcome.calls if call["name"] == "instance_upgrade" and call["version"] == version]
    return {call["host"]: int(call["stable_for"]) for call in calls if call["host"] in AGENTS}


def test_the_first_agent_of_a_hop_is_watched_for_longer_and_stops_the_run_before_any_other(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(n1="fail"))
    assert outcome.status != 0
    assert watched(outcome, HOP) == {"n1": 30}
    assert outcome.report is not None
    assert (outcome.report["state"], outcome.report["failed"]) == ("stopped", ["n1"])


def test_when_the_budget_bears_its_failure_those_that_follow_are_watched_as_long(tmp_path: Path) -> None:
    bears = run(tmp_path, fleet(n1="fail"), budget=1, teleport_target_version=HOP)
    assert watched(bears, HOP) == dict.fromkeys(AGENTS, 30)


@pytest.mark.parametrize("configured", ["linear", "free"])
def test_two_hops_end_with_everyone_at_the_target_whatever_strategy_is_configured(
    tmp_path: Path, configured: str
) -> None:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nstrategy = {configured}\n", encoding="utf-8")
    outcome = run(tmp_path, fleet())
    assert outcome.status == 0, outcome.text
    upgrades = [(call["version"], call["host"]) for call in outcome.calls if call["name"] == "instance_upgrade"]
    assert [pair for pair in upgrades if pair[1] in ("a1", "n1")] == [
        (HOP, "a1"),
        (HOP, "n1"),
        (TARGET, "a1"),
        (TARGET, "n1"),
    ]
    assert {call["state"] for call in outcome.calls if call["name"] == "backend_backup"} == {"rehearse"}
    assert watched(outcome, HOP) == watched(outcome, TARGET) == {**dict.fromkeys(AGENTS, 5), "n1": 30}
    assert outcome.report is not None
    assert {row["after"] for row in outcome.report["hosts"]} == {TARGET}


def test_a_dry_run_takes_the_same_way_and_writes_the_plan_alone(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(), "--check")
    assert outcome.status == 0, outcome.text
    assert (outcome.upgraded(HOP), outcome.upgraded(TARGET)) == (["a1", *AGENTS], ["a1", *AGENTS])
    assert "# Planned: Teleport upgrade to 17.7.20" in outcome.text
    assert "The Auth Service would be stopped: main in 2 stages." in outcome.text
    assert outcome.report is None
    assert json.loads((tmp_path / "plan.json").read_text())["target_version"] == TARGET


def rolled(folder: Path, *arguments: str, fate: str = "") -> tuple[Outcome, list[tuple[str, str]]]:
    """Roll two auth servers to TARGET, with a backup that ends as *fate* says; returns the steps on them as well."""
    hosts = {name: host(name, "auth", version=HOP) for name in ("a1", "a2")}
    hosts["a1"]["script"] = {"backend_backup": fate}
    outcome = run(folder, hosts, *arguments, teleport_auth_strategy="rolling")
    steps = ("backend_backup", "instance_hold", "instance_upgrade")
    return outcome, [(call["name"], call["host"]) for call in outcome.calls if call["name"] in steps]


@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_a_group_that_is_rolled_through_is_backed_up_first_and_nobody_is_held(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    outcome, steps = rolled(tmp_path, *arguments)
    assert outcome.status == 0, outcome.text
    assert steps == [("backend_backup", "a1"), ("instance_upgrade", "a1"), ("instance_upgrade", "a2")]
    assert {call["state"] for call in outcome.calls if call["name"] == "backend_backup"} == {"present"}


@pytest.mark.parametrize("fate", ["fail", "lose"])
def test_a_group_is_not_rolled_through_without_its_backup(tmp_path: Path, fate: str) -> None:
    outcome, steps = rolled(tmp_path, fate=fate)
    assert outcome.status != 0
    assert steps == [("backend_backup", "a1")]
    assert outcome.report is not None
    assert outcome.report["state"] == "stopped"
    assert "a1" in outcome.report["reason"]


def test_a_leaf_takes_the_hop_of_its_root_and_its_auth_server_is_asked_once_it_runs(tmp_path: Path) -> None:
    hosts = {name: {**variables, "teleport_cluster": "main"} for name, variables in fleet(n3="fail").items()}
    stopped = host("b1", "auth", teleport_cluster="branch")
    stopped["seen"].update(state="stopped", running_version=None, interrupted=True)
    clusters = {"main": {}, "branch": {"root": "main"}}
    outcome = run(tmp_path, {**hosts, "b1": stopped}, budget=1, teleport_clusters=clusters)
    own = [(call["name"], call["version"]) for call in outcome.calls if call["host"] == "b1"]
    first, second = own.index(("instance_upgrade", "15.5.4")), own.index(("instance_upgrade", HOP))
    assert ("cluster_info", "") not in own[:first], "it was found stopped"
    assert own[second - 1] == ("cluster_info", "")
    assert outcome.upgraded(TARGET) == [], "the next hop is refused: n3 is unfinished"
    assert "would be left more than one line behind: n3." in " ".join(outcome.text.split())


def test_a_change_of_a_configuration_goes_to_its_host_with_the_hop_that_needs_it(tmp_path: Path) -> None:
    hosts = fleet()
    text = "teleport: {nodename: n2}\nauth_service: {assist: {}, enabled: yes}\n"
    edits = config_cures.chain(text, ["assist-removed"], "15.5.4", ["all"])
    hosts["a1"]["seen"].update(concerns=[{"rule": "assist-removed", "found": "auth_service"}], config_edits=edits)
    outcome = run(tmp_path, hosts)
    assert outcome.status == 0, outcome.text
    given = {
        (call["host"], call["version"]): call["config_edit"]
        for call in outcome.calls
        if call["name"] == "instance_upgrade"
    }
    (told,) = (edit for edit in given.values() if edit)
    assert given["a1", HOP] == told
    assert told["rules"] == ["assist-removed"]
    assert told["after"] == edits[0]["after"]
    assert given["n2", HOP] == {}
