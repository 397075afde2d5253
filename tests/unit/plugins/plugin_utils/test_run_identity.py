# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is told from every other one, and is called dead only when that is known."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import run_identity


@pytest.fixture(name="child")
def _child() -> Any:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_process_that_runs_is_alive_and_one_that_ended_is_dead(child: Any) -> None:
    known = run_identity.identify(child.pid)
    assert known["boot"]
    assert not run_identity.is_dead(known)
    child.kill()
    # Not waited for: a zombie does nothing any more.
    while run_identity.is_running(child.pid, known["started"]):
        pass
    assert run_identity.is_dead(known)
    child.wait()
    assert run_identity.is_dead(known)


def test_who_sleeps_beside_a_process_wakes_up_at_its_end(child: Any) -> None:
    known = run_identity.identify(child.pid)
    sleep = run_identity.sleeper(known)
    sleep(0.01)
    assert run_identity.is_running(child.pid, known["started"])
    child.kill()
    sleep(60)
    assert not run_identity.is_running(child.pid, known["started"])
    began, ended = run_identity.began(known), run_identity.now()
    assert began is not None
    assert ended is not None
    assert began <= ended < began + 60


def test_an_id_that_is_used_again_is_another_process(child: Any) -> None:
    known = run_identity.identify(child.pid)
    assert run_identity.is_dead({**known, "started": "1"})


@pytest.mark.parametrize(
    "changes", [{"boot": "other"}, {"namespace": "pid:[1]"}, {"boot": "", "namespace": ""}, {"pid": "x"}]
)
def test_nothing_is_claimed_about_processes_elsewhere(changes: dict[str, str]) -> None:
    gone = {**run_identity.identify(os.getpid()), "pid": 2**22 + 1, "started": "1"}
    assert run_identity.is_dead(gone)
    assert not run_identity.is_dead({**gone, **changes})


@pytest.mark.parametrize("process", [{}, {"pid": 1}, {"pid": None, "boot": 1, "namespace": [], "started": {}}])
def test_what_is_no_process_is_not_dead(process: dict[str, Any]) -> None:
    assert not run_identity.is_dead(process)


def test_a_process_that_may_not_be_seen_is_alive(tmp_path: Path) -> None:
    def kill(pid: int, number: int) -> None:
        raise PermissionError

    assert run_identity.is_running(4711, "5", tmp_path, kill)


def test_where_the_system_tells_nothing_nothing_is_known(tmp_path: Path) -> None:
    known = run_identity.identify(os.getpid(), tmp_path)
    assert known == {"boot": "", "namespace": "", "pid": os.getpid(), "started": ""}
    assert not run_identity.is_dead(known, tmp_path)
    assert run_identity.seconds_running(known) == 0


def test_a_run_has_one_id_and_no_other_run_has_it() -> None:
    process = run_identity.identify(os.getpid())
    own = run_identity.run_id(process, "ctl1")
    assert own == run_identity.run_id(dict(process), "ctl1")
    assert own.startswith(f"{os.getpid()}-")
    others = {run_identity.run_id({**process, "started": "7"}, "ctl1"), run_identity.run_id(process, "ctl2")}
    assert own not in others


def test_how_long_it_runs(child: Any) -> None:
    assert 0 <= run_identity.seconds_running(run_identity.identify(child.pid)) < 30


def test_the_owner_is_the_user_of_awx_before_the_user_of_its_container() -> None:
    process = {"pid": 1, "started": ""}
    told = run_identity.owner(process, {"awx_job_id": 42, "awx_user_name": "alice"}, {"SUDO_USER": "bob"})
    assert (told["user"], told["job"]) == ("alice", "42")
    assert run_identity.owner(process, {}, {"SUDO_USER": "bob"})["user"] == "bob"
