# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL store with the real tables, spoken to through one psql that stays connected.

Like the real one it holds a temporary replication slot for as long as it runs, so a server shows whether an auth lives.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import threading
import uuid
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from .base import Backend, BackendError, Item

SCHEMA = """
CREATE TABLE IF NOT EXISTS backend_version (
  version integer PRIMARY KEY CHECK (version > 0), created timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS kv (key bytea NOT NULL, value bytea NOT NULL, expires timestamptz, revision uuid NOT NULL,
  CONSTRAINT kv_pkey PRIMARY KEY (key));
CREATE INDEX IF NOT EXISTS kv_expires_idx ON kv (expires) WHERE expires IS NOT NULL;
INSERT INTO backend_version (version) VALUES (1) ON CONFLICT DO NOTHING;
"""
_ALIVE = "(expires IS NULL OR expires > now())"
_COLUMNS = "encode(key, 'hex'), encode(value, 'hex'), extract(epoch FROM expires)"


class PostgresBackend(Backend):
    """Tables ``kv`` and ``backend_version`` in the database of ``conn_string``."""

    def __init__(self, storage: dict[str, Any]) -> None:
        uri = urlsplit(str(storage.get("conn_string") or ""))
        if uri.scheme not in ("postgresql", "postgres"):
            raise BackendError("postgresql: conn_string is no connection string")
        self.location = f"postgresql:{uri.hostname}:{uri.port or 5432}{uri.path}"
        self._lock = threading.RLock()
        self._psql = _connected(uri)
        # The real one has no process of its own that could outlive it, and keep its unit from ending.
        atexit.register(self.close)
        try:
            self._run("SET client_min_messages TO error")
            self._run(SCHEMA)
            self._run(f"SELECT pg_create_logical_replication_slot('{uuid.uuid4().hex}', 'pgoutput', true)")
        except BackendError:
            self.close()
            raise

    def get(self, key: str) -> Item | None:
        rows = self._run(f"SELECT {_COLUMNS} FROM kv WHERE key = {_bytes(key)} AND {_ALIVE}")
        return _item(rows[0]) if rows else None

    def put(self, key: str, value: str, expires: float | None = None) -> None:
        until = "NULL" if expires is None else f"to_timestamp({expires!r})"
        self._run(
            f"INSERT INTO kv VALUES ({_bytes(key)}, {_bytes(value)}, {until}, '{uuid.uuid4()}') ON CONFLICT (key)"
            " DO UPDATE SET value = excluded.value, expires = excluded.expires, revision = excluded.revision"
        )

    def delete(self, key: str) -> bool:
        return bool(self._run(f"DELETE FROM kv WHERE key = {_bytes(key)} AND {_ALIVE} RETURNING 1"))

    def scan(self, prefix: str) -> list[Item]:
        end = prefix.encode()[:-1] + bytes([prefix.encode()[-1] + 1])
        rows = self._run(
            f"SELECT {_COLUMNS} FROM kv WHERE key >= {_bytes(prefix)} AND key < '\\x{end.hex()}' AND {_ALIVE}"
            " ORDER BY key"
        )
        return [_item(row) for row in rows]

    def swap(self, key: str, expected: str, value: str) -> bool:
        return bool(
            self._run(
                f"UPDATE kv SET value = {_bytes(value)}, revision = '{uuid.uuid4()}'"
                f" WHERE key = {_bytes(key)} AND value = {_bytes(expected)} AND {_ALIVE} RETURNING 1"
            )
        )

    def close(self) -> None:
        self._psql.kill()
        self._psql.wait()
        with self._lock:
            for stream in (self._psql.stdin, self._psql.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]

    def _run(self, statement: str) -> list[str]:
        """The rows of one statement; raises BackendError for one that fails, and when the server is gone."""
        with self._lock:
            done = f"done-{uuid.uuid4().hex}"
            rows: list[str] = []
            try:
                self._psql.stdin.write(f"{statement};\n\\echo {done} :ERROR\n")  # type: ignore[union-attr]
                self._psql.stdin.flush()  # type: ignore[union-attr]
                for line in self._psql.stdout:  # type: ignore[union-attr]
                    if line.startswith(done):
                        if line.split()[1] == "true":
                            raise BackendError(f"{self.location}: the server refuses a statement: {rows}")
                        return [row for row in rows if row]
                    rows.append(line.rstrip("\n"))
            except (OSError, ValueError) as error:
                raise BackendError(f"{self.location}: {error}") from None
            raise BackendError(f"{self.location}: the connection is lost: {' '.join(rows)}")


def _connected(uri: Any) -> subprocess.Popen[str]:
    """Start psql; the password goes by environment, and options of the real driver are left out."""
    login, _at, servers = uri.netloc.rpartition("@")
    user, _colon, password = login.partition(":")
    options = [(key, value) for key, value in parse_qsl(uri.query) if not key.startswith("pool_")]
    target = f"postgresql://{user}{'@' if user else ''}{servers}{uri.path}?{urlencode(options)}"
    return subprocess.Popen(
        ["psql", "-X", "-q", "-A", "-t", "-w", target],
        env={**os.environ, **({"PGPASSWORD": unquote(password)} if password else {})},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _bytes(text: str) -> str:
    return f"'\\x{text.encode().hex()}'::bytea"


def _item(row: str) -> Item:
    key, value, expires = row.split("|")
    return Item(bytes.fromhex(key).decode(), bytes.fromhex(value).decode(), float(expires) if expires else None)
