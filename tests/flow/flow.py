# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's own playbooks and roles, with a stand-in for each action that would touch a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

STAND_INS = (
    "instance_info",
    "instance_upgrade",
    "instance_hold",
    "backend_backup",
    "cluster_info",
    "cluster_gate",
    "cluster_lock",
    "instance_evidence",
    "instance_mark",
)


class Outcome(NamedTuple):
    """How a run ended.

    :param calls: ``name``, ``version``, ``host`` and ``expect`` of every call of a stand-in, in order.
    :param report: the JSON report; None when none was written.
    """

    status: int
    text: str
    calls: list[dict[str, Any]]
    report: dict[str, Any] | None

    def upgraded(self, version: str) -> list[str]:
        """Hosts whose upgrade to a version was begun, sorted."""
        return sorted(
            call["host"] for call in self.calls if call["name"] == "instance_upgrade" and call["version"] == version
        )

    def gates(self) -> list[dict[str, Any]]:
        """What each gate expected, in order."""
        return [call["expect"] for call in self.calls if call["name"] == "cluster_gate"]


def instance(host: str, *services: str, version: str = "15.5.4", cluster: str | None = None) -> dict[str, Any]:
    """What ``instance_info`` returns, as far as plays look at it."""
    return {
        "host": host,
        "cluster": cluster,
        "services": list(services) or ["agent"],
        "version": version,
        "running_version": version,
        "installed_version": version,
        "edition": "community",
        "state": "running",
        "interrupted": False,
        "unfinished": False,
        "held": False,
        "unit": {"name": "teleport.service"},
        "ready": None,
        "host_uuid": f"uuid-{host}",
        "hostname": host,
        "bin_dir": "/usr/local/bin",
        "versions_dir": "/opt/teleport-versions",
        "config": {"nodename": host, "path": "/etc/teleport.yaml", "diag_addr": None},
        "findings": [],
    }


def host(name: str, *services: str, version: str = "15.5.4", **variables: Any) -> dict[str, Any]:
    """Variables of a host: what is observed there, and ``script`` for what happens to it."""
    return {"seen": instance(name, *services, version=version), **variables}


def play(
    folder: Path,
    hosts: dict[str, dict[str, Any]],
    *arguments: str,
    name: str = "upgrade",
    group: dict[str, Any] | None = None,
    **extra: Any,
) -> Outcome:
    """Run a playbook of the collection over an inventory of stand-ins; *group* has the variables of them all."""
    lay_out(folder / "collections" / "ansible_collections" / "lockstep" / "teleport")
    inventory, report, log = folder / "inventory.yml", folder / "report.json", folder / "calls"
    inventory.write_text(yaml.safe_dump({"teleport": {"hosts": hosts, "vars": group or {}}}))
    given = {
        "teleport_target_version": "17.7.20",
        "teleport_plan_file": str(folder / "plan.json"),
        "teleport_report_file": str(report),
        "teleport_batches": [1, "100%"],
        **extra,
    }
    program = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory)]
    done = subprocess.run(
        [*program, f"lockstep.teleport.{name}", "-e", json.dumps(given), *arguments],
        env=environment(folder, log),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    written = json.loads(report.read_text()) if report.exists() else None
    return Outcome(done.returncode, done.stdout + done.stderr, calls, written)


def environment(folder: Path, log: Path) -> dict[str, str]:
    """Return the environment of a program of Ansible that finds the collection of ``play`` and a home of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHONPATH"))}
    own = {"HOME": str(folder), "PWD": str(folder), "FLOW_LOG": str(log), "ANSIBLE_NOCOLOR": "1"}
    return {**kept, **own, "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"), "ANSIBLE_FORKS": "4"}


def lay_out(target: Path, *others: str) -> None:
    """Put the collection there as it is, but for the actions that a stand-in plays; *others* are more of them."""
    played = {*STAND_INS, *others}
    plugins = target / "plugins"
    (plugins / "action").mkdir(parents=True)
    for entry in (ROOT / "meta", ROOT / "roles", ROOT / "playbooks", ROOT / "galaxy.yml"):
        (target / entry.name).symlink_to(entry)
    for entry in (ROOT / "plugins").iterdir():
        if entry.is_dir() and entry.name != "action":
            (plugins / entry.name).symlink_to(entry)
    for entry in (ROOT / "plugins" / "action").glob("*.py"):
        stand_in = Path(__file__).with_name("stand_in.py")
        (plugins / "action" / entry.name).symlink_to(stand_in if entry.stem in played else entry)
    for name in played:
        file = plugins / "action" / f"{name}.py"
        if not file.is_symlink():
            file.symlink_to(Path(__file__).with_name("stand_in.py"))
