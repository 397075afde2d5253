# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for tests: a real folder tree, a clock that only moves when somebody sleeps, and a model of systemd.

Programs are text files. Their first line says what they answer and how they behave as a service, for example
``Teleport v6.2.1 git: go1.16 | ready_after=2``. Behaviours: ``ready_after=S``, ``never_ready``, ``dies`` (each
start), ``dies_after=S``, ``degraded_at=S`` (not ready from then on), ``flaps=S`` (ready every other S seconds),
``wrong_machine``, ``reports=V`` (what a started process answers), ``rejects``.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.readiness import Readiness

START_LIMIT = 5
UNIT = "teleport.service"
GROUP = f"/system.slice/{UNIT}"


class Killed(BaseException):
    """The test ends the run here, as SIGKILL or a power cut would."""


def program(path: Path, version: str, behaviour: str = "", edition: str = "") -> Path:
    """Write a program that is *version*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"Teleport {edition + ' ' if edition else ''}v{version} git:v{version}-0-gabc go1.16 | {behaviour}\n"
    )
    path.chmod(0o755)
    return path


def traits(path: str) -> dict[str, str]:
    """Behaviours in a program file."""
    words = Path(path).read_text().splitlines()[0].partition("|")[2].split()
    return dict(word.partition("=")[::2] for word in words)


class FakeHost:
    """One host with one unit. Every command and event is in `log`, in order."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin_dir = root / "bin"
        self.versions_dir = root / "versions"
        self.units = root / "units"
        self.proc = root / "proc"
        for folder in (self.bin_dir, self.units, self.proc):
            folder.mkdir()
        self.now = 1000.0
        self.log: list[str] = []
        self.load_state = "loaded"
        self.unit_file_state = "enabled"
        self.exec_path = str(self.bin_dir / "teleport")
        self.active_state = "inactive"
        self.result = "success"
        self.pid = 0
        self.next_pid = 100
        self.restarts = 0
        self.started = 0.0
        self.stop_seconds = 0.0
        self.stopping_at: float | None = None
        self.ignores_kill = False
        self.leftovers: list[int] = []
        self.needs_reload = False
        self.loaded_hold = False
        self.has_readiness = True
        self.not_ready_until = 0.0
        self.packages: set[str] = set()
        self.hangs_until = 0.0
        self.hooks: list[Callable[[list[str]], None]] = []

    @property
    def host(self) -> Host:
        """What the code under test gets."""
        return Host(
            run_command=self.run_command,
            clock=lambda: self.now,
            wall=lambda: self.now + 1_700_000_000,
            sleep=self.sleep,
            kill=self.kill,
            proc=str(self.proc),
            units=str(self.units),
        )

    # -- time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.settle()

    def settle(self) -> None:
        """Let the model catch up with the clock."""
        if self.stopping_at is not None and self.now >= self.stopping_at + self.stop_seconds:
            self.end(
                "timeout" if self.stop_seconds >= 90 else "success", "failed" if self.stop_seconds >= 90 else "inactive"
            )
        while self.pid and self.stopping_at is None and self.now >= self.started + self.lifetime():
            self.crash()

    def lifetime(self) -> float:
        """Seconds the present process lives."""
        found = traits(str(self.proc / str(self.pid) / "exe"))
        return 0.0 if "dies" in found else float(found.get("dies_after", "inf"))

    # -- the unit

    def start(self) -> None:
        """What systemd does when a start is asked for."""
        if self.active_state == "failed" and self.restarts >= START_LIMIT:
            return
        if self.loaded_hold:
            self.log.append("start skipped by condition")
            return
        if not self.pid:
            self.restarts = 0
            self.spawn()

    def spawn(self) -> None:
        """A new process of the unit's program."""
        self.pid = self.next_pid
        self.next_pid += 1
        folder = self.proc / str(self.pid)
        folder.mkdir()
        target = os.path.realpath(self.exec_path)
        (folder / "exe").symlink_to(target)
        (folder / "cmdline").write_bytes(f"{self.exec_path}\0start\0".encode())
        self.active_state, self.result, self.started = "active", "success", self.now
        self.join_group(self.pid)
        self.log.append(
            f"process of {Path(target).read_text().split()[1 if 'Enterprise' not in Path(target).read_text() else 2]}"
        )

    def crash(self) -> None:
        """The process dies; Restart=on-failure starts it again until the start limit is hit."""
        self.forget_process()
        self.result = "exit-code"
        self.restarts += 1
        if self.restarts >= START_LIMIT:
            self.active_state = "failed"
            return
        self.now += 0.01
        self.spawn()
        self.result = "exit-code"

    def end(self, result: str, state: str) -> None:
        """The process is gone for good."""
        self.forget_process()
        self.stopping_at = None
        self.active_state, self.result = state, result

    def forget_process(self) -> None:
        if self.pid:
            shutil.rmtree(self.proc / str(self.pid))
        self.pid = 0

    def leave_behind(self, pid: int) -> None:
        """A process of the unit that its stop does not end."""
        self.leftovers.append(pid)
        self.join_group(pid)

    def join_group(self, pid: int) -> None:
        folder = self.proc / str(pid)
        folder.mkdir(exist_ok=True)
        (folder / "cgroup").write_text(f"2:cpu:/\n1:name=systemd:{GROUP}/below\n0::/\n")

    def kill(self, pid: int, number: int) -> None:
        self.log.append(f"kill {pid} {signal.Signals(number).name}")
        self.leftovers.remove(pid)
        shutil.rmtree(self.proc / str(pid))

    # -- commands

    def run_command(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        """As AnsibleModule.run_command."""
        for hook in list(self.hooks):
            hook(command)
        name = os.path.basename(command[0])
        if name == "systemctl":
            return self.systemctl([word for word in command[1:] if not word.startswith("--no-")])
        if command[1:2] == ["version"]:
            return self.version(command[0])
        if command[1:2] == ["configure"]:
            rejected = "rejects" in traits(command[0])
            return (1, "", 'FAIL teleport.yaml\nunknown key "hunter2"') if rejected else (0, "OK", "")
        if name in ("dpkg", "rpm"):
            return (0 if command[-1] in self.packages else 1), "", ""
        if name == "journalctl":
            return 0, "ERROR: initialization failed\nauth_token: hunter2hunter2\n", ""
        return 127, "", f"{name}: not found"

    def version(self, path: str) -> tuple[int, str, str]:
        found = traits(path)
        if "wrong_machine" in found:
            raise OSError(errno.ENOEXEC, "Exec format error")
        line = Path(path).read_text().partition("|")[0]
        if "reports" in found and path.startswith(str(self.proc)):
            line = f"Teleport v{found['reports']} git: go1.16"
        return 0, line + "\n", ""

    def systemctl(self, words: list[str]) -> tuple[int, str, str]:
        if self.now < self.hangs_until:
            self.sleep(15)
            return 124, "", ""
        self.settle()
        verb = words[0]
        if verb != "show":
            self.log.append(" ".join(words))
        actions: dict[str, Callable[[], None]] = {
            "start": self.start,
            "stop": self.ask_stop,
            "kill": self.kill_all,
            "reset-failed": self.reset_failed,
            "daemon-reload": self.reload,
        }
        if verb == "show":
            return 0, self.show(), ""
        actions[verb]()
        self.settle()
        return 0, "", ""

    def ask_stop(self) -> None:
        if not self.pid:
            self.active_state = "inactive" if self.active_state != "failed" else "failed"
            return
        self.stopping_at = self.now
        self.active_state = "deactivating"
        self.settle()

    def kill_all(self) -> None:
        if not self.ignores_kill and self.pid:
            self.end("signal", "failed")

    def reset_failed(self) -> None:
        self.restarts = 0
        if self.active_state == "failed":
            self.active_state, self.result = "inactive", "success"

    def reload(self) -> None:
        self.needs_reload = False
        self.loaded_hold = any((self.units / f"{UNIT}.d").glob("*hold*"))

    def show(self) -> str:
        sub = {"active": "running", "inactive": "dead", "failed": "failed"}.get(self.active_state, "stop-sigterm")
        pairs = {
            "LoadState": self.load_state,
            "ActiveState": self.active_state,
            "SubState": sub,
            "UnitFileState": self.unit_file_state,
            "MainPID": self.pid,
            "NRestarts": self.restarts,
            "Result": self.result,
            "ExecMainStartTimestamp": "",
            "FragmentPath": "/etc/systemd/system/teleport.service",
            "Type": "simple",
            "ControlGroup": GROUP if self.pid or self.leftovers else "",
            "NeedDaemonReload": "yes" if self.needs_reload else "no",
            "ExecStart": f"{{ path={self.exec_path} ; argv[]={self.exec_path} start ; ignore_errors=no ; pid=0 }}",
        }
        return "".join(f"{key}={value}\n" for key, value in pairs.items())

    # -- readiness

    def probe(self, _diag_addr: str | None, _data_dir: str | None) -> Readiness | None:
        """As readiness.probe."""
        self.settle()
        if not self.has_readiness:
            return None
        if not self.pid:
            return Readiness("diag", None, "Connection refused")
        found = traits(str(self.proc / str(self.pid) / "exe"))
        age = self.now - self.started
        if self.now < self.not_ready_until or "never_ready" in found or age < float(found.get("ready_after", 0)):
            return Readiness("diag", 400, "teleport is starting and hasn't joined the cluster yet")
        if "flaps" in found and int(age / float(found["flaps"])) % 2:
            return Readiness("diag", 503, "teleport is in a degraded state")
        if age >= float(found.get("degraded_at", "inf")):
            return Readiness("diag", 503, "teleport is in a degraded state")
        return Readiness("diag", 200, "ok", int(found.get("answered_by", self.pid)))
