# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands have a time limit, no terminal's language, and never raise."""

from __future__ import annotations

import errno
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.host import CANNOT_EXECUTE, NOT_FOUND, Completed, Host


class Recorder:
    """Stands in for `timed_command.run_command`."""

    def __init__(self, problem: OSError | None = None) -> None:
        self.calls: list[tuple[list[str], dict[str, Any]]] = []
        self.problem = problem

    def __call__(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        self.calls.append((command, options))
        if self.problem:
            raise self.problem
        return 0, "out", "err"


def test_limit_input_and_folder_are_handed_on() -> None:
    run = Recorder()
    assert Host(run).run(("x", "y"), 2.5, "input", "/tmp") == Completed(0, "out", "err")
    [(command, options)] = run.calls
    assert command == ["x", "y"]
    assert (options["seconds"], options["data"], options["cwd"]) == (2.5, "input", "/tmp")


def test_client_tools_must_not_replace_themselves() -> None:
    run = Recorder()
    Host(run).run(["tsh", "version"])
    assert run.calls[0][1]["environ_update"] == {"LC_ALL": "C", "TELEPORT_TOOLS_VERSION": "off"}


def test_program_of_another_machine_is_an_answer() -> None:
    done = Host(Recorder(OSError(errno.ENOEXEC, "x"))).run(["teleport"])
    assert (done.status, done.text) == (CANNOT_EXECUTE, "Exec format error")


def test_program_that_is_not_there_is_an_answer() -> None:
    done = Host(Recorder(FileNotFoundError(errno.ENOENT, "x"))).run(["teleport"])
    assert (done.status, done.text) == (NOT_FOUND, "No such file or directory")


def test_waiting_tries_at_least_once_and_ends_in_time() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    host = Host(Recorder(), clock=lambda: now[0], sleep=sleep)
    assert host.wait_until(lambda: True, 0)
    assert not host.wait_until(lambda: False, 3, pause=1)
    assert now[0] == 3
