# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that lies in the unit it restarts gets out first, or stops nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import shield
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

GROUP = "/system.slice/teleport.service"


class Session:
    """A process in a control group, and a systemd that moves it, or does not."""

    def __init__(self, proc: Path, group: str, moves: bool = True) -> None:
        self.file = proc / "self" / "cgroup"
        self.file.parent.mkdir()
        self.file.write_text(f"0::{group}\n")
        self.moves = moves
        self.commands: list[list[str]] = []
        self.host = Host(self.run, clock=iter(range(1000)).__next__, sleep=lambda _seconds: None, proc=str(proc))

    def run(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        if command[0] == "systemctl":
            return 0, f"ControlGroup={GROUP}\n", ""
        self.commands.append(command)
        if not self.moves:
            return 1, "", "Call failed: Access denied"
        self.file.write_text(f"0::/system.slice/{command[7]}\n")
        return 0, "", ""


def test_session_elsewhere_stays_where_it_is(tmp_path: Path) -> None:
    session = Session(tmp_path, "/user.slice/session-1.scope")
    assert not shield.leave(session.host, "teleport.service")
    assert session.commands == []


def test_session_inside_moves_into_a_scope(tmp_path: Path) -> None:
    session = Session(tmp_path, GROUP + "/session")
    assert shield.leave(session.host, "teleport.service")
    command = session.commands[0]
    assert command[0] == "busctl"
    assert command[-6:] == ["1", "PIDs", "au", "1", str(os.getpid()), "0"]


def test_session_that_is_said_to_die_moves_from_wherever_it_is_once(tmp_path: Path) -> None:
    session = Session(tmp_path, "/user.slice/session-1.scope")
    assert shield.leave(session.host, "teleport.service", always=True)
    assert not shield.leave(session.host, "teleport.service", always=True)
    assert len(session.commands) == 1


def test_session_that_cannot_leave_stops_nothing(tmp_path: Path) -> None:
    session = Session(tmp_path, GROUP, moves=False)
    with pytest.raises(HostError, match=r"Access denied.*Nothing was stopped"):
        shield.leave(session.host, "teleport.service")


def test_signals_of_a_dying_session_are_survived() -> None:
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        shield.ignore_signals()
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
