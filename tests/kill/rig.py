# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small lab, runs of the upgrade against it, and the ways to die."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LAB = HERE.parent / "lab"
TOPOLOGY = HERE / "topology.json"
BEFORE = "16.5.12"
TARGET = "17.7.20"
HOSTS = ("auth1", "auth2", "proxy1", "agent1")
_VARIABLES = {
    "teleport_target_version": TARGET,
    "teleport_stable_for": 1,
    "teleport_canary_stable_for": 1,
    "teleport_reconnect_timeout": 20,
}
_TRIPWIRE = "/usr/lib/python3/dist-packages/lockstep_tripwire"
_WHERE = (
    "ls /etc/systemd/system/teleport.service.d/lockstep-hold.conf 2>/dev/null | sed s,.*/,,; "
    r"sed -n 's/.*\"phase\": \"\(.*\)\".*/journal says \1/p' /opt/teleport-versions/.transaction.json 2>/dev/null; "
    "readlink /opt/teleport-versions/current; systemctl is-active teleport; true"
)


class Rig:
    """One lab, named so that several can be up at once.

    :param folder: receives the logs of all runs.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._state = Path(os.environ["LOCKSTEP_CACHE"]) / "labs" / name

    def lab(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        """Run ``lab.py``; return what it printed."""
        done = subprocess.run(
            [sys.executable, str(LAB / "lab.py"), *arguments],
            input=stdin,
            env={**os.environ, "LAB_NAME": self.name},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"lab.py {' '.join(arguments)}: {done.stdout[-500:]}{done.stderr[-1500:]}")
        return done.stdout

    def up(self) -> None:
        """Boot the hosts and put the tripwire on them."""
        self.lab("up", str(TOPOLOGY), "--version", BEFORE)
        source = (HERE / "onhost" / "lockstep_tripwire.py").read_text(encoding="utf-8")
        for host in HOSTS:
            self.shell(host, f"cat > {_TRIPWIRE}.py; echo import lockstep_tripwire > {_TRIPWIRE}.pth", source)

    def down(self) -> None:
        """Remove the lab."""
        self.lab("down", check=False)

    def shell(self, host: str, script: str, stdin: str = "") -> str:
        """Run a script on a host, past its network."""
        return self.lab("exec", host, "--", "sh", "-c", script, stdin=stdin).strip()

    # -- the tripwire

    def arm(self, host: str, point: str, mode: str) -> None:
        """Let the module that comes to a point stop there: ``die`` or ``freeze``."""
        self.disarm()
        text = shlex.quote(json.dumps({"point": point, "mode": mode}))
        self.shell(host, f"printf %s {text} > /run/tripwire.json")

    def disarm(self) -> None:
        """Forget points, and what was recorded of them, on all hosts."""
        for host in HOSTS:
            self.shell(host, "rm -f /run/tripwire.*")

    def points(self, host: str) -> list[str]:
        """All points that modules came to on a host, in their order."""
        return self.shell(host, "cat /run/tripwire.log 2>/dev/null; true").splitlines()

    def wait_for_hit(self, host: str, run: subprocess.Popen[bytes]) -> int:
        """Wait until a module stopped at the armed point; return its number on the host, 0 when none came there."""
        hit = self._root(host) / "run/tripwire.hit"
        while not hit.exists():
            if run.poll() is not None:
                return 0
            time.sleep(0.1)
        return int(hit.read_text(encoding="ascii"))

    def _root(self, host: str) -> Path:
        inspect = ["podman", "inspect", "--format", "{{.State.Pid}}", f"lockstep-{self.name}-{host}"]
        return Path("/proc") / subprocess.check_output(inspect, text=True).strip() / "root"

    # -- runs

    def start(self, log: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start the upgrade as a user would; its output goes to ``<log>.log``."""
        plan, report = (self.folder / f"{log}-{what}.json" for what in ("plan", "report"))
        variables = {**_VARIABLES, "teleport_plan_file": str(plan), "teleport_report_file": str(report)}
        own = {
            "ANSIBLE_CONFIG": str(self._state / "ansible.cfg"),
            "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}",
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "kill_at_task",
            "ANSIBLE_NOCOLOR": "1",
            **environment,
        }
        with (self.folder / f"{log}.log").open("wb") as output:
            return subprocess.Popen(
                ["ansible-playbook", "lockstep.teleport.upgrade", "-e", json.dumps(variables)],
                env={**os.environ, **own},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill_connections(self) -> None:
        """Kill the ssh processes that outlive their ansible-playbook, as the controller's end would."""
        marks = (f"lockstep-{self.name}-ssh", f"labs/{self.name}/")
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _is_ssh(entry, marks):
                os.kill(int(entry.name), signal.SIGKILL)

    def state(self, host: str) -> str:
        """What a host looks like: hold, journal, the current version, the unit."""
        return ", ".join(self.shell(host, _WHERE).splitlines())

    def judge(self, migration_failed: bool = False) -> list[str]:
        """What is wrong after all: versions, holds, journals, records, broken rules."""
        made = ["--migration-failed"] if migration_failed else []
        done = subprocess.run(
            [sys.executable, str(LAB / "judge.py"), "--version", TARGET, *made],
            env={**os.environ, "LAB_NAME": self.name},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr.splitlines() if done.returncode else []


def _is_ssh(process: Path, marks: Sequence[str]) -> bool:
    try:
        line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return False
    return line.startswith("ssh") and any(mark in line for mark in marks)


def read_lines(path: Path) -> list[Any]:
    """The JSON values of a file, one per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
