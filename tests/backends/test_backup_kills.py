# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backup, restore and sealing killed before every single step, and an etcd killed in the middle of both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, backup_store
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd import EtcdBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import PAGE, EtcdClient, KeyValue
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import Cipher
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.plugin_utils.teleport_config import summarize
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd
from ansible_collections.lockstep.teleport.tests.backends.dying import killed_at_every_step
from ansible_collections.lockstep.teleport.tests.backends.postgres import Postgres
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import (
    make_host,
    make_spec,
    put,
    rows,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

SAVED = {"alice": "user", "north": "cluster"}
KEYS = {b"/teleport/nodes/%05d" % number: os.urandom(40) for number in range(PAGE + 150)}
FOREIGN = {b"/teleport": b"no key of ours", b"/teleport0": b"2", b"/other": b"3"}
MIGRATION = "UPDATE kv SET value = 'migrated'; ALTER TABLE kv ADD COLUMN extra text"
SECONDS = iter(count(1795374000))


def now() -> float:
    return float(next(SECONDS))


def names(spec: backup.BackupSpec) -> list[str]:
    return sorted(name for name in os.listdir(spec.home) if name != ".lock")


def database(spec: backup.BackupSpec, folder: str = "backend") -> Path:
    return Path(spec.data_dir) / folder / "sqlite.db"


def all_verify(spec: backup.BackupSpec) -> list[str]:
    """Return the folders that pass for a backup, having read each of them back."""
    return [backup.verify_backup(one.path, spec.cluster).path for one in backup.list_backups(spec.directory, "north")]


def test_a_backup_killed_anywhere_leaves_whole_backups_only(memory: Path) -> None:
    spec = make_spec(memory)
    before = 0
    for at in killed_at_every_step(lambda: backup.take_backup(spec, now=now)):
        found = len(all_verify(spec)) if os.path.isdir(spec.home) else 0
        assert found - before in (0, 1), f"killed before step {at}"
        backup.take_backup(spec, now=now)
        assert len(all_verify(spec)) == found + 1
        assert not [name for name in names(spec) if name.startswith(".")], f"killed before step {at}"
        before = found + 1
        backup.prune_backups(spec, 1)
        before = 1
    assert at > 30


def test_sealing_killed_anywhere_loses_no_backup(memory: Path, age: Cipher) -> None:
    spec = make_spec(memory)
    backup.take_backup(spec, now=now)
    for at in killed_at_every_step(lambda: seal(spec, age), every=4):
        seal(spec, age)
        [one] = backup.list_backups(spec.directory, "north")
        assert names(spec) == [os.path.basename(one.path)], f"killed before step {at}"
        assert one.path.endswith(".age")
        backup.verify_backup(one.path, spec.cluster, spec.means, age)
        backup.take_backup(spec, now=now)
        shutil.rmtree(one.path)
    assert at > 30


def seal(spec: backup.BackupSpec, cipher: Cipher) -> list[str]:
    return backup_store.seal_backups(spec.directory, spec.cluster, cipher)


@pytest.mark.parametrize(("sealed", "every", "steps"), [(False, 2, 25), (True, 6, 40)], ids=["plain", "sealed"])
def test_a_restore_killed_anywhere_is_finished(memory: Path, age: Cipher, sealed: bool, every: int, steps: int) -> None:
    spec = make_spec(memory)
    cipher = age if sealed else None
    taken = backup.take_backup(spec, now=now, cipher=cipher)
    put(database(spec), alice="migrated user")
    for at in killed_at_every_step(lambda: backup.restore_backup(taken.path, spec, now, cipher), every):
        backup.restore_backup(taken.path, spec, now, cipher)
        assert rows(database(spec)) == SAVED
        assert not [name for name in names(spec) if name.startswith(".")], f"killed before step {at}"
        put(database(spec), alice="migrated user")
    assert at > steps


# -- PostgreSQL


def test_a_postgresql_restore_killed_anywhere_is_finished(server: Postgres, tmp_path: Path) -> None:
    server.fresh("teleport", "teleport_audit")
    server.sql("INSERT INTO kv VALUES ('/users/alice', 'v', NULL, gen_random_uuid())")
    instance = make_host(tmp_path)
    config = Path(instance["config"]["path"])
    config.write_text(
        f"teleport:\n  storage:\n    type: postgresql\n    conn_string: '{quoted(server, 'teleport')}'\n"
        f"    audit_events_uri: ['{quoted(server, 'teleport_audit')}']\n"
    )
    instance["config"]["storage"] = summarize(config.read_text(), {})["storage"]
    spec = backup.spec_from_instance(instance, str(tmp_path / "backups"), host=Host())
    saved = tables(server)
    taken = backup.take_backup(spec, now=now)
    server.sql(MIGRATION)
    server.sql("ALTER TABLE audit_version ADD COLUMN extra text", "teleport_audit")
    for at in killed_at_every_step(lambda: backup.restore_backup(taken.path, spec, now), every=7):
        backup.restore_backup(taken.path, spec, now)
        assert tables(server) == saved, f"killed before step {at}"
        server.sql(MIGRATION)
    assert at > 25


def quoted(server: Postgres, name: str) -> str:
    return server.uri(name).replace("'", "''")


def tables(server: Postgres) -> tuple[str, str]:
    return server.sql("SELECT * FROM kv"), server.sql("SELECT * FROM audit_version", "teleport_audit")


# -- etcd


@pytest.fixture
def client(plain_etcd: Etcd) -> Iterator[EtcdClient]:
    with closing(plain_etcd.client()) as opened:
        opened.delete(b"\0", b"\xff")
        store(opened, {**KEYS, **FOREIGN})
        yield opened


@pytest.fixture
def spec(plain_etcd: Etcd, memory: Path) -> backup.BackupSpec:
    instance = make_host(memory)
    instance["config"]["storage"] = plain_etcd.storage
    return backup.spec_from_instance(instance, str(memory / "backups"))


def store(client: EtcdClient, entries: dict[bytes, bytes]) -> None:
    listed = [KeyValue(key, value, 0) for key, value in entries.items()]
    for start in range(0, len(listed), 100):
        client.put(listed[start : start + 100])


def everything(client: EtcdClient) -> dict[bytes, bytes]:
    revision = client.revision(b"x")
    return {entry.key: entry.value for page in client.pages(b"\0", b"\xff", revision) for entry in page}


def test_an_etcd_restore_killed_anywhere_is_finished(client: EtcdClient, spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec, serving=True, now=now)
    for at in killed_at_every_step(lambda: backup.restore_backup(taken.path, spec, now), every=2):
        backup.restore_backup(taken.path, spec, now)
        assert everything(client) == {**KEYS, **FOREIGN}, f"killed before step {at}"
        client.delete(b"/teleport/nodes/00100", b"/teleport/nodes/00200")
        store(client, {b"/teleport/authorities/jwt": b"migrated"})
    assert at > 20


def test_an_etcd_killed_during_a_backup(
    client: EtcdClient, plain_etcd: Etcd, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = EtcdClient.pages

    def dying(self: EtcdClient, *arguments: Any) -> Iterator[list[KeyValue]]:
        for page in original(self, *arguments):
            yield page
            plain_etcd.stop()

    monkeypatch.setattr(EtcdBackend, "size_bytes", lambda _self: 1000)
    monkeypatch.setattr(EtcdClient, "pages", dying)
    with pytest.raises(BackupError, match=r"etcd does not answer"):
        backup.take_backup(spec, serving=True, now=now)
    monkeypatch.undo()
    assert names(spec) == []
    plain_etcd.start()
    taken = backup.take_backup(spec, serving=True, now=now)
    assert taken.manifest["backend"]["counts"]["keys"] == len(KEYS)


def test_an_etcd_killed_during_a_restore(
    client: EtcdClient, plain_etcd: Etcd, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = backup.take_backup(spec, serving=True, now=now)
    store(client, {b"/teleport/authorities/jwt": b"migrated"})
    original = EtcdClient.put

    def dying(self: EtcdClient, entries: Any) -> None:
        original(self, entries)
        plain_etcd.stop()

    monkeypatch.setattr(EtcdClient, "put", dying)
    with pytest.raises(BackupError, match=r"etcd does not answer"):
        backup.restore_backup(taken.path, spec, now)
    monkeypatch.undo()
    plain_etcd.start()
    assert everything(client) != {**KEYS, **FOREIGN}
    assert backup.restore_backup(taken.path, spec, now).changed
    assert everything(client) == {**KEYS, **FOREIGN}
