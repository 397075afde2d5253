# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of files that stay whole and private."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import durable


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (9 << 20) + 5])
def test_a_copy_tells_what_it_read(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "a").write_bytes(content)
    copied = durable.copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_bytes() == content
    assert copied == (size, hashlib.sha256(content).hexdigest()) == durable.hash_file(str(tmp_path / "b"))
    assert mode(tmp_path / "b") == 0o600


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        durable.copy_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (tmp_path / "b").read_text() == "b"


def test_a_second_name_outlives_the_first_being_taken_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("found")
    (tmp_path / "new").write_text("restored")
    durable.link_or_copy(str(tmp_path / "a"), str(tmp_path / "kept"))
    os.rename(tmp_path / "new", tmp_path / "a")
    assert (tmp_path / "kept").read_text() == "found"


def test_what_cannot_be_linked_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_names: str) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("found")
    durable.link_or_copy(str(tmp_path / "a"), str(tmp_path / "kept"))
    assert (tmp_path / "kept").read_text() == "found"
    assert mode(tmp_path / "kept") == 0o600


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    durable.write_file(str(path), b"old")

    def fail_halfway() -> None:
        with durable.replacing(str(path)) as writer:
            writer.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]
    assert mode(path) == 0o600


def test_every_new_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        durable.private_folder(str(tmp_path / "a" / "b" / "c"))
    finally:
        os.umask(before)
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    durable.private_folder(str(tmp_path / "a"))
    assert mode(tmp_path / "a") == 0o700


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    expected = found.f_bavail * found.f_frsize
    assert durable.free_bytes(str(tmp_path / "x" / "y")) == pytest.approx(expected, rel=0.05)


def test_what_runs_on_a_disk_keeps_some_room(monkeypatch: pytest.MonkeyPatch) -> None:
    free = durable.SPARE_BYTES + 1000
    monkeypatch.setattr(durable, "free_bytes", lambda _path: free)
    assert durable.room("/d") == 1000
    assert durable.shortage("/d", 1000, "versions_dir") == ""
    assert durable.shortage("/d", 1001, "versions_dir").endswith("name another versions_dir.")
    assert durable.shortage("/d", free, "versions_dir", spare=0) == ""
    monkeypatch.setattr(durable, "free_bytes", lambda _path: 1)
    assert durable.room("/d") == 0


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    lock = str(tmp_path / "lock")

    def take() -> None:
        with durable.exclusive(lock):
            pass

    with durable.exclusive(lock), pytest.raises(BlockingIOError):
        take()
    take()


def test_a_lock_that_is_let_go_in_time_is_taken(tmp_path: Path) -> None:
    lock = str(tmp_path / "lock")
    held, patient = durable.exclusive(lock), durable.exclusive(lock, patience=30)
    held.__enter__()
    timer = threading.Timer(0.1, held.__exit__, (None, None, None))
    timer.start()
    with patient:
        timer.join()


def test_a_removed_folder_is_gone_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "part").touch()
    seen: list[bool] = []
    monkeypatch.setattr("shutil.rmtree", lambda path: seen.append((tmp_path / "backup").exists()))
    durable.remove_folder(str(tmp_path / "backup"))
    assert seen == [False]
