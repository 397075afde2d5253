# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs of ansible-playbook that want one lock: refused, failed, killed, and what keeps the lock meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

pytestmark = pytest.mark.slow

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - lockstep.teleport.cluster_lock: {cluster: main, directory: "%(locks)s", ttl: %(ttl)s, playbook: test}
    - ansible.builtin.%(then)s
"""
PATIENCE = 60.0


class Runs:
    """Starts runs that take the lock in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []
        # Only the modules of one collection are looked at; a link would be followed into the whole tree.
        own = folder / "collections" / "ansible_collections" / "lockstep" / "teleport"
        own.parent.mkdir(parents=True)
        own.symlink_to(ROOT)

    def start(self, then: str, ttl: float = 600) -> subprocess.Popen[str]:
        """Begin a run that locks, then does a task, and return at once."""
        play = self.folder / f"play{len(self.started)}.yml"
        play.write_text(PLAY % {"locks": self.folder / "locks", "ttl": ttl, "then": then})
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHONPATH"))
        }
        environment |= {
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
        }
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        run = subprocess.Popen(
            [program, "-i", "localhost,", "-e", f"ansible_python_interpreter={sys.executable}", str(play)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )
        self.started.append(run)
        return run

    def record(self) -> dict[str, Any]:
        """The lock as it lies there; empty before there is one."""
        for path in (self.folder / "locks").glob("*.json"):
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        return {}

    def keepers(self) -> list[int]:
        """Ids of the processes that renew."""
        return [int(path.read_text()) for path in (self.folder / "tmp").glob("*/lockstep-keeper-*")]

    def is_held_by(self, run: subprocess.Popen[str]) -> bool:
        return (
            bool(self.record()) and not self.record()["released"] and self.record()["run_id"].startswith(f"{run.pid}-")
        )

    def is_free(self) -> bool:
        return bool(self.record().get("released"))


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(name="runs")
def _runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    for pid in runs.keepers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for run in runs.started:
        run.kill()
        run.wait()
        assert run.stdout is not None
        run.stdout.close()


def test_a_second_run_is_refused_and_a_killed_one_is_let_go(runs: Runs) -> None:
    first = runs.start("command: sleep 60")
    wait(lambda: runs.is_held_by(first) and runs.keepers())
    second = runs.start("debug: {msg: in}")
    told, _none = second.communicate(timeout=PATIENCE)
    assert second.returncode != 0
    assert "is locked by" in told
    assert runs.record()["run_id"] in told
    first.kill()
    # Not waited for yet: whoever started it may be in no hurry.
    wait(runs.is_free)


def test_the_same_command_again_at_once_after_a_kill_gets_the_lock(runs: Runs) -> None:
    first = runs.start("command: sleep 60")
    wait(lambda: runs.is_held_by(first) and runs.keepers())
    first.kill()
    first.wait()
    again = runs.start("debug: {msg: in}")
    told, _none = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, told


def test_a_run_that_fails_lets_go_and_nobody_waits_for_what_renews(runs: Runs) -> None:
    run = runs.start("fail: {msg: no}")
    told, _none = run.communicate(timeout=PATIENCE)
    assert "no" in told
    wait(runs.is_free)
    wait(lambda: not runs.keepers())


def test_a_lock_is_renewed_while_its_run_lives_and_taken_over_at_once_when_all_is_killed(runs: Runs) -> None:
    first = runs.start("command: sleep 60", ttl=10)
    wait(lambda: runs.is_held_by(first) and runs.keepers())
    taken = runs.record()["renewed"]["uptime"]
    wait(lambda: runs.record()["renewed"]["uptime"] > taken + 1)
    for pid in runs.keepers():
        os.kill(pid, signal.SIGKILL)
    first.kill()
    first.wait()
    assert not runs.is_free()
    second = runs.start("debug: {msg: in}", ttl=600)
    told, _none = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0, told
    assert "its process on this controller has ended" in " ".join(told.split())
