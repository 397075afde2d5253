# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of bringing a backup to the controller: whole or not at all, and where the last attempt ended."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, backup_manifest, durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.plugin_utils import backup_pull
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_spec

PIECE = 1000
SECONDS = iter(count(1795374000))


class CutOffError(Exception):
    """The connection is gone."""


class Remote:
    """A host with one backup, which counts the pieces it is asked for and may be cut off."""

    def __init__(self, root: Path) -> None:
        self.spec = make_spec(root)
        self.taken = backup.take_backup(self.spec, now=lambda: float(next(SECONDS)))
        self.asked: list[tuple[str, int]] = []
        self.cut_after: int | None = None

    @property
    def name(self) -> str:
        return os.path.basename(self.taken.path)

    def read(self, part: str, offset: int) -> bytes:
        if self.cut_after is not None and len(self.asked) >= self.cut_after:
            raise CutOffError
        self.asked.append((part, offset))
        with open(os.path.join(self.taken.path, part), "rb") as handle:
            handle.seek(offset)
            return handle.read(PIECE)

    def copy(self, part: str, path: str) -> None:
        self.asked.append((part, 0))
        Path(path).write_bytes(Path(self.taken.path, part).read_bytes())


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "host")


@pytest.fixture
def here(tmp_path: Path) -> str:
    return str(tmp_path / "here")


def pull(remote: Remote, here: str, copy: Any = None) -> backup.Backup:
    return backup_pull.pull(backup_pull.plan(here, remote.name, remote.taken.manifest), remote.read, copy)


def visible(here: str) -> list[str]:
    home = os.path.join(here, "north")
    return sorted(name for name in os.listdir(home) if not name.startswith(".")) if os.path.isdir(home) else []


@pytest.mark.parametrize("whole", [False, True])
def test_a_backup_arrives_as_it_is_and_private(remote: Remote, here: str, whole: bool) -> None:
    pulled = pull(remote, here, remote.copy if whole else None)
    assert pulled.path == f"{here}/north/{remote.name}"
    assert backup.verify_backup(pulled.path, "north").manifest == remote.taken.manifest
    for where, _folders, names in os.walk(here):
        assert stat.S_IMODE(os.stat(where).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(os.path.join(where, name)).st_mode) == 0o600 for name in names)
    remote.asked.clear()
    pull(remote, here)
    assert remote.asked == []


def test_cut_off_anywhere_it_goes_on_where_it_ended(remote: Remote, here: str) -> None:
    pieces = 0
    while True:
        remote.cut_after = len(remote.asked) + 1
        pieces += 1
        try:
            pull(remote, here)
        except CutOffError:
            assert visible(here) == []
            continue
        break
    assert visible(here) == [remote.name]
    assert len(remote.asked) == len(set(remote.asked)), "no piece is brought twice"
    assert pieces > 10


def test_a_part_that_changed_on_the_way_is_brought_anew(remote: Remote, here: str) -> None:
    def garbled(part: str, offset: int) -> bytes:
        piece = remote.read(part, offset)
        return b"\0" + piece[1:] if part == "sqlite.db" and offset == 0 else piece

    wanted = backup_pull.plan(here, remote.name, remote.taken.manifest)
    with pytest.raises(BackupError, match=r"sqlite.db: did not arrive as it was saved. Run again"):
        backup_pull.pull(wanted, garbled)
    assert visible(here) == []
    pull(remote, here)
    assert visible(here) == [remote.name]


def test_a_host_that_ends_early_is_no_backup(remote: Remote, here: str) -> None:
    wanted = backup_pull.plan(here, remote.name, remote.taken.manifest)
    with pytest.raises(BackupError, match=r"did not arrive"):
        backup_pull.pull(wanted, lambda part, offset: remote.read(part, offset) if offset == 0 else b"")
    assert visible(here) == []


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest.__setitem__(key, value)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("../../etc/cron.d", None, r"cannot name a folder"),
        (".ssh", None, r"cannot name a folder"),
        ("fine", _set("cluster", "../other"), r"cannot name a folder"),
        ("fine", lambda m: m["parts"][0].update(name="../../../etc/passwd"), r"lies outside the backup"),
        ("fine", lambda m: m["parts"][0].update(name="/etc/passwd"), r"lies outside the backup"),
        ("fine", _set("sealed", {"parts": [{"name": "a"}]}), r"lacks what a part needs"),
        ("fine", _set("parts", []), r"lacks parts"),
        ("fine", _set("format", 9), r"newer release"),
    ],
)
def test_a_host_has_no_say_in_where_files_go(
    remote: Remote, here: str, name: str, change: Callable[[dict[str, Any]], None] | None, reason: str
) -> None:
    manifest = {**remote.taken.manifest, "parts": [dict(part) for part in remote.taken.manifest["parts"]]}
    if change:
        change(manifest)
    manifest["digest"] = backup_manifest._digest(manifest)
    with pytest.raises(BackupError, match=reason):
        backup_pull.plan(here, name, manifest)


def test_a_manifest_that_does_not_fit_itself_is_refused(remote: Remote, here: str) -> None:
    with pytest.raises(BackupError, match=r"was changed after"):
        backup_pull.plan(here, remote.name, {**remote.taken.manifest, "version": "1.0.0"})


def test_another_backup_of_that_name_is_not_overwritten(remote: Remote, here: str) -> None:
    pulled = pull(remote, here)
    other = Remote(Path(here).parent / "another-host")
    with pytest.raises(BackupError, match=r"is another backup than the host's"):
        backup_pull.pull(backup_pull.plan(here, remote.name, other.taken.manifest), other.read)
    assert backup.verify_backup(pulled.path).manifest == remote.taken.manifest


def test_too_little_space_here_is_said_first(remote: Remote, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "free_bytes", lambda _path: 1 << 20)
    with pytest.raises(BackupError, match=r"here/north: 1 MiB are free"):
        pull(remote, here)
    assert remote.asked == []


def test_only_one_run_brings_a_cluster_s_backup(remote: Remote, here: str) -> None:
    durable.private_folder(f"{here}/north")
    with (
        durable.exclusive(f"{here}/north/.lock"),
        pytest.raises(BackupError, match=r"another run brings a backup here"),
    ):
        pull(remote, here)


def test_attempts_at_older_backups_do_not_pile_up(remote: Remote, here: str) -> None:
    remote.cut_after = 2
    with pytest.raises(CutOffError):
        pull(remote, here)
    remote.cut_after = None
    remote.taken = backup.take_backup(remote.spec, now=lambda: float(next(SECONDS)))
    pull(remote, here)
    assert sorted(os.listdir(f"{here}/north")) == [".lock", remote.name]
