# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hop whose migration fails, on each kind of store: the transaction goes back by itself, and no record is lost.

The host is a model, the stores are real: files, SQLite, Bolt, and the servers of etcd and PostgreSQL. DynamoDB has a
test of its own, and the scenario ``roll_back_failed_migration`` does the same on whole hosts.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, readiness
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import KeyValue
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.plugin_utils.teleport_config import summarize
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd
from ansible_collections.lockstep.teleport.tests.backends.postgres import Postgres
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import put, rows
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost, program
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.test_upgrade import (
    fail,
    make_order,
    run,
    runs,
    tarball,
)

PROGRAMS = ("psql", "pg_dump", "pg_restore", "sh")
#: Changes records, adds some, changes the tables; so does each migration below, as far as its store has such things.
MIGRATION = """
UPDATE kv SET value = 'half migrated' WHERE key < '/users/50';
DELETE FROM kv WHERE key = '/users/77';
INSERT INTO kv VALUES ('/authorities/new', 'x', NULL, gen_random_uuid());
ALTER TABLE kv ADD COLUMN extra text;
UPDATE backend_version SET version = 2;
"""
RECORDS = "SELECT * FROM kv ORDER BY key; SELECT * FROM backend_version"
EVENTS = "SELECT * FROM events; SELECT * FROM audit_version"
FIRST_KEYS = [KeyValue(b"/teleport/users/%d" % number, b"v", 0) for number in range(100)]


@dataclass(frozen=True)
class Store:
    """A store with records in it.

    :param section: the text of ``teleport.storage``.
    :param records: reads everything there is.
    :param migrate: what the new version does to it at its start.
    :param versions: the two of the hop.
    :param evidence: a file that a restore leaves of the migrated state.
    """

    section: str
    records: Callable[[], object]
    migrate: Callable[[], object]
    versions: tuple[str, str]
    evidence: str


class MigratingHost(FakeHost):
    """A fake host on which the new version migrates a real store, and the programs of PostgreSQL are real."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._real = Host()
        self.store: Store | None = None
        self.migrations = 0

    def run_command(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        """Run PostgreSQL's programs, and answer for all others."""
        if Path(command[0]).name in PROGRAMS:
            done: tuple[int, str, str] = self._real.run_command(command, **options)
            return done
        return super().run_command(command, **options)

    def spawn(self) -> None:
        """Start a process; the new version's first act is its migration."""
        super().spawn()
        if self.store and f"process of v{self.store.versions[1]}" in self.log[-1] and not self.migrations:
            self.migrations += 1
            self.store.migrate()


def of_files(data: Path, **_servers: Any) -> Store:
    """One file per record, as before 4.0, which the first 4.0 takes over into SQLite."""
    folder = data / "backend"
    folder.mkdir()
    for number in range(100):
        (folder / f"%2Fusers%2F{number}").write_text(f"user {number}")

    def migrate() -> None:
        put(folder / "sqlite.db", migrated="x")
        (folder / "%2Fusers%2F7").unlink()
        (folder / "%2Fusers%2F8").write_text("half migrated")

    return Store("type: dir", lambda: contents(folder), migrate, ("3.2.17", "4.0.16"), "dir/%2Fusers%2F8")


def of_sqlite(data: Path, **_servers: Any) -> Store:
    """Teleport's database, with a write-ahead log that the old version left."""
    folder = data / "backend"
    folder.mkdir()
    database = folder / "sqlite.db"
    put(database, **{f"user-{number}": "v" for number in range(100)})

    def migrate() -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript("PRAGMA journal_mode = WAL; DELETE FROM kv WHERE key = 'user-7'")
            connection.execute("UPDATE kv SET value = 'half migrated' WHERE key < 'user-5'")
            connection.commit()

    return Store("type: sqlite", lambda: rows(database), migrate, ("5.2.5", "6.2.31"), "sqlite.db")


def of_bolt(data: Path, etcd: Etcd, **_servers: Any) -> Store:
    """A file of the real library, a copy of the one that etcd keeps its keys in."""
    database = data / "keys.db"
    shutil.copy(etcd.database, database)

    def migrate() -> None:
        content = database.read_bytes()
        database.write_bytes(content[:8192] + b"half migrated" + content[8205:])

    return Store("type: bolt", lambda: contents(data), migrate, ("3.1.14", "3.2.17"), "keys.db")


def of_etcd(etcd: Etcd, **_others: Any) -> Store:
    """Keys in a store that others use too."""
    foreign = KeyValue(b"/other", b"theirs", 0)
    with closing(etcd.client()) as client:
        client.delete(b"\0", b"\xff")
        client.put(FIRST_KEYS)
        client.put([foreign])

    def migrate() -> None:
        with closing(etcd.client()) as client:
            client.delete(b"/teleport/users/7", b"/teleport/users/71")
            client.put([KeyValue(b"/teleport/users/8", b"half migrated", 0), KeyValue(b"/teleport/new", b"x", 0)])

    section = f"type: etcd\n    peers: ['{etcd.url}']\n    prefix: /teleport"
    return Store(section, lambda: everything(etcd), migrate, ("5.2.5", "6.2.31"), "etcd.jsonl")


