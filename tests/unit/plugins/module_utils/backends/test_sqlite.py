# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the SQLite backend where a plain copy is not enough: journals that a crash left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.sqlite import PART, SqliteBackend, online_copy
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import holding, put, rows

SAVED = {"alice": "user", "north": "cluster"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "sqlite.db"
    put(path, **SAVED)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "backup"
    path.mkdir()
    return path


def test_a_clean_database_is_copied_byte_by_byte(database: Path, folder: Path) -> None:
    saved = SqliteBackend(str(database)).save(str(folder), serving=False)
    assert (folder / PART).read_bytes() == database.read_bytes()
    assert saved.counts == {"kv": 2}


def test_what_only_the_log_holds_is_saved(database: Path, folder: Path) -> None:
    with holding(database, "PRAGMA journal_mode=WAL;INSERT INTO kv VALUES ('late', 1, NULL, 'committed')"):
        pass
    assert rows(database) == SAVED, "the row is in the log alone"
    saved = SqliteBackend(str(database)).save(str(folder), serving=False)
    assert rows(folder / PART) == {**SAVED, "late": "committed"}
    assert saved.counts == {"kv": 3}
    assert os.listdir(folder) == [PART]


@pytest.mark.parametrize("journal", [b"", bytes(512)], ids=["empty", "never synced"])
def test_a_journal_that_sqlite_would_not_roll_back_is_no_obstacle(database: Path, folder: Path, journal: bytes) -> None:
    (database.parent / "sqlite.db-journal").write_bytes(journal)
    backend = SqliteBackend(str(database))
    saved = backend.save(str(folder), serving=False)
    assert rows(folder / PART) == SAVED
    backend.verify(str(folder), {"counts": saved.counts})
    assert os.listdir(folder) == [PART]


def test_what_was_not_committed_is_rolled_back(database: Path, folder: Path) -> None:
    # A cache of one page makes SQLite write changed pages into the file before the commit, the journal going before.
    filler = ";".join(f"INSERT INTO kv VALUES ('torn-{n}', 1, NULL, '{'x' * 3000}')" for n in range(40))
    with holding(database, f"PRAGMA cache_size=1;BEGIN IMMEDIATE;UPDATE kv SET value='torn';{filler}"):
        assert (database.parent / "sqlite.db-journal").stat().st_size > 0
    backend = SqliteBackend(str(database))
    saved = backend.save(str(folder), serving=False)
    assert rows(folder / PART) == SAVED
    backend.verify(str(folder), {"counts": saved.counts})
    assert os.listdir(folder) == [PART]


def test_the_source_is_not_touched_by_folding(database: Path, folder: Path) -> None:
    with holding(database, "PRAGMA journal_mode=WAL;INSERT INTO kv VALUES ('late', 1, NULL, 'committed')"):
        pass
    before = {name: durable.hash_file(str(database.parent / name)) for name in ("sqlite.db", "sqlite.db-wal")}
    SqliteBackend(str(database)).save(str(folder), serving=False)
    assert {name: durable.hash_file(str(database.parent / name)) for name in before} == before


def test_a_rollback_journal_database_is_copied_while_someone_reads(database: Path, folder: Path) -> None:
    with holding(database, "BEGIN;SELECT * FROM kv"):
        online_copy(str(database), str(folder / "copy"))
    assert rows(folder / "copy") == SAVED
    assert (folder / "copy").stat().st_mode & 0o777 == 0o600


def test_an_online_copy_needs_no_log_beside_it(database: Path, folder: Path) -> None:
    with holding(database, "PRAGMA journal_mode=WAL;INSERT INTO kv VALUES ('late', 1, NULL, 'committed')"):
        SqliteBackend(str(database)).save(str(folder), serving=True)
    assert os.listdir(folder) == [PART]
    assert rows(folder / PART)["late"] == "committed"


def test_no_database_is_explained(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BackupError, match=r"nowhere/sqlite.db: there is no SQLite database\. Check storage\.path"):
        SqliteBackend(str(tmp_path / "nowhere" / "sqlite.db")).save(str(folder), serving=False)


def test_a_file_that_is_no_database_is_refused(database: Path, folder: Path) -> None:
    database.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(BackupError, match="not a database"):
        SqliteBackend(str(database)).save(str(folder), serving=False)


def test_reading_back_what_is_not_there_makes_nothing(database: Path, folder: Path) -> None:
    saved = SqliteBackend(str(database)).save(str(folder), serving=False)
    (folder / PART).unlink()
    with pytest.raises(BackupError, match="SQLite cannot open the database"):
        SqliteBackend(str(database)).verify(str(folder), {"counts": saved.counts})
    assert os.listdir(folder) == []


def test_lost_rows_are_noticed(database: Path, folder: Path) -> None:
    backend = SqliteBackend(str(database))
    backend.save(str(folder), serving=False)
    with pytest.raises(BackupError, match=r"holds \{'kv': 2\} rows, the manifest says \{'kv': 3\}"):
        backend.verify(str(folder), {"counts": {"kv": 3}})


def test_a_damaged_index_is_noticed(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "large.db"
    put(path, **{f"key-{number:04}": "x" * 500 for number in range(500)})
    backend = SqliteBackend(str(path))
    saved = backend.save(str(folder), serving=False)
    copy = folder / PART
    content = bytearray(copy.read_bytes())
    at = content.rindex(b"key-0250")
    content[at : at + 8] = b"key-9999"
    copy.write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        backend.verify(str(folder), {"counts": saved.counts})


def test_preserving_a_missing_database_is_no_error(tmp_path: Path, folder: Path) -> None:
    SqliteBackend(str(tmp_path / "gone" / "sqlite.db")).preserve(str(folder))
    assert os.listdir(folder) == []


def test_a_path_with_odd_characters(tmp_path: Path, folder: Path) -> None:
    odd = tmp_path / "a b?c#d%20e"
    odd.mkdir()
    put(odd / "sqlite.db", **SAVED)
    backend = SqliteBackend(str(odd / "sqlite.db"))
    saved = backend.save(str(folder), serving=True)
    assert saved.counts == {"kv": 2}


def test_a_disk_that_fills_up_while_staging_leaves_nothing(
    database: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = SqliteBackend(str(database))
    saved = backend.save(str(folder), serving=False)
    before = database.read_bytes()

    def fill(_source: str, target: str) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "copy_content", fill)
    with pytest.raises(OSError, match="No space left"):
        backend.stage(str(folder), {part.name: part for part in saved.parts})
    assert sorted(os.listdir(database.parent)) == ["backup", "sqlite.db"]
    assert database.read_bytes() == before
