# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQLite backend: one database file, held open by one Auth Service."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import quote

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    Drilled,
    Part,
    Saved,
    copied_part,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.open_files import processes_holding

PART = "sqlite.db"

#: What SQLite keeps beside a database. After a crash the first two hold committed data or the way back to it.
_ROLLBACK_JOURNAL = "-journal"
_JOURNALS = ("-wal", _ROLLBACK_JOURNAL)
_SIDE_FILES = (*_JOURNALS, "-shm")

#: https://www.sqlite.org/fileformat.html#the_database_header
_HEADER_BYTES = 100

#: Seconds to wait for the writer's lock while Teleport serves. Teleport itself waits 10 s for ours.
_BUSY_SECONDS = 8.0


class SqliteBackend(Backend):
    """A ``sqlite.db`` as Teleport 4.0 and later write it.

    It is saved as one self-contained database file: a plain copy when Auth is stopped (journals left by a crash are
    folded in), SQLite's online backup while it serves.
    """

    kind = "sqlite"
    online = True
    shared = False

    def __init__(self, path: str) -> None:
        self.location = path
        self._staged = f"{path}.lockstep-restore"
        self._counted: Tuple[str, Dict[str, int]] = ("", {})

    def size_bytes(self) -> int:
        """Return the size of the database with its journals."""
        return sum(os.path.getsize(path) for path in self._files() if os.path.exists(path))

    def save(self, folder: str, serving: bool) -> Saved:
        """Copy the database into *folder*; see :meth:`Backend.save`."""
        if not os.path.isfile(self.location):
            raise BackupError(
                f"{self.location}: there is no SQLite database. Check storage.path and data_dir in teleport.yaml; "
                "before its first start an Auth Service has nothing to back up."
            )
        target = os.path.join(folder, PART)
        copied = self._save_online(target) if serving else self._save_stopped(target)
        return Saved([copied_part(PART, copied, self.location)], self._counted[1], {})

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Let SQLite check every page and index of the copy, and count its rows again."""
        path = os.path.join(folder, PART)
        check_database(path, "mode=ro&immutable=1")
        # What was counted in this very file a moment ago needs no second look.
        counts = self._counted[1] if self._counted[0] == path else _counts(path)
        if counts != dict(saved["counts"]):
            raise BackupError(f"{path}: holds {counts} rows, the manifest says {dict(saved['counts'])}.")

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        """Return whether the database is the saved file, byte by byte, with no journal beside it."""
        del saved
        if any(os.path.exists(path) for path in self._files()[1:]) or not os.path.isfile(self.location):
            return False
        part = parts[PART]
        # Every transaction changes the counter in the header, so that most databases need not be read to the end.
        if _header(self.location) != _header(os.path.join(folder, PART)):
            return False
        return os.path.getsize(self.location) == part.size and durable.hash_file(self.location).sha256 == part.sha256

    def stage(self, folder: str, parts: Mapping[str, Part]) -> None:
        """Copy the saved file to a name beside the database, with the owner and mode it had."""
        self._refuse_if_open()
        os.makedirs(os.path.dirname(self.location), mode=durable.PRIVATE_FOLDER, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._staged)
        try:
            durable.copy_content(os.path.join(folder, PART), self._staged)
            durable.sync_file(self._staged)
            _own_like(self._staged, parts[PART])
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._staged)
            raise

    def preserve(self, folder: str) -> None:
        """Keep database and journals just as they are."""
        self._refuse_if_open()
        for path in self._files():
            if os.path.exists(path):
                # Right after this the restore takes the files away from under their names, so a second name is enough.
                durable.link_or_copy(path, os.path.join(folder, os.path.basename(path)))

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Put the staged file in place of the database."""
        del folder, saved, parts
        self._refuse_if_open()
        # A journal of the database found must never meet the restored one: SQLite would replay it.
        for path in self._files()[1:]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        home = os.path.dirname(self.location)
        durable.sync_folder(home)
        os.rename(self._staged, self.location)
        durable.sync_folder(home)

    def drill(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part], scratch: str, host: Host
    ) -> Drilled:
        """Put the file elsewhere, open it for writing as Teleport does, check every page and count its rows."""
        del host
        path = os.path.join(scratch, PART)
        copied = durable.copy_file(os.path.join(folder, PART), path)
        if copied.sha256 != parts[PART].sha256:
            raise BackupError(f"{path}: what was restored is not what was saved.")
        with _opened(path, "mode=rw") as database:
            _query(database, path, "BEGIN IMMEDIATE")
            _query(database, path, "ROLLBACK")
        self.verify(scratch, saved)
        proven = "The database was restored into a scratch folder, opened for writing, and every page and row checked."
        return Drilled(True, proven, dict(saved["counts"]))

    def peek(self, key: str) -> Optional[bytes]:
        """Return what stands under *key* now; Auth may be writing meanwhile."""
        with _opened(self.location, "mode=ro") as database:
            rows = _query(database, self.location, "SELECT value FROM kv WHERE key = ?", key)
        return bytes(rows[0][0]) if rows else None

    def names(self, start: str) -> List[str]:
        """Return the keys that begin with *start*."""
        with _opened(self.location, "mode=ro") as database:
            rows = _query(database, self.location, "SELECT key FROM kv WHERE substr(key, 1, length(?1)) = ?1", start)
        return [str(key) for (key,) in rows]

    def tools(self) -> Dict[str, str]:
        """Return the version of the library."""
        return {"sqlite": sqlite3.sqlite_version}

    def _files(self) -> List[str]:
        return [self.location, *(self.location + suffix for suffix in _SIDE_FILES)]

    def _refuse_if_open(self) -> None:
        holders = processes_holding(self._files())
        if holders:
            raise BackupError(
                f"{self.location}: still open in {', '.join(holders)}. Stop every process that uses it first."
            )

    def _save_stopped(self, target: str) -> durable.Copied:
        self._refuse_if_open()
        journals = [suffix for suffix in _JOURNALS if os.path.exists(self.location + suffix)]
        if not journals:
            return durable.copy_file(self.location, target, self._count)
        for suffix in ("", *journals):
            durable.copy_content(self.location + suffix, target + suffix)
        copied = _fold_journals(target)
        self._count(target)
        return copied

    def _save_online(self, target: str) -> durable.Copied:
        online_copy(self.location, target)
        self._count(target)
        return durable.hash_file(target)

    def _count(self, target: str) -> None:
        self._counted = (target, _counts(target))


