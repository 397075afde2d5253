# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""However a run ends, its locks are let go and it is reported what every host runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

TARGET = "16.5.18"

pytestmark = pytest.mark.slow


def fleet(**scripts: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Two auth servers, a proxy and an agent; *scripts* say what becomes of each."""
    hosts = {
        "a1": host("a1", "auth"),
        "a2": host("a2", "auth"),
        "p1": host("p1", "proxy"),
        "n1": host("n1"),
    }
    for name, script in scripts.items():
        hosts[name]["script"] = script
    return hosts


def run(folder: Path, hosts: dict[str, dict[str, Any]], *arguments: str, **extra: Any) -> Outcome:
    return play(folder, hosts, *arguments, **{"teleport_target_version": TARGET, **extra})


def released(outcome: Outcome) -> list[str]:
    """The hosts whose locks were let go, sorted."""
    calls = [call for call in outcome.calls if call["name"] == "cluster_lock" and call["state"] == "absent"]
    return sorted(call["host"] for call in calls)


def evidence(folder: Path) -> dict[str, Any]:
    """The files of the only folder of evidence."""
    (only,) = (folder / "teleport-evidence").iterdir()
    return {str(path.relative_to(only)): json.loads(path.read_text()) for path in only.rglob("*.json")}


@pytest.mark.parametrize(
    ("scripts", "upgraded"),
    [
        ({"a1": {"cluster_gate": "fail"}}, ["a1"]),
        ({"a1": {"backend_backup": "lose"}, "a2": {"instance_hold": "lose"}}, []),
        ({"p1": {"instance_upgrade": "fail"}}, ["a1", "a2", "p1"]),
    ],
)
def test_a_stop_is_reported_and_lets_the_locks_go(
    tmp_path: Path, scripts: dict[str, dict[str, str]], upgraded: list[str]
) -> None:
    outcome = run(tmp_path, fleet(**scripts))
    assert outcome.status != 0
    assert outcome.upgraded(TARGET) == upgraded
    assert outcome.report is not None, outcome.text
    assert outcome.report["state"] == "stopped"
    for name in scripts:
        assert name in outcome.report["reason"]
        assert name in outcome.report["failed"]
        assert f"hosts/{name}.json" in evidence(tmp_path)
    lost = {name for name, script in scripts.items() if "lose" in script.values()}
    assert released(outcome) == sorted({"a1", "a2"} - lost)
    assert "teleport-evidence" in outcome.text.split("Stopped:")[-1]


def look(pid: int, restarts: int = 0) -> dict[str, Any]:
    """What a look at an upgraded server shows."""
    unit = {"name": "teleport.service", "main_pid": pid, "n_restarts": restarts}
    return {"version": TARGET, "running_version": TARGET, "unit": unit}


DIED = "process 70, which was proven at 16.5.18, has died since; systemd has restarted it 1 times"
LOST = "does not answer any more since it was upgraded"


@pytest.mark.parametrize(
    ("host_name", "looks", "says", "upgraded"),
    [
        ("a1", [{}, look(71, 1)], DIED, ["a1", "a2"]),
        ("a2", [{}, look(70), "lose"], LOST, ["a1", "a2", "n1", "p1"]),
        ("p1", [{}, "lose"], LOST, ["a1", "a2", "n1", "n2", "p1"]),
    ],
    ids=["while the group grows", "while the first agent is watched", "before the next hop"],
)
def test_a_server_that_is_lost_after_its_upgrade_was_judged_stops_the_run(
    tmp_path: Path, host_name: str, looks: list[Any], says: str, upgraded: list[str]
) -> None:
    hosts = {**fleet(), "n2": host("n2")}
    for name in ("a1", "a2", "p1"):
        hosts[name].update(proves=70, looks=looks if name == host_name else [{}, look(70)])
    outcome = run(tmp_path, hosts, teleport_target_version="17.7.20", teleport_hop_versions={"16": TARGET})
    assert outcome.status != 0
    assert (outcome.upgraded(TARGET), outcome.upgraded("17.7.20")) == (upgraded, [])
    assert outcome.report is not None, outcome.text
    assert (outcome.report["state"], outcome.report["failed"]) == ("stopped", [host_name])
    assert outcome.report["reason"].startswith(f"{host_name}: ")
    assert says in outcome.report["reason"]
    assert f"hosts/{host_name}.json" in evidence(tmp_path)


def test_a_stop_in_a_stage_without_auth_keeps_what_the_auth_server_said_too(tmp_path: Path) -> None:
    hosts = {name: host(name, service, version=TARGET) for name, service in (("a1", "auth"), ("p1", "proxy"))}
    hosts["n1"] = host("n1", script={"instance_upgrade": "fail"})
    outcome = run(tmp_path, hosts)
    assert outcome.status != 0
    assert released(outcome) == ["a1"]
    assert {"hosts/a1.json", "hosts/n1.json"} <= set(evidence(tmp_path))


def test_a_cluster_that_is_locked_is_left_alone(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(a2={"cluster_lock present": "fail"}))
    assert outcome.status != 0
    assert outcome.upgraded(TARGET) == []
    assert released(outcome) == ["a1"], "what was taken before is let go"
    assert "Nothing has been changed" in outcome.text


def test_a_lock_that_is_lost_stops_the_run_before_its_next_stage(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(a2={"cluster_lock renewed": "fail"}))
    assert outcome.status != 0
    assert outcome.upgraded(TARGET) == []
    assert outcome.report is not None
    assert outcome.report["reason"].startswith("a2: ")


def test_a_pause_asked_for_meanwhile_lets_the_batch_end(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(p1={"instance_upgrade": "pause"}), teleport_pause_file=str(tmp_path / "wait"))
    assert outcome.status != 0
    assert outcome.upgraded(TARGET) == ["a1", "a2", "p1"]
    assert outcome.report is not None
    assert (outcome.report["state"], outcome.report["left"]) == ("paused", ["n1"])
    assert "continues from what it finds" in " ".join(outcome.text.split())
    assert released(outcome) == ["a1", "a2"]
    assert not (tmp_path / "teleport-evidence").exists()


def test_a_number_of_stages_is_as_far_as_the_run_goes(tmp_path: Path) -> None:
    goal = {"teleport_target_version": "17.7.20", "teleport_hop_versions": {"16": TARGET}}
    outcome = run(tmp_path, fleet(), teleport_pause_after_stages=1, **goal)
    assert outcome.status != 0
    assert (outcome.upgraded(TARGET), outcome.upgraded("17.7.20")) == (["a1", "a2", "n1", "p1"], [])
    assert outcome.report is not None
    assert outcome.report["state"] == "paused"
    assert {row["after"] for row in outcome.report["hosts"]} == {TARGET}


def test_a_dry_run_that_stops_writes_nothing(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(a1={"instance_upgrade": "fail"}), "--check")
    assert outcome.status != 0
    assert outcome.report is None
    assert not (tmp_path / "teleport-evidence").exists()
    assert "Stopped: a1" in outcome.text