def of_postgresql(server: Postgres, **_others: Any) -> Store:
    """Teleport's tables, with the audit log in another database."""
    fresh(server)
    section = f'type: postgresql\n    conn_string: "{server.uri("teleport")}"\n    {audit_uri(server)}'
    return Store(
        section,
        lambda: (server.sql(RECORDS), server.sql(EVENTS, "teleport_audit")),
        lambda: server.sql(MIGRATION),
        ("13.4.26", "14.3.32"),
        "postgresql.dump",
    )


def of_sqlite_beside_postgresql(data: Path, server: Postgres, **_others: Any) -> Store:
    """State in SQLite, and the audit log in PostgreSQL, whose tables the new version changes too."""
    fresh(server)
    state = of_sqlite(data)

    def migrate() -> None:
        state.migrate()
        server.sql("ALTER TABLE events ADD COLUMN extra text; UPDATE audit_version SET version = 2", "teleport_audit")

    return Store(
        f"{state.section}\n    {audit_uri(server)}",
        lambda: (state.records(), server.sql(EVENTS, "teleport_audit")),
        migrate,
        ("15.5.4", "16.5.12"),
        "audit.dump",
    )


def fresh(server: Postgres) -> None:
    server.fresh("teleport", "teleport_audit")
    server.sql(
        "INSERT INTO kv SELECT convert_to('/users/' || n, 'UTF8'), 'v', NULL, gen_random_uuid()"
        " FROM generate_series(1, 100) AS n"
    )
    server.sql("INSERT INTO events SELECT now(), gen_random_uuid(), 'x', gen_random_uuid(), '{}'", "teleport_audit")


def audit_uri(server: Postgres) -> str:
    quoted = server.uri("teleport_audit").replace("'", "''")
    return f"audit_events_uri: ['{quoted}']"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def everything(etcd: Etcd) -> list[KeyValue]:
    with closing(etcd.client()) as client:
        return [entry for page in client.pages(b"\0", b"\xff", client.revision(b"x")) for entry in page]


KINDS: dict[str, Callable[..., Store]] = {
    "dir": of_files,
    "sqlite": of_sqlite,
    "bolt": of_bolt,
    "etcd": of_etcd,
    "postgresql": of_postgresql,
    "sqlite, audit in postgresql": of_sqlite_beside_postgresql,
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MigratingHost:
    found = MigratingHost(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(readiness, "probe", found.probe)
    return found


@pytest.fixture(params=sorted(KINDS))
def store(request: pytest.FixtureRequest, fake: MigratingHost, plain_etcd: Etcd, server: Postgres) -> Store:
    """A store of each kind, and the old version running on it."""
    made = KINDS[request.param](data=fake.root / "data", etcd=plain_etcd, server=server)
    fake.store = made
    for name in ("teleport", "tctl", "tsh"):
        program(fake.bin_dir / name, made.versions[0])
    fake.start()
    return made


def options(fake: MigratingHost, store: Store) -> dict[str, Any]:
    """The options of an Auth Service on that store, with a backup."""
    data = fake.root / "data"
    text = f"teleport:\n  data_dir: {data}\n  storage:\n    {store.section}\n"
    config = fake.root / "teleport.yaml"
    config.write_text(text)
    return {
        "instance": {
            "services": ["auth"],
            "cluster": "north",
            "config": {
                "path": str(config),
                "diag_addr": "127.0.0.1:3000",
                "data_dir": str(data),
                "storage": summarize(text, {})["storage"],
            },
        },
        "backup": {"directory": str(fake.root / "backups"), "cluster": "north", "keep": 0},
    }


@pytest.mark.parametrize("behaviour", ["dies", "never_ready"])
def test_it_is_undone_to_the_last_record(fake: MigratingHost, store: Store, behaviour: str) -> None:
    old, new = store.versions
    before = store.records()
    problem = fail(fake, make_order(fake, new, tarball(fake.root, new, behaviour), **options(fake, store)))
    assert fake.migrations == 1
    assert problem.rolled_back
    assert runs(fake) == old
    assert store.records() == before
    [evidence] = [path for path in (fake.root / "backups" / "north").iterdir() if path.name.startswith("failed-")]
    assert (evidence / store.evidence).stat().st_size > 0


def test_one_that_succeeds_stays_and_leaves_a_backup_of_before(fake: MigratingHost, store: Store) -> None:
    old, new = store.versions
    before = store.records()
    result = run(fake, make_order(fake, new, **options(fake, store)))
    assert runs(fake) == new
    assert store.records() != before
    assert result["backup"]["manifest"]["version"] == old
    [kept] = backup.list_backups(str(fake.root / "backups"), "north")
    assert kept.path == result["backup"]["path"]
