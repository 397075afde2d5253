# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQLite store of 4.0 and later, with the real schema."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from datetime import datetime, timezone
from typing import Any

from .base import Backend, BackendError, Item

SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (
           key TEXT NOT NULL PRIMARY KEY,
           modified INTEGER NOT NULL,
           expires DATETIME,
           value BLOB);
CREATE INDEX IF NOT EXISTS kv_expires ON kv (expires);
CREATE TABLE IF NOT EXISTS events (
           id INTEGER PRIMARY KEY,
           type TEXT NOT NULL,
           created INTEGER NOT NULL,
           kv_key TEXT NOT NULL,
           kv_modified INTEGER NOT NULL,
           kv_expires DATETIME,
           kv_value BLOB
         );
CREATE INDEX IF NOT EXISTS events_created ON events (created);
CREATE TABLE IF NOT EXISTS meta (
           version INTEGER NOT NULL,
           imported BOOLEAN NOT NULL
         );
"""
_KEEP_EVENTS = 64


class SqliteBackend(Backend):
    """``sqlite.db`` in a directory, journal mode ``delete`` as the real one has it."""

    def __init__(self, directory: str) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._file = os.path.join(directory, "sqlite.db")
        self.location = f"sqlite:{os.path.realpath(self._file)}"
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(self._file, check_same_thread=False, timeout=10, isolation_level=None)
            self._db.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise BackendError(f"{self._file}: {error}") from None
        os.chmod(self._file, 0o600)

    @property
    def imported(self) -> bool:
        """Whether data of the file store were taken over (recorded in ``meta``)."""
        rows = self._run("SELECT imported FROM meta LIMIT 1")
        return bool(rows and rows[0][0])

    def mark_imported(self) -> None:
        """Never look at the file store again."""
        self._run("INSERT INTO meta(version, imported) VALUES (1, 1)")

    def get(self, key: str) -> Item | None:
        rows = self._run("SELECT key, value, expires FROM kv WHERE key = ?", key)
        item = _item(rows[0]) if rows else None
        return item if item and item.alive() else None

    def put(self, key: str, value: str, expires: float | None = None) -> None:
        modified = time.time_ns()
        stamp = _stamp(expires)
        with self._lock:
            self._run(
                "INSERT OR REPLACE INTO kv(key, modified, expires, value) VALUES (?, ?, ?, ?)",
                *(key, modified, stamp, value.encode()),
            )
            self._note("Put", key, modified, stamp, value.encode())

    def delete(self, key: str) -> bool:
        with self._lock:
            found = bool(self._run("SELECT 1 FROM kv WHERE key = ?", key))
            self._run("DELETE FROM kv WHERE key = ?", key)
            self._note("Delete", key, time.time_ns(), None, None)
        return found

    def scan(self, prefix: str) -> list[Item]:
        rows = self._run(
            "SELECT key, value, expires FROM kv WHERE key >= ? AND key < ? ORDER BY key", prefix, prefix + "\U0010ffff"
        )
        return [item for item in map(_item, rows) if item.alive()]

    def swap(self, key: str, expected: str, value: str) -> bool:
        with self._lock:
            current = self.get(key)
            if current is None or current.value != expected:
                return False
            self.put(key, value, current.expires)
            return True

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _note(self, kind: str, key: str, modified: int, expires: str | None, value: bytes | None) -> None:
        self._run(
            "INSERT INTO events(type, created, kv_key, kv_modified, kv_expires, kv_value) VALUES (?, ?, ?, ?, ?, ?)",
            *(kind, int(time.time()), key, modified, expires, value),
        )
        self._run(f"DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - {_KEEP_EVENTS}")

    def _run(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            try:
                return self._db.execute(statement, values).fetchall()
            except sqlite3.Error as error:
                raise BackendError(f"{self._file}: {error}") from None


def _stamp(expires: float | None) -> str | None:
    if expires is None:
        return None
    return datetime.fromtimestamp(expires, timezone.utc).isoformat(sep=" ")


def _item(row: tuple[str, bytes, str | None]) -> Item:
    key, value, expires = row
    when = datetime.fromisoformat(expires).timestamp() if expires else None
    return Item(key, value.decode(), when)
