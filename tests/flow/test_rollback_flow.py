# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plays of a rollback, run as they are: the order, what stops them, what is refused, what a dry run does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow import flow
from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host

OLD, NEW = "15.5.4", "16.5.18"
NAME = f"20260301T100000Z-{OLD}"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _more_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "STAND_INS", (*flow.STAND_INS, "backup_info", "backend_restore", "cluster_lock"))


def backup() -> dict[str, Any]:
    facts = {
        "name": NAME,
        "path": f"/backups/main/{NAME}",
        "cluster": "main",
        "version": OLD,
        "edition": "community",
        "created": "2026-03-01T10:00:00Z",
        "digest": "d",
        "restored": None,
    }
    return {"backups": [facts], "chosen": {**facts, "problems": []}}


def fleet(**scripts: dict[str, str]) -> dict[str, dict[str, Any]]:
    hosts = {
        "a1": host("a1", "auth", version=NEW, answers={"backup_info": backup()}),
        "a2": host("a2", "auth", version=NEW, answers={"backup_info": {"backups": [], "chosen": None}}),
        "p1": host("p1", "proxy", version=NEW),
        "n1": host("n1", version=NEW),
        "n2": host("n2", version=NEW),
        "t1": host("t1", "client", version=NEW),
    }
    for name, script in scripts.items():
        hosts[name]["script"] = script
    return hosts


def run(folder: Path, hosts: dict[str, dict[str, Any]], *arguments: str, **extra: Any) -> Outcome:
    files = {
        "teleport_rollback_plan_file": str(folder / "back.json"),
        "teleport_rollback_report_file": str(folder / "report.json"),
    }
    given = {"teleport_rollback_acknowledge": NAME, **files, **extra}
    return flow.play(folder, hosts, *arguments, name="rollback", **given)


def changes(outcome: Outcome) -> list[tuple[str, str]]:
    """What was done to hosts, in order; a rehearsal and what only looks are left out."""
    names = ("instance_upgrade", "instance_hold", "backend_restore", "cluster_gate")
    return [(call["name"], call["host"]) for call in outcome.calls if call["name"] in names and not call["check"]]


def test_everything_goes_back_in_order_with_one_restore(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet())
    assert outcome.status == 0, outcome.text
    done = changes(outcome)
    assert done[:4] == [("instance_upgrade", name) for name in ("t1", "n1", "n2", "p1")]
    assert sorted(done[4:6]) == [("instance_hold", "a1"), ("instance_hold", "a2")]
    assert done[6:] == [
        ("backend_restore", "a1"),
        ("instance_upgrade", "a1"),
        ("cluster_gate", "a1"),
        ("instance_upgrade", "a2"),
        ("cluster_gate", "a1"),
    ]
    assert outcome.report is not None
    assert {row["host"]: row["outcome"] for row in outcome.report["hosts"]} == dict.fromkeys(fleet(), "done")
    assert outcome.report["restored"]["backup"] == f"/backups/main/{NAME}"


def test_without_a_word_nothing_is_touched_and_the_plan_says_what_to_type(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(), teleport_rollback_acknowledge="")
    assert outcome.status != 0
    assert f"teleport_rollback_acknowledge={NAME}" in outcome.text
    assert changes(outcome) == []
    plan = json.loads((tmp_path / "back.json").read_text())
    assert [item["code"] for item in plan["findings"]] == ["rollback-unacknowledged"]
    assert "Refused" in (tmp_path / "back.md").read_text()


def test_hosts_that_cannot_go_back_refuse_together_before_anything(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(n1={f"instance_upgrade {OLD}": "fail"}, p1={f"instance_upgrade {OLD}": "lose"}))
    assert outcome.status != 0
    plan = json.loads((tmp_path / "back.json").read_text())
    assert [(item["code"], item["host"]) for item in plan["findings"] if item["severity"] == "blocker"] == [
        ("rollback-host-refuses", "n1"),
        ("rollback-host-refuses", "p1"),
    ]
    assert changes(outcome) == []


def test_agents_that_fail_stop_the_run_before_auth_with_a_report_and_evidence(tmp_path: Path) -> None:
    hosts = fleet(n1={"instance_upgrade done": "fail"})
    outcome = run(tmp_path, hosts, teleport_batches=[1], teleport_evidence_dir="kept")
    assert outcome.status != 0
    assert changes(outcome) == [("instance_upgrade", "t1"), ("instance_upgrade", "n1")]
    assert "Auth has not been touched" in " ".join(outcome.text.split())
    assert outcome.report is not None
    assert {row["host"]: row["outcome"] for row in outcome.report["hosts"]} == {
        "t1": "done", "n1": "failed", "n2": "left", "p1": "left", "a1": "left", "a2": "left"
    }  # fmt: skip
    assert "n1 could not be taken back" in outcome.report["reason"]
    [folder] = (tmp_path / "kept").iterdir()
    kept = json.loads((folder / "hosts" / "n1.json").read_text())
    assert (kept["versions"]["before"], kept["results"]["rollback_upgrade"]["msg"]) == (NEW, "fail")
    assert [call["state"] for call in outcome.calls if call["name"] == "cluster_lock"][-1] == "absent"


def test_a_run_within_the_budget_goes_on_and_names_who_is_left(tmp_path: Path) -> None:
    hosts = fleet(n1={"instance_upgrade done": "fail"})
    outcome = run(tmp_path, hosts, teleport_max_failed_agents=1)
    assert outcome.status != 0
    assert changes(outcome)[-1] == ("cluster_gate", "a1")
    assert "Not taken back: n1" in " ".join(outcome.text.split())
    assert outcome.report is not None
    assert outcome.report["reason"] is None


def test_a_dry_run_prints_every_step_and_changes_nothing(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(), "--check")
    assert outcome.status == 0, outcome.text
    assert changes(outcome) == []
    for words in ("Stop all auth servers", "What is lost", f"{NAME}, and compare", "would be put back"):
        assert words in outcome.text
    assert "backend_restore" not in [call["name"] for call in outcome.calls]


def test_when_not_all_can_be_stopped_nothing_is_restored(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(a2={"instance_hold": "fail"}))
    assert outcome.status != 0
    assert ("backend_restore", "a1") not in changes(outcome)
    assert "Not taken back: a2" in " ".join(outcome.text.split())


def test_an_auth_server_that_is_lost_meanwhile_keeps_the_others_down(tmp_path: Path) -> None:
    outcome = run(tmp_path, fleet(a1={"backend_restore": "lose"}))
    assert outcome.status != 0
    assert ("instance_upgrade", "a2") not in changes(outcome)


def test_what_is_done_needs_nothing(tmp_path: Path) -> None:
    hosts = fleet()
    for variables in hosts.values():
        for key in ("version", "running_version", "installed_version"):
            variables["seen"][key] = OLD
    outcome = run(tmp_path, hosts)
    assert outcome.status == 0, outcome.text
    assert changes(outcome) == []
    assert "Nothing is to be done" in outcome.text