def check_database(path: str, how: str = "mode=rw") -> None:
    """Let SQLite check every page and index. Raises :class:`BackupError` when one is damaged."""
    with _opened(path, how) as database:
        # Reading through the page cache instead of copying each page halves the time.
        _query(database, path, f"PRAGMA mmap_size = {os.path.getsize(path)}")
        found = [str(row[0]) for row in _query(database, path, "PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise BackupError(f"{path}: SQLite finds the database damaged: {'; '.join(found)}.")


def online_copy(source: str, target: str) -> None:
    """Copy a database that may be in use to the new private file *target*, in the state of one moment.

    The whole copy is one read transaction: a copy in steps would begin anew at each write of a busy cluster. With a
    write-ahead log nobody waits for it; with a rollback journal writers wait, and Teleport waits 10 s before it
    gives up, far longer than the copy takes. Raises :class:`BackupError`.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, durable.PRIVATE_FILE))
    with _opened(source, "mode=ro") as reader, _opened(target, "mode=rw") as writer:
        try:
            reader.backup(writer)
            # Else the copy asks for a log beside it in a folder that is only ever read.
            writer.execute("PRAGMA journal_mode = DELETE").fetchall()
        except sqlite3.Error as error:
            raise BackupError(f"{source}: SQLite cannot copy the database while it is in use: {error}.") from error


def _fold_journals(path: str) -> durable.Copied:
    with _opened(path, "mode=rw") as database:
        # The first read rolls a hot journal back or finds the log; leaving WAL mode writes the log into the file.
        _query(database, path, "SELECT count(*) FROM sqlite_master")
        _query(database, path, "PRAGMA journal_mode = DELETE")
    # A journal that survives being opened for writing is none that SQLite would roll back: its writer was killed before
    # it touched the database (https://www.sqlite.org/lockingv3.html#hot_journals). It must not lie beside the copy.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + _ROLLBACK_JOURNAL)
    left = [suffix for suffix in _SIDE_FILES if os.path.exists(path + suffix)]
    if left:
        raise BackupError(f"{path}: SQLite left {', '.join(left)} beside the copy, so the copy is not whole.")
    return durable.hash_file(path)


def _header(path: str) -> bytes:
    with open(path, "rb") as handle:
        return handle.read(_HEADER_BYTES)


@contextlib.contextmanager
def _opened(path: str, how: str) -> Iterator[sqlite3.Connection]:
    try:
        database = sqlite3.connect(f"file:{quote(path)}?{how}", uri=True, timeout=_BUSY_SECONDS)
    except sqlite3.Error as error:
        raise BackupError(f"{path}: SQLite cannot open the database: {error}.") from error
    try:
        yield database
    finally:
        database.close()


def _query(database: sqlite3.Connection, path: str, sql: str, *values: str) -> List[Tuple[Any, ...]]:
    try:
        return database.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise BackupError(f"{path}: SQLite cannot read the database: {error}.") from error


def _counts(path: str) -> Dict[str, int]:
    with _opened(path, "mode=ro&immutable=1") as database:
        tables = _query(database, path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return {str(name): int(_rows(database, path, str(name))) for (name,) in tables}


def _rows(database: sqlite3.Connection, path: str, table: str) -> int:
    quoted = table.replace('"', '""')
    return int(_query(database, path, f'SELECT count(*) FROM "{quoted}"')[0][0])  # noqa: S608 - a table name cannot be a parameter


def _own_like(path: str, part: Part) -> None:
    os.chown(path, part.uid, part.gid)
    os.chmod(path, part.mode)
