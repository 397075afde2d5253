# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of the workflow, one after the other, as AWX would run them; and each other playbook once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow.flow import host
from ansible_collections.lockstep.teleport.tests.runner.job import Controller, Job

OLD, HOP, TARGET = "15.5.4", "16.5.18", "17.7.20"
SURVEY = {"teleport_target_version": TARGET, "teleport_hop_versions": {"16": HOP}}


def fleet() -> dict[str, dict[str, Any]]:
    """A root cluster with two agents, and a leaf."""
    services = {"a1": ["auth"], "p1": ["proxy"], "n1": [], "n2": [], "b1": ["auth"], "m1": []}
    hosts = {name: host(name, *kind, version=OLD) for name, kind in services.items()}
    for name, variables in hosts.items():
        variables["teleport_cluster"] = "branch" if name in ("b1", "m1") else "main"
    drilled = {"path": "/backups/1", "manifest": {"created": "2026-03-01", "version": OLD}, "proven": ["it opens"]}
    for name in ("a1", "b1"):
        hosts[name]["answers"] = {"backend_drill": drilled}
    hosts["a1"] |= {"ansible_host": "192.0.2.1", "ansible_password": "hunter2"}
    return hosts


class Workflow:
    """Hands on what jobs hand on, and lets hosts run what jobs upgraded them to."""

    def __init__(self, folder: Path) -> None:
        self.controller = Controller(folder, fleet())
        self.handed = {
            **SURVEY,
            "teleport_clusters": {"main": {}, "branch": {"root": "main"}},
            "awx_workflow_job_id": 9,
        }

    def node(self, playbook: str, only: list[str] | None = None, *options: str, **how: Any) -> Job:
        job = self.controller.launch(playbook, self.handed, only, *options, **how)
        self.handed.update(job.artifacts)
        for name in job.upgraded():
            seen = self.controller.hosts[name]["seen"]
            seen.update(version=HOP, running_version=HOP, installed_version=HOP)
        return job


def test_a_workflow_takes_all_clusters_one_hop_on(tmp_path: Path) -> None:
    workflow = Workflow(tmp_path)
    plan = workflow.node("plan", None, "--check", split=True)
    assert plan.status == 0, plan.text
    assert plan.artifacts["teleport_plan_markdown"].startswith("# ")
    assert (plan.artifacts["teleport_approved_hop"]["to"], plan.upgraded()) == (HOP, [])
    assert "hunter2" not in str(plan.artifacts)

    early = workflow.node("upgrade_agents")
    assert early.status != 0
    assert "Run lockstep.teleport.upgrade_auth." in early.text

    assert workflow.node("upgrade_auth").upgraded() == ["a1"]
    assert workflow.node("upgrade_proxies").upgraded() == ["p1"]

    servers = {name: {"seen": workflow.controller.hosts[name]["seen"]} for name in ("a1", "p1", "b1")}
    workflow.handed["stand_in_hosts"] = servers
    assert workflow.node("upgrade_agents", ["n1", "m1"]).upgraded() == ["n1"]
    assert workflow.node("upgrade_agents", ["n2", "a1"]).upgraded() == ["n2"]
    del workflow.handed["stand_in_hosts"]

    sliced = workflow.node("upgrade_leaves", ["b1", "n1"])
    assert sliced.status != 0
    assert "set the job slicing of this template to 1" in " ".join(sliced.text.split())
    assert workflow.node("upgrade_leaves").upgraded() == ["b1", "m1"]

    verified = workflow.node("verify")
    assert verified.status == 0, verified.text
    summary = workflow.node("summary")
    assert summary.artifacts["teleport_report_markdown"].count(f"# Teleport upgrade to {HOP}") == 5


def test_a_relaunch_on_failed_hosts_upgrades_agents_and_is_refused_to_servers(tmp_path: Path) -> None:
    """Of a slice, so that the servers are known from what the plan handed on and from nothing else."""
    workflow = Workflow(tmp_path)
    workflow.node("plan", None, "--check")
    refused = workflow.node("upgrade_auth", None, "--limit", "a1")
    assert (refused.status, refused.upgraded()) == (2, [])
    assert "Run lockstep.teleport.upgrade_auth without --limit" in " ".join(refused.text.split())

    hosts = workflow.controller.hosts
    moved = {"version": HOP, "running_version": HOP, "installed_version": HOP}
    for name in ("a1", "p1"):
        hosts[name]["seen"].update(moved)
    workflow.handed["stand_in_hosts"] = {name: {"seen": hosts[name]["seen"]} for name in ("a1", "p1", "b1")}
    hosts["n2"]["script"] = {"instance_upgrade": "fail"}
    failed = workflow.controller.launch("upgrade_agents", workflow.handed, ["n1", "n2"])
    assert (failed.status, failed.failed, failed.upgraded()) == (2, ["n2"], ["n1", "n2"])

    hosts["n1"]["seen"].update(moved)
    del hosts["n2"]["script"]
    relaunched = workflow.node("upgrade_agents", ["n1", "n2"], "--limit", ",".join(failed.failed))
    assert (relaunched.status, relaunched.upgraded()) == (0, ["n2"]), relaunched.text
    assert f"# Teleport upgrade to {HOP}" in str(relaunched.artifacts)


@pytest.mark.parametrize(
    ("playbook", "extra", "status", "told"),
    [
        ("upgrade", {"teleport_target_version": HOP}, 0, "Teleport upgrade to 16.5.18"),
        ("backup", {}, 0, "Let the locks go"),
        ("break_lock", {}, 2, "teleport_lock_override=RUN_ID"),
        ("break_lock", {"teleport_lock_override": "1-ab"}, 0, "Let go of the lock of that run"),
        ("restore_drill", {}, 0, "it opens"),
        ("rollback", {"teleport_rollback_cluster": "main"}, 2, "rollback"),
    ],
)
def test_each_playbook_runs_as_a_job(
    tmp_path: Path, playbook: str, extra: dict[str, Any], status: int, told: str
) -> None:
    clusters = {"teleport_clusters": {"main": {}, "branch": {"root": "main"}}}
    job = Controller(tmp_path, fleet()).launch(playbook, {**clusters, **extra})
    assert job.status == status, job.text
    assert told in job.text
