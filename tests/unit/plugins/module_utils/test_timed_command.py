# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands end: by themselves, by their limit, or with what waits for them. Real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import timed_command
from ansible_collections.lockstep.teleport.plugins.module_utils.deadline import TooSlow, within
from ansible_collections.lockstep.teleport.plugins.module_utils.timed_command import TIMED_OUT, run_command

#: Far above what a command takes on a busy machine, far below what those run that must not be waited for.
LONG = 60.0


def shell(script: str, seconds: float = LONG, **more: str) -> tuple[int, str, str]:
    return run_command(["/bin/sh", "-c", script], environ_update={"GIVEN": "as told"}, seconds=seconds, **more)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_status_output_and_errors_are_told_apart() -> None:
    assert shell('echo "$GIVEN"; echo trouble >&2; exit 3') == (3, "as told\n", "trouble\n")


def test_a_signal_is_a_negative_status() -> None:
    assert shell("kill -9 $$")[0] == -9


def test_the_environment_of_the_module_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_MODULE", "kept")
    assert shell('echo "$OF_THE_MODULE"')[1] == "kept\n"


def test_the_folder_is_the_one_that_is_named(tmp_path: Path) -> None:
    assert shell("pwd -P", cwd=str(tmp_path))[1] == f"{tmp_path.resolve()}\n"


def test_input_is_passed_as_it_is() -> None:
    assert shell("cat", data="no newline at the end")[1] == "no newline at the end"


def test_more_input_than_a_pipe_holds_does_not_hang() -> None:
    assert shell("cat", data="x" * (1 << 20))[1] == "x" * (1 << 20)


def test_without_input_nothing_is_waited_for() -> None:
    assert shell("cat") == (0, "", "")


def test_input_that_nobody_reads_is_no_error() -> None:
    assert shell("exec <&-; exit 0", data="x" * (1 << 20))[0] == 0


@pytest.mark.parametrize("name", ["read", "write"])
def test_a_pipe_that_is_called_ready_and_is_not_is_tried_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = getattr(os, name), iter([True])

    def once_not_ready(*arguments: Any) -> Any:
        # subprocess reads by it, too, and other amounts.
        if (name == "write" or arguments[1] == timed_command._READ_AT_ONCE) and next(calls, False):
            raise BlockingIOError
        return real(*arguments)

    monkeypatch.setattr(os, name, once_not_ready)
    assert shell("cat", data="all of it") == (0, "all of it", "")
    assert next(calls, None) is None


def test_what_is_no_text_survives() -> None:
    assert os.fsencode(shell("printf '\\377'")[1]) == b"\xff"


def test_what_cannot_be_started_is_raised() -> None:
    with pytest.raises(FileNotFoundError):
        run_command(["/nonexistent/program"], environ_update={}, seconds=1)


def test_what_a_command_leaves_behind_is_not_waited_for() -> None:
    begun = time.monotonic()
    status, output, _errors = shell("sleep 3600 & echo $!")
    assert (status, time.monotonic() - begun < LONG) == (0, True)
    os.kill(int(output), 9)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_output_from_before_and_after_a_look_is_whole(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed_command, "_LOOK", seconds)
    assert shell("echo one; sleep 0.3; echo two; sleep 0.3; echo three")[1].split() == ["one", "two", "three"]


@pytest.mark.parametrize("script", ["sleep 3600; true", "trap '' TERM; sleep 3600 & wait; sleep 3600"])
def test_what_takes_too_long_is_ended_with_what_it_started(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed_command, "_GRACE", 0.3)
    assert shell(f"echo $$ > {tmp_path}/pid; {script}", seconds=0.5) == (TIMED_OUT, "", "")
    group = (tmp_path / "pid").read_text(encoding="utf-8").strip()
    members = subprocess.run(["pgrep", "-g", group], capture_output=True, text=True, check=False).stdout.split()
    assert not any(lives(int(pid)) for pid in members)


def test_a_command_ends_with_what_waits_for_it(tmp_path: Path) -> None:
    with pytest.raises(TooSlow), within(0.5, "the command"):
        shell(f"echo $$ > {tmp_path}/pid; exec sleep 3600")
    assert not lives(int((tmp_path / "pid").read_text(encoding="utf-8")))


def test_a_program_that_closes_its_output_before_it_ends_is_waited_for() -> None:
    script = "import os, time; os.write(1, b'x'); os.close(1); os.close(2); time.sleep(0.2); os._exit(3)"
    assert run_command([sys.executable, "-c", script], environ_update={}, seconds=LONG) == (3, "x", "")
