# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks as AWX does: the real ansible-runner, a private data directory for each job, what jobs hand on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ansible_collections.lockstep.teleport.tests.flow import flow
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

#: Actions that would need backups on real hosts.
OTHERS = ("backup_info", "backend_drill", "backend_follow")
RUNNER = str(Path(sys.executable).with_name("ansible-runner"))


class Job(NamedTuple):
    """How a job ended.

    :param artifacts: what it handed on with ``set_stats``, as AWX reads it from the events.
    :param failed: hosts of its inventory that AWX would limit a relaunch on failed hosts to.
    :param calls: the calls of stand-ins, see ``flow.Outcome``.
    """

    status: int
    text: str
    artifacts: dict[str, Any]
    failed: list[str]
    calls: list[dict[str, Any]]

    def upgraded(self) -> list[str]:
        """Hosts whose upgrade was begun."""
        return sorted(call["host"] for call in self.calls if call["name"] == "instance_upgrade" and not call["check"])


class Controller:
    """The project, the inventory, and one job after the other."""

    def __init__(self, folder: Path, hosts: dict[str, dict[str, Any]]) -> None:
        self.folder = folder
        self.hosts = hosts
        self._jobs = 0
        project = folder / "project"
        project.mkdir()
        (project / "playbooks").symlink_to(ROOT / "playbooks")
        flow.lay_out(project / "collections" / "ansible_collections" / "lockstep" / "teleport", *OTHERS)

    def launch(
        self, playbook: str, extra: dict[str, Any], only: list[str] | None = None, *options: str, split: bool = False
    ) -> Job:
        """Run a playbook of the project; *only* are the hosts that a slice sees.

        With *split* the job is packed, worked on and unpacked by three processes, as over a mesh of nodes.
        """
        self._jobs += 1
        own = self.folder / f"job_{self._jobs}"
        shown = {name: host for name, host in self.hosts.items() if only is None or name in only}
        variables = {
            "awx_job_id": self._jobs,
            "teleport_plan_file": str(own / "plan.json"),
            "teleport_report_file": str(own / "report.json"),
            "teleport_rollback_plan_file": str(own / "back.json"),
            **extra,
        }
        self._write(own, shown, variables)
        command = [RUNNER, "run", str(own), *self._arguments(playbook, options)]
        done = self._split(own, playbook, options) if split else self._run(command)
        stats = _stats(own)
        failed = sorted(set(shown) & {*stats.get("failures", {}), *stats.get("dark", {})})
        handed = stats.get("artifact_data") or {}
        return Job(done.returncode, done.stdout + done.stderr, handed, failed, _calls(own))

    def _write(self, own: Path, hosts: dict[str, Any], variables: dict[str, Any]) -> None:
        for name in ("inventory", "env"):
            (own / name).mkdir(parents=True)
        (own / "project").symlink_to(self.folder / "project")
        (own / "inventory" / "hosts.yml").write_text(yaml.safe_dump({"teleport": {"hosts": hosts}}))
        (own / "env" / "extravars").write_text(json.dumps(variables))
        (own / "env" / "settings").write_text(json.dumps({"idle_timeout": 300, "job_timeout": 300}))
        environment = {
            "HOME": str(own),
            "FLOW_LOG": str(own / "calls"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "project" / "collections"),
            "ANSIBLE_NOCOLOR": "1",
        }
        (own / "env" / "envvars").write_text(json.dumps(environment))

    @staticmethod
    def _arguments(playbook: str, options: tuple[str, ...]) -> list[str]:
        cmdline = [f"--cmdline={' '.join(options)}"] if options else []
        return ["--playbook", f"playbooks/{playbook}.yml", "--ident", "job", *cmdline]

    def _split(self, own: Path, playbook: str, options: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        worker = self.folder / f"worker_{self._jobs}"
        worker.mkdir()
        packed, worked = own.with_suffix(".packed"), own.with_suffix(".worked")
        with packed.open("wb") as out:
            subprocess.run([RUNNER, "transmit", str(own), *self._arguments(playbook, options)], stdout=out, check=True)
        with packed.open("rb") as given, worked.open("wb") as out:
            subprocess.run([RUNNER, "worker", "--private-data-dir", str(worker)], stdin=given, stdout=out, check=False)
        with worked.open("rb") as given:
            return self._run([RUNNER, "process", str(own)], given)

    @staticmethod
    def _run(command: list[str], given: Any = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHONPATH"))}
        path = f"{Path(sys.executable).parent}:{kept['PATH']}"
        return subprocess.run(
            command, env={**kept, "PATH": path}, stdin=given, capture_output=True, text=True, check=False, timeout=300
        )


def _stats(own: Path) -> dict[str, Any]:
    # What was worked on elsewhere is unpacked without the folder of its name.
    for path in (own / "artifacts").rglob("job_events/*.json"):
        event = json.loads(path.read_text())
        if event["event"] == "playbook_on_stats":
            found: dict[str, Any] = event["event_data"]
            return found
    return {}


def _calls(own: Path) -> list[dict[str, Any]]:
    log = own / "calls"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
