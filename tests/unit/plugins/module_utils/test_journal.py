# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes that survive, locks that exclude, results that are found again."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import journal
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError


def test_entry_is_private_and_read_back(tmp_path: Path) -> None:
    journal.write(str(tmp_path), {"phase": journal.STOPPED, "backup": None})
    assert journal.read(str(tmp_path)) == {"phase": "stopped", "backup": None}
    assert stat.S_IMODE(os.stat(journal.journal_path(str(tmp_path))).st_mode) == 0o600
    journal.clear(str(tmp_path))
    journal.clear(str(tmp_path))
    assert journal.read(str(tmp_path)) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"phase": "unknown"}', "\x00"])
def test_unreadable_entry_stops_everything(tmp_path: Path, content: str) -> None:
    Path(journal.journal_path(str(tmp_path))).write_text(content)
    with pytest.raises(HostError, match="cannot be read"):
        journal.read(str(tmp_path))


def test_lock(tmp_path: Path) -> None:
    assert not journal.is_busy(str(tmp_path))
    with journal.alone(str(tmp_path)):
        assert journal.is_busy(str(tmp_path))
        with pytest.raises(HostError, match="another upgrade"), journal.alone(str(tmp_path)):
            pass
    assert not journal.is_busy(str(tmp_path))


def test_a_look_at_the_lock_keeps_nobody_out(tmp_path: Path) -> None:
    with journal.alone(str(tmp_path)):
        pass
    with open(tmp_path / ".lock") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        assert not journal.is_busy(str(tmp_path))
        threading.Timer(0.3, fcntl.flock, (looker, fcntl.LOCK_UN)).start()
        with journal.alone(str(tmp_path)):
            assert journal.is_busy(str(tmp_path))


def test_result_belongs_to_its_run(tmp_path: Path) -> None:
    assert journal.collect_result(str(tmp_path), "one") is None
    journal.leave_result(str(tmp_path), "one", {"changed": True})
    assert journal.collect_result(str(tmp_path), "one") == {"changed": True}
    assert journal.collect_result(str(tmp_path), "two") is None
