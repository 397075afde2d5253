# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of real hosts that is there for one benchmark alone."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

_FAILURE_RE = re.compile(r"fatal: |FAILED!|UNREACHABLE!|\[ERROR\]")
PROGRAM = Path(__file__).parents[2] / "lab" / "lab.py"


class Cost(NamedTuple):
    """What a command took: seconds of the clock, and of this machine's processors without what hosts took of them."""

    seconds: float
    processor: float


class Lab:
    """The hosts of *topology*; all files lie in *folder*. *environment* is added to that of every command."""

    def __init__(self, name: str, folder: Path, topology: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._topology = topology
        state = folder / "lab"
        self.environment = {
            **os.environ,
            "LAB_NAME": name,
            "LAB_STATE": str(state),
            "ANSIBLE_CONFIG": str(state / "ansible.cfg"),
            **environment,
        }

    def up(self) -> None:
        """Boot the hosts."""
        path = self.folder / "topology.json"
        path.write_text(json.dumps(self._topology), encoding="utf-8")
        self.lab("up", str(path))

    def down(self) -> None:
        """Remove the hosts, however far they came."""
        command = [sys.executable, str(PROGRAM), "down"]
        subprocess.run(command, env=self.environment, check=False, capture_output=True)

    def lab(self, *arguments: str) -> str:
        """Let the lab do something; returns what it prints."""
        return self.output(sys.executable, str(PROGRAM), *arguments)

    def on_host(self, host: str, *command: str) -> str:
        """Run a command on a host; returns what it prints."""
        return self.lab("exec", host, "--", *command)

    def upgrade(self, version: str, **variables: Any) -> Cost:
        """Upgrade all hosts to *version*; returns what it took. Plan and report are files in the folder."""
        files = {"teleport_plan_file": f"{self.folder}/plan.json", "teleport_report_file": f"{self.folder}/report.json"}
        given = {"teleport_target_version": version, **files, **variables}
        return self.cost("ansible-playbook", "lockstep.teleport.upgrade", "-e", json.dumps(given))

    def report(self) -> dict[str, Any]:
        """Return the report of the last upgrade."""
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return found

    def cost(self, *command: str) -> Cost:
        """Run a command; returns what it took. Raises as :meth:`output`."""
        began, used = time.monotonic(), _used()
        self.output(*command)
        return Cost(time.monotonic() - began, _used() - used)

    def output(self, *command: str) -> str:
        """Return what a command prints. Raises CalledProcessError when it fails, and prints why, and how it ended."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            text = done.stdout + done.stderr
            # The recap of a large fleet alone is longer than anybody reads.
            said = [line[:2000] for line in text.splitlines() if _FAILURE_RE.search(line)]
            print("\n".join(said[:20]), text[-3000:], sep="\n", file=sys.stderr)
            done.check_returncode()
        return done.stdout


def _used() -> float:
    # Of processes that were waited for, as Ansible does for its own. Those of the hosts are children of somebody else.
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


@contextmanager
def scratch(name: str, topology: Mapping[str, Any], **environment: str) -> Iterator[Lab]:
    """Give a lab whose hosts are removed at the end, also when somebody stops the benchmark; boot it with ``up``."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(name, Path(folder), topology, environment)
        try:
            yield lab
        finally:
            # Whoever stops a benchmark often does so twice: timeout signals its whole group.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            lab.down()
