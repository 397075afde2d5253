# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper renews while the run lives, lets go when it is gone, and is in nobody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.lockstep.teleport.plugins.plugin_utils import lock_keeper, run_identity


class Run:
    """A run that lives for some seconds of a clock that only sleeping moves."""

    def __init__(self, lives: float, lost_after: int = 99, broken: bool = False) -> None:
        self.time, self.lives, self.lost_after, self.broken = 0.0, lives, lost_after, broken
        self.beats: list[float] = []
        self.releases = 0

    def keep(self) -> Run:
        lock_keeper.keep(self.renew, self.release, lambda: self.time < self.lives, 60, self.sleep, lambda: self.time)
        return self

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def renew(self) -> bool:
        self.beats.append(self.time)
        if self.broken:
            raise ConnectionError
        return len(self.beats) < self.lost_after

    def release(self) -> None:
        self.releases += 1


def test_renews_while_the_run_lives_and_lets_go_after_it() -> None:
    run = Run(lives=200).keep()
    assert (run.beats, run.releases) == ([60, 120, 180], 1)


def test_a_lock_that_is_lost_is_left_alone() -> None:
    run = Run(lives=200, lost_after=2).keep()
    assert (run.beats, run.releases) == ([60, 120], 0)


def test_a_host_that_does_not_answer_is_asked_again() -> None:
    run = Run(lives=200, broken=True).keep()
    assert (len(run.beats), run.releases) == (3, 1)


OUTER = """
import sys, time
from pathlib import Path
from ansible_collections.lockstep.teleport.plugins.plugin_utils import lock_keeper
lock_keeper.detach(lambda: (Path(sys.argv[2]).write_text("works"), time.sleep(60)), Path(sys.argv[1]))
print("back")
"""


def test_a_detached_keeper_outlives_its_maker_and_is_ended_by_its_file(tmp_path: Path) -> None:
    pid_file, mark = tmp_path / "pid", tmp_path / "mark"
    began = time.monotonic()
    # Reading to the end of the output would wait for every process that still holds it.
    done = subprocess.run(
        [sys.executable, "-c", OUTER, str(pid_file), str(mark)], capture_output=True, text=True, check=True
    )
    assert time.monotonic() - began < 30
    assert done.stdout == "back\n"
    pid = int(pid_file.read_text())
    started = run_identity.identify(pid)["started"]
    assert run_identity.is_running(pid, started)
    assert os.getsid(pid) != os.getsid(0)
    lock_keeper.end(pid_file)
    deadline = time.monotonic() + 20
    while run_identity.is_running(pid, started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not run_identity.is_running(pid, started)
    assert not pid_file.exists()
    lock_keeper.end(pid_file)
