# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL backend against a real server, with TLS and a password that only teleport.yaml holds."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import postgresql, postgresql_client
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.plugin_utils.teleport_config import summarize
from ansible_collections.lockstep.teleport.tests.backends.postgres import PASSWORD, QUOTED, Postgres
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_host

ROWS = 3000
SECONDS = count(1795374000)
CONFIG = """\
teleport:
  data_dir: {data}
  storage:
    type: postgresql
    conn_string: {state}
    # conn_string: {state}-old
    audit_events_uri: ["file:///var/lib/teleport/log", '{audit}']
auth_service:
  enabled: yes
"""


def now() -> float:
    return float(next(SECONDS))


@pytest.fixture
def spec(server: Postgres, tmp_path: Path) -> backup.BackupSpec:
    server.fresh("teleport", "teleport_audit")
    server.sql(
        f"INSERT INTO kv SELECT convert_to('/nodes/' || n, 'UTF8'), sha256(n::text::bytea), NULL, gen_random_uuid() "
        f"FROM generate_series(1, {ROWS}) AS n;"
        "INSERT INTO kv VALUES ('/odd', '\\x00ff0a5c', now(), gen_random_uuid());"
        "CREATE TABLE foreign_table (t text); INSERT INTO foreign_table VALUES ('theirs');"
    )
    server.sql(
        "INSERT INTO events SELECT now(), gen_random_uuid(), 'user.login', gen_random_uuid(), "
        '\'{"a": "tab\\t\\\\. nl\\n"}\' FROM generate_series(1, 50);',
        "teleport_audit",
    )
    return make_spec(server, tmp_path)


def make_spec(server: Postgres, root: Path) -> backup.BackupSpec:
    instance = make_host(root)
    config = Path(instance["config"]["path"])
    audit = server.uri("teleport_audit", "postgres").replace("'", "''")
    text = CONFIG.format(data=root / "data", state=server.uri("teleport"), audit=audit)
    config.write_text(text)
    instance["config"]["storage"] = summarize(text, {})["storage"]
    return backup.spec_from_instance(instance, str(root / "backups"), host=Host())


def state(server: Postgres) -> tuple[str, ...]:
    return (
        server.sql("SELECT * FROM kv ORDER BY key; SELECT * FROM backend_version; SELECT * FROM foreign_table"),
        server.sql("SELECT * FROM events ORDER BY event_id; SELECT * FROM audit_version", "teleport_audit"),
    )


def migrate(server: Postgres) -> None:
    server.sql(
        "UPDATE kv SET value = 'migrated' WHERE key < '/nodes/5';"
        "INSERT INTO kv VALUES ('/new', 'x', NULL, gen_random_uuid())"
    )
    server.sql("DELETE FROM kv WHERE key = '/odd'")
    server.sql("DELETE FROM events WHERE event_id IN (SELECT event_id FROM events LIMIT 3)", "teleport_audit")


def test_what_is_saved_comes_back_and_nothing_else_is_touched(server: Postgres, spec: backup.BackupSpec) -> None:
    saved = state(server)
    taken = backup.take_backup(spec, now=now)
    assert taken.manifest["backend"]["counts"] == {
        "postgresql.kv": ROWS + 1, "postgresql.backend_version": 1, "audit.events": 50, "audit.audit_version": 1,
    }  # fmt: skip
    server.as_superuser("GRANT SELECT ON kv TO pg_monitor; CREATE PUBLICATION feed FOR TABLE kv", "teleport")
    migrate(server)
    server.sql("INSERT INTO foreign_table VALUES ('also theirs'); CREATE TABLE later (n int)")
    restored = backup.restore_backup(taken.path, spec, now=now)
    assert restored.changed
    server.sql("DELETE FROM foreign_table WHERE t = 'also theirs'; DROP TABLE later")
    assert state(server) == saved
    assert "pg_monitor" in server.sql("SELECT relacl FROM pg_class WHERE relname = 'kv'"), "grants stay"
    assert server.sql("SELECT count(*) FROM pg_publication_tables") == "1\n", "a publication keeps its table"
    again = backup.restore_backup(taken.path, spec, now=now)
    assert (again.changed, again.evidence) == (False, None)


