# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hop whose migration fails on a real PostgreSQL: the transaction goes back, and no record is lost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, readiness
from ansible_collections.lockstep.teleport.plugins.plugin_utils.teleport_config import summarize
from ansible_collections.lockstep.teleport.tests.backends.conftest import free_port
from ansible_collections.lockstep.teleport.tests.backends.postgres import Postgres, real_host
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost, program
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.test_upgrade import (
    NEW,
    OLD,
    fail,
    make_order,
    run,
    runs,
    tarball,
)

PROGRAMS = ("psql", "pg_dump", "pg_restore", "sh")
#: A migration that changes records, adds some, changes the tables, and never comes to its end.
MIGRATION = """
UPDATE kv SET value = 'half migrated' WHERE key < '/users/50';
DELETE FROM kv WHERE key = '/users/77';
INSERT INTO kv VALUES ('/authorities/new', 'x', NULL, gen_random_uuid());
ALTER TABLE kv ADD COLUMN extra text;
UPDATE backend_version SET version = 2;
"""


class HostWithDatabase(FakeHost):
    """A fake host with real programs of PostgreSQL, on which the new version migrates at each start."""

    def __init__(self, root: Path, server: Postgres) -> None:
        super().__init__(root)
        self._server = server
        self._real = real_host()
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
        if f"process of v{NEW}" in self.log[-1] and "extra" not in self._server.sql(COLUMNS):
            self._server.sql(MIGRATION)
            self.migrations += 1


COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = 'kv'"


@pytest.fixture(scope="module")
def server(certificates: dict[str, Path]) -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="lockstep-postgres-") as home:
        running = Postgres(Path(home), free_port(), certificates)
        running.start()
        yield running
        running.stop()


@pytest.fixture
def fake(server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostWithDatabase:
    server.fresh("teleport", "teleport_audit")
    server.sql(
        "INSERT INTO kv SELECT convert_to('/users/' || n, 'UTF8'), 'v', NULL, gen_random_uuid()"
        " FROM generate_series(1, 100) AS n"
    )
    server.sql("INSERT INTO events SELECT now(), gen_random_uuid(), 'x', gen_random_uuid(), '{}'", "teleport_audit")
    found = HostWithDatabase(tmp_path, server)
    for name in ("teleport", "tctl", "tsh"):
        program(found.bin_dir / name, OLD)
    monkeypatch.setattr(readiness, "probe", found.probe)
    found.start()
    return found


def options(fake: HostWithDatabase, server: Postgres) -> dict[str, Any]:
    """The options of an Auth Service on PostgreSQL, with a backup."""
    audit = server.uri("teleport_audit").replace("'", "''")
    text = (
        "teleport:\n  storage:\n    type: postgresql\n"
        f"    conn_string: \"{server.uri('teleport')}\"\n    audit_events_uri: ['{audit}']\n"
    )
    config = fake.root / "teleport.yaml"
    config.write_text(text)
    return {
        "instance": {
            "services": ["auth"],
            "cluster": "north",
            "config": {
                "path": str(config),
                "diag_addr": "127.0.0.1:3000",
                "data_dir": str(fake.root),
                "storage": summarize(text, {})["storage"],
            },
        },
        "backup": {"directory": str(fake.root / "backups"), "cluster": "north", "keep": 0},
    }


def records(server: Postgres) -> tuple[str, str]:
    return (
        server.sql("SELECT * FROM kv ORDER BY key; SELECT * FROM backend_version"),
        server.sql("SELECT * FROM events; SELECT * FROM audit_version", "teleport_audit"),
    )


@pytest.mark.parametrize("behaviour", ["dies", "never_ready"])
def test_a_failing_migration_is_undone_to_the_last_record(
    fake: HostWithDatabase, server: Postgres, behaviour: str
) -> None:
    before = records(server)
    problem = fail(fake, make_order(fake, artefact=tarball(fake.root, NEW, behaviour), **options(fake, server)))
    assert fake.migrations == 1
    assert problem.rolled_back
    assert runs(fake) == OLD
    assert records(server) == before
    evidence = [path for path in (fake.root / "backups" / "north").iterdir() if path.name.startswith("failed-")]
    assert len(evidence) == 1
    assert (evidence[0] / "postgresql.dump").stat().st_size > 0


def test_a_migration_that_succeeds_stays_and_leaves_a_backup_of_before(
    fake: HostWithDatabase, server: Postgres
) -> None:
    result = run(fake, make_order(fake, **options(fake, server)))
    assert runs(fake) == NEW
    assert "extra" in server.sql(COLUMNS)
    assert result["backup"]["manifest"]["version"] == OLD
    assert result["backup"]["manifest"]["backend"]["counts"]["postgresql.kv"] == 100
    assert backup.list_backups(str(fake.root / "backups"), "north")[0].path == result["backup"]["path"]
