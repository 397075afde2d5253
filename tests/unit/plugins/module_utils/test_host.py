# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands have a time limit, no terminal's language, and never raise."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.host import CANNOT_EXECUTE, TIMED_OUT, Completed, Host


class Recorder:
    """Stands in for AnsibleModule.run_command."""

    def __init__(self, problem: OSError | None = None) -> None:
        self.calls: list[tuple[list[str], dict[str, Any]]] = []
        self.problem = problem

    def __call__(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        self.calls.append((command, options))
        if self.problem:
            raise self.problem
        return 0, "out", "err"


def test_limit_is_set_by_timeout() -> None:
    run = Recorder()
    assert Host(run, timeout_program="/usr/bin/timeout").run(["x", "y"], seconds=2.5) == Completed(0, "out", "err")
    assert run.calls[0][0] == ["/usr/bin/timeout", "--kill-after=5", "2.5", "x", "y"]


@pytest.mark.parametrize(
    ("took", "status", "expected"),
    [(10.0, -9, TIMED_OUT), (10.0, 137, TIMED_OUT), (1.0, -9, -9), (10.0, 1, 1), (10.0, TIMED_OUT, TIMED_OUT)],
)
def test_what_had_to_be_killed_has_timed_out(took: float, status: int, expected: int) -> None:
    now = [0.0]

    def run(_command: list[str], **_options: Any) -> tuple[int, str, str]:
        now[0] += took
        return status, "", ""

    host = Host(run, clock=lambda: now[0], timeout_program="/usr/bin/timeout")
    assert host.run(["x"], seconds=5).status == expected


def test_client_tools_must_not_replace_themselves() -> None:
    run = Recorder()
    Host(run).run(["tsh", "version"])
    assert run.calls[0][1]["environ_update"] == {"LC_ALL": "C", "TELEPORT_TOOLS_VERSION": "off"}


def test_program_of_another_machine_is_an_answer() -> None:
    done = Host(Recorder(OSError(errno.ENOEXEC, "x"))).run(["teleport"])
    assert (done.status, done.text) == (CANNOT_EXECUTE, "Exec format error")


def test_waiting_tries_at_least_once_and_ends_in_time() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    host = Host(Recorder(), clock=lambda: now[0], sleep=sleep)
    assert host.wait_until(lambda: True, 0)
    assert not host.wait_until(lambda: False, 3, pause=1)
    assert now[0] == 3