def test_a_changed_table_is_put_back_as_it_was(server: Postgres, spec: backup.BackupSpec) -> None:
    saved = state(server)
    taken = backup.take_backup(spec, now=now)
    server.sql(
        "ALTER TABLE kv ADD COLUMN extra text DEFAULT 'x'; DROP INDEX kv_expires_idx;"
        "UPDATE backend_version SET version = 2"
    )
    server.sql("DROP TABLE events", "teleport_audit")
    backup.restore_backup(taken.path, spec, now=now)
    assert state(server) == saved
    assert "kv_expires_idx" in server.sql("SELECT indexname FROM pg_indexes")


def test_the_state_found_is_kept_and_can_be_read(server: Postgres, spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec, now=now)
    migrate(server)
    evidence = backup.restore_backup(taken.path, spec, now=now).evidence
    found = postgresql_client.contents(spec.means, os.path.join(str(evidence), "postgresql.dump"))
    assert found == {"kv": ROWS + 1, "backend_version": 1}


def test_no_secret_leaves_the_configuration(
    server: Postgres, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[str] = []
    assert spec.host is not None
    real = spec.host.run_command

    def noting(arguments: list[str], **options: Any) -> Any:
        commands.append(json.dumps([arguments, options.get("data")]))
        return real(arguments, **options)

    taken = backup.take_backup(
        dataclasses.replace(spec, host=dataclasses.replace(spec.host, run_command=noting)), now=now
    )
    everything = json.dumps(taken.manifest) + json.dumps(dict(spec.storage)) + "".join(commands)
    assert "p%40" not in everything
    assert "ss:w" not in everything
    assert commands
    for where, _folders, names in os.walk(taken.path):
        assert stat.S_IMODE(os.stat(where).st_mode) == 0o700
        for name in names:
            path = Path(where, name)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            if name != "teleport.yaml":
                assert QUOTED.encode() not in path.read_bytes(), path
                assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_backup_while_others_write_is_of_one_moment(server: Postgres, spec: backup.BackupSpec) -> None:
    """Every writing transaction keeps two counters equal, so a torn backup shows."""
    server.sql("INSERT INTO kv VALUES ('/a', '0', NULL, gen_random_uuid()), ('/zz', '0', NULL, gen_random_uuid())")
    over = threading.Event()

    def write() -> None:
        with server.session() as session:
            assert session.stdin is not None
            for number in count(1):
                if over.is_set():
                    break
                session.stdin.write(
                    f"BEGIN; UPDATE kv SET value = '{number}' WHERE key = '/a'; UPDATE kv SET value = '{number}' "
                    f"WHERE key = '/zz'; INSERT INTO kv VALUES ('/w/{number}', 'w', NULL, gen_random_uuid()); COMMIT;\n"
                )
                session.stdin.flush()
                time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(BackupError, match=r"still used by teleport from 127.0.0.1"):
            backup.take_backup(
                dataclasses.replace(spec, host=Host(sleep=lambda _s: None, clock=count(0, 5).__next__)), now=now
            )
        taken = backup.take_backup(spec, serving=True, now=now)
    finally:
        over.set()
        writer.join()
    backup.restore_backup(taken.path, spec, now=now)
    assert server.sql("SELECT count(DISTINCT value) FROM kv WHERE key IN ('/a', '/zz')") == "1\n"
    last = int(server.sql("SELECT convert_from(value, 'UTF8') FROM kv WHERE key = '/a'"))
    assert server.sql("SELECT count(*) FROM kv WHERE key >= '/w/' AND key < '/w0'") == f"{last}\n"


def test_a_change_feed_shows_an_auth_service_of_another_role(server: Postgres, spec: backup.BackupSpec) -> None:
    server.as_superuser("ALTER ROLE postgres PASSWORD 'superuser''s'")
    with server.session(bufsize=1) as feed:
        assert feed.stdin is not None
        assert feed.stdout is not None
        feed.stdin.write(
            "SELECT slot_name FROM pg_create_logical_replication_slot('feed_of_an_auth', 'pgoutput', true);\n"
        )
        assert feed.stdout.readline() == "feed_of_an_auth\n"
        impatient = dataclasses.replace(spec, host=Host(sleep=lambda _s: None, clock=count(0, 5).__next__))
        with pytest.raises(BackupError, match="the change feed feed_of_an_auth"):
            backup.take_backup(impatient, now=now)
        feed.stdin.close()
    backup.take_backup(spec, now=now)


@pytest.mark.parametrize("harm", ["truncated", "tampered"])
def test_a_damaged_dump_is_refused(server: Postgres, spec: backup.BackupSpec, harm: str) -> None:
    taken = backup.take_backup(spec, now=now)
    path = Path(taken.path, "postgresql.dump")
    content = path.read_bytes()
    changed = content[:-2000] if harm == "truncated" else content[:-3000] + b"\0" * 200 + content[-2800:]
    path.write_bytes(changed)
    with pytest.raises(BackupError, match="damaged"):
        backup.restore_backup(taken.path, spec, now=now)
    # Even with a manifest that was made to fit.
    backend = postgresql.PostgresqlBackend.from_storage(spec.storage, spec.means)
    with pytest.raises(BackupError):
        backend.verify(taken.path, taken.manifest["backend"])


def test_a_foreign_backup_is_refused(server: Postgres, spec: backup.BackupSpec, tmp_path: Path) -> None:
    taken = backup.take_backup(spec, now=now)
    server.fresh("other", "other_audit")
    text = (
        Path(spec.config_path).read_text().replace("/teleport?", "/other?").replace("/teleport_audit?", "/other_audit?")
    )
    Path(spec.config_path).write_text(text)
    other = dataclasses.replace(spec, storage=summarize(text, {})["storage"])
    with pytest.raises(BackupError, match=r"the backend is postgresql at .*/other.*the backup is of postgresql at"):
        backup.restore_backup(taken.path, other, now=now)
    with pytest.raises(BackupError, match="is a backup of cluster 'north', not of 'south'"):
        backup.restore_backup(taken.path, dataclasses.replace(spec, cluster="south"), now=now)


def test_a_server_killed_during_the_backup_leaves_none(
    server: Postgres, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = state(server)
    kill_at_the_dump(server, monkeypatch)
    with pytest.raises(BackupError, match="pg_dump fails"):
        backup.take_backup(spec, now=now)
    assert [name for name in os.listdir(spec.home) if name != ".lock"] == []
    monkeypatch.undo()
    server.start()
    taken = backup.take_backup(spec, now=now)
    migrate(server)
    backup.restore_backup(taken.path, spec, now=now)
    assert state(server) == saved


def kill_at_the_dump(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the server killed when its snapshot is held and pg_dump is about to read."""
    script = postgresql_client._DUMP_SCRIPT
    mark = server.home / "begun"
    waiting = f"\\! touch {mark}; sleep 1\n"
    monkeypatch.setattr(postgresql_client, "_DUMP_SCRIPT", script.replace("\\!", waiting + "\\!", 1))
    threading.Thread(target=_kill_at, args=(server, mark)).start()


def _kill_at(server: Postgres, mark: Path) -> None:
    deadline = time.monotonic() + 30
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    mark.unlink()
    server.kill()


def test_a_server_killed_during_the_restore_keeps_what_it_had(
    server: Postgres, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = state(server)
    taken = backup.take_backup(spec, now=now)
    migrate(server)
    migrated = state(server)
    mark = server.home / "begun"
    script = postgresql_client._RESTORE_SCRIPT
    slow = script.replace('&& "$LOCKSTEP_PG_RESTORE"', f'&& touch {mark} && sleep 1 && "$LOCKSTEP_PG_RESTORE"')
    assert slow != script
    monkeypatch.setattr(postgresql_client, "_RESTORE_SCRIPT", slow)
    killer = threading.Thread(target=_kill_at, args=(server, mark))
    killer.start()
    with pytest.raises(BackupError, match="Nothing was changed"):
        backup.restore_backup(taken.path, spec, now=now)
    killer.join()
    monkeypatch.undo()
    server.start()
    assert state(server) == migrated
    assert backup.restore_backup(taken.path, spec, now=now).changed
    assert state(server) == saved


def test_killed_between_the_databases_a_second_restore_finishes(
    server: Postgres, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = state(server)
    taken = backup.take_backup(spec, now=now)
    migrate(server)
    pid = os.fork()
    if pid == 0:
        original = postgresql_client.Client.load

        def deadly(self: postgresql_client.Client, file_name: str, begin: str, how: str) -> None:
            original(self, file_name, begin, how)
            os._exit(9)

        postgresql_client.Client.load = deadly  # type: ignore[method-assign]
        backup.restore_backup(taken.path, spec, now=now)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert state(server)[0] == saved[0]
    assert state(server)[1] != saved[1]
    backup.restore_backup(taken.path, spec, now=now)
    assert state(server) == saved


def test_a_dump_that_breaks_off_is_never_committed(
    server: Postgres, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = backup.take_backup(spec, now=now)
    migrate(server)
    migrated = state(server)
    script = postgresql_client._RESTORE_SCRIPT
    monkeypatch.setattr(
        postgresql_client,
        "_RESTORE_SCRIPT",
        script.replace('"$LOCKSTEP_FILE" &&', '"$LOCKSTEP_FILE" | head -c 9000 && false &&'),
    )
    with pytest.raises(BackupError, match="Nothing was changed"):
        backup.restore_backup(taken.path, spec, now=now)
    assert state(server) == migrated


def test_missing_and_old_programs_are_told_before_anything_else(
    server: Postgres, spec: backup.BackupSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("psql", "pg_dump", "pg_restore"):
        (tools / name).write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo \'{name} (PostgreSQL) 12.3\' && exit\nexec /usr/bin/{name} "$@"\n'
        )
        (tools / name).chmod(0o755)
    monkeypatch.setattr(postgresql_client.Client.__init__, "__defaults__", ((),))
    assert spec.host is not None
    old = dataclasses.replace(spec, host=dataclasses.replace(spec.host, environment={"PATH": f"{tools}:/usr/bin:/bin"}))
    with pytest.raises(BackupError, match=r"version 1[5-9] or newer \(.* is 1\d\), and pg_dump is 12. Install"):
        backup.check(old, serving=True)
    none = dataclasses.replace(
        spec,
        host=dataclasses.replace(spec.host, environment={"PATH": "/nonexistent"}),
    )
    with pytest.raises(BackupError, match=r"none of that name is there. Install PostgreSQL's client"):
        backup.check(none, serving=True)


def test_a_refused_password_is_told_without_it(server: Postgres, spec: backup.BackupSpec) -> None:
    config = Path(spec.config_path)
    config.write_text(config.read_text().replace(QUOTED, "wrong-one"))
    with pytest.raises(BackupError, match="password authentication failed") as refused:
        backup.check(spec, serving=True)
    assert "wrong-one" not in str(refused.value)


def test_an_untrusted_server_is_refused(
    server: Postgres, spec: backup.BackupSpec, certificates: dict[str, Path]
) -> None:
    config = Path(spec.config_path)
    text = config.read_text().replace(str(certificates["ca.crt"]), str(certificates["client.crt"]))
    config.write_text(text)
    other = dataclasses.replace(spec, storage=summarize(text, {})["storage"])
    with pytest.raises(BackupError, match="certificate verify failed"):
        backup.check(other, serving=True)


def test_a_full_disk_leaves_no_backup(
    server: Postgres, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file system says that it is full in the middle of the dump: a limit of the file size acts the same way."""
    script = postgresql_client._DUMP_COMMAND
    monkeypatch.setattr(postgresql_client, "_DUMP_COMMAND", "trap '' XFSZ; ulimit -f 8; " + script)
    with pytest.raises(BackupError, match="pg_dump fails: .*could not write"):
        backup.take_backup(spec, now=now)
    monkeypatch.undo()
    assert backup.list_backups(spec.directory, spec.cluster) == []
    monkeypatch.setattr(durable, "free_bytes", lambda _path: 1 << 20)
    with pytest.raises(BackupError, match="1 MiB are free"):
        backup.take_backup(spec, now=now)


def test_an_empty_database_is_no_backup(server: Postgres, spec: backup.BackupSpec) -> None:
    server.sql("DROP TABLE kv")
    with pytest.raises(BackupError, match="there is no table 'kv'"):
        backup.take_backup(spec, now=now)
