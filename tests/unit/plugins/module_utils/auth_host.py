# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Auth hosts made of files, for the tests of backups: a data directory with real SQLite databases."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.backup import BackupSpec, spec_from_instance

#: As Teleport creates it; the events table is left out because nothing here reads it.
SCHEMA = """
CREATE TABLE IF NOT EXISTS kv (key TEXT NOT NULL PRIMARY KEY, modified INTEGER NOT NULL, expires DATETIME, value BLOB);
CREATE INDEX IF NOT EXISTS kv_expires ON kv (expires);
"""

CONFIG = """\
teleport:
  data_dir: {data}
  storage:
    type: sqlite
auth_service:
  enabled: yes
  license_file: enterprise.pem
proxy_service:
  https_keypairs:
    - {{key_file: {root}/tls/web.key, cert_file: "{root}/tls/web.crt"}}
  # https_key_file: {root}/tls/commented-out.key
"""


def put(database: Path, **rows: str) -> None:
    """Write rows into a Teleport database, creating it when it is not there."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(SCHEMA)
        connection.executemany(
            "INSERT INTO kv VALUES (?, 1, NULL, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value", rows.items()
        )
        connection.commit()


def rows(database: Path) -> dict[str, str]:
    """Return all rows of a Teleport database."""
    with closing(sqlite3.connect(f"file:{database}?immutable=1", uri=True)) as connection:
        return dict(connection.execute("SELECT key, value FROM kv").fetchall())


def make_host(root: Path, name: str = "h1") -> dict[str, Any]:
    """Make an Auth Service's files below *root* and return the instance that an observation of it would give."""
    data, config = root / "data", root / "teleport.yaml"
    for folder in (data / "backend", data / "proc", root / "tls"):
        folder.mkdir(parents=True)
    put(data / "backend" / "sqlite.db", alice="user", north="cluster")
    put(data / "proc" / "sqlite.db", **{"last-known-version": "16.5.13"})
    (data / "host_uuid").write_text(f"uuid-of-{name}\n")
    (data / "enterprise.pem").write_text("a licence")
    for secret in ("web.key", "web.crt", "commented-out.key"):
        (root / "tls" / secret).write_text(secret)
    config.write_text(CONFIG.format(root=root, data=data))
    (root / "teleport.service").write_text("[Service]\n")
    return {
        "host": name,
        "cluster": "north",
        "version": "16.5.13",
        "running_version": "16.5.13",
        "edition": "enterprise",
        "unit": {"name": "teleport.service", "fragment_path": str(root / "teleport.service")},
        "config": {
            "path": str(config),
            "data_dir": str(data),
            "storage": {"type": "sqlite", "path": str(data / "backend")},
        },
    }


def make_spec(root: Path, name: str = "h1") -> BackupSpec:
    """Make the files of an Auth Service and the spec of its backups."""
    return spec_from_instance(make_host(root, name), str(root / "backups"))


_HOLD = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
[connection.execute(statement).fetchall() for statement in sys.argv[2].split(";")]
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(database: Path, statements: str = "SELECT 1") -> Iterator[int]:
    """Have another process keep a database open, as a running Auth Service does; give its process id.

    It runs *statements* first, and is killed in the end, so that journals stay behind as after a crash.
    """
    command = [sys.executable, "-c", _HOLD, str(database), statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.kill()
