# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups while somebody writes, on a disk that fills up, two at once, and drills on real servers."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    backup,
    backup_drill,
    backup_store,
    durable,
    trees,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import etcd_scratch
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd import read_entries
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import EtcdClient, KeyValue
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_host, make_spec, put

_WRITER = """\
import sqlite3, sys, itertools
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("PRAGMA journal_mode = " + sys.argv[2]).fetchall()
for number in itertools.count():
    connection.execute("BEGIN IMMEDIATE")
    for side in ("left", "right"):
        connection.execute("INSERT INTO kv VALUES (?, 1, NULL, 'x')", (f"{side}-{number}",))
    connection.execute("COMMIT")
    if number == 20:
        print("writing", flush=True)
"""


@pytest.fixture
def spec(tmp_path: Path) -> backup.BackupSpec:
    return make_spec(tmp_path)


def database(spec: backup.BackupSpec) -> Path:
    return Path(spec.data_dir) / "backend" / "sqlite.db"


@contextmanager
def writing(path: Path, journal: str) -> Iterator[None]:
    command = [sys.executable, "-c", _WRITER, str(path), journal]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "writing\n"
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_sqlite_backup_during_writes_holds_whole_transactions(spec: backup.BackupSpec, journal: str) -> None:
    with writing(database(spec), journal):
        taken = [backup.take_backup(spec, serving=True) for _again in range(3)]
    sizes = []
    for one in taken:
        backup.verify_backup(one.path)
        with closing(sqlite3.connect(f"file:{one.path}/sqlite.db?immutable=1", uri=True)) as connection:
            sides = [
                connection.execute("SELECT count(*) FROM kv WHERE key LIKE ?", (f"{side}-%",)).fetchone()[0]
                for side in ("left", "right")
            ]
        assert sides[0] == sides[1] > 20
        sizes.append(sides[0])
    assert sizes == sorted(sizes)


def test_an_etcd_backup_during_writes_holds_whole_transactions(plain_etcd: Etcd, tmp_path: Path) -> None:
    spec = etcd_spec(plain_etcd, tmp_path)
    with closing(plain_etcd.client()) as client:
        client.delete(b"\0", b"\xff")
        ended = threading.Event()

        def write() -> None:
            number = 0
            while not ended.is_set():
                client.put([KeyValue(b"/teleport/%s/%06d" % (side, number), b"x", 0) for side in (b"left", b"right")])
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while client.count(b"/teleport/", b"/teleport0") < 100:
                pass
            taken = backup.take_backup(spec, serving=True)
        finally:
            ended.set()
            writer.join()
    keys = [entry.key for entry in read_entries(f"{taken.path}/etcd.jsonl")]
    left = {key.rsplit(b"/")[-1] for key in keys if b"/left/" in key}
    assert left == {key.rsplit(b"/")[-1] for key in keys if b"/right/" in key}
    assert len(left) >= 50


def etcd_spec(etcd: Etcd, root: Path) -> backup.BackupSpec:
    instance = make_host(root)
    instance["config"]["storage"] = etcd.storage
    return backup.spec_from_instance(instance, str(root / "backups"))


# -- full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB. Mounting one takes root, as the lab does anyway."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(spec: backup.BackupSpec, megabytes: int) -> None:
    put(database(spec), **{f"big-{number}": "x" * 1_000_000 for number in range(megabytes)})


def test_a_backup_that_will_not_fit_is_refused_before_it_begins(spec: backup.BackupSpec, small_disk: Path) -> None:
    small = replace(spec, directory=str(small_disk))
    with pytest.raises(BackupError, match=r"[23] MiB are free, \d+ MiB are needed. Make room"):
        backup.take_backup(small)
    assert os.listdir(small.home) == [".lock"]


@pytest.mark.parametrize("megabytes", [2, 5])
def test_a_disk_that_fills_up_meanwhile_leaves_no_backup(
    spec: backup.BackupSpec, small_disk: Path, age: Any, monkeypatch: pytest.MonkeyPatch, megabytes: int
) -> None:
    """With 2 MB the plain copy fits, and its encrypted form does not."""
    fill(spec, megabytes)
    small = replace(spec, directory=str(small_disk))
    for module in (backup, backup_store):
        monkeypatch.setattr(module, "require_room", lambda _home, _needed: None)
    with pytest.raises(BackupError, match=r"[Nn]o space left"):
        backup.take_backup(small, cipher=age)
    assert os.listdir(small.home) == [".lock"]
    assert backup.list_backups(small.directory, "north") == []


def test_a_disk_that_fills_up_during_a_restore_harms_nothing(
    spec: backup.BackupSpec, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(spec, directory=str(small_disk))
    monkeypatch.setattr(backup, "require_room", lambda _home, _needed: None)
    taken = backup.take_backup(small)
    fill(spec, 5)
    before = durable.hash_file(str(database(spec)))
    with pytest.raises(BackupError, match=r"No space left"):
        backup.restore_backup(taken.path, small)
    assert durable.hash_file(str(database(spec))) == before
    shutil.copytree(taken.path, Path(spec.home) / "copy")
    assert backup.restore_backup(str(Path(spec.home) / "copy"), spec).changed


# -- two at once


def test_the_second_of_two_is_told_to_wait(spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = backup.take_backup(spec)
    began, go_on = threading.Event(), threading.Event()
    original = trees.pack

    def slow(*arguments: Any) -> Any:
        began.set()
        assert go_on.wait(20)
        return original(*arguments)

    monkeypatch.setattr(trees, "pack", slow)
    first = threading.Thread(target=backup.take_backup, args=(spec,))
    first.start()
    try:
        assert began.wait(20)
        for second in (backup.take_backup, backup.rehearse_backup):
            with pytest.raises(BackupError, match=r"another backup or restore is at work. Wait until it ends"):
                second(spec)
        with pytest.raises(BackupError, match=r"another backup or restore is at work"):
            backup.restore_backup(taken.path, spec)
    finally:
        go_on.set()
        first.join()
    assert len(backup.list_backups(spec.directory, "north")) == 2


# -- drills


@pytest.mark.parametrize("version", ["3.2.17", "16.5.13"])
def test_a_drill_opens_files_and_leaves_nothing(tmp_path: Path, host: Host, version: str) -> None:
    instance = {**make_host(tmp_path), "version": version, "running_version": version}
    instance["config"]["storage"]["type"] = "dir"
    spec = backup.spec_from_instance(instance, str(tmp_path / "backups"))
    taken = backup.take_backup(spec)
    state = {path: path.read_bytes() for path in Path(spec.data_dir).rglob("*") if path.is_file()}
    outcome = backup_drill.drill(taken.path, "north", spec.home, host)
    assert outcome.restored
    assert outcome.counts == taken.manifest["backend"]["counts"]
    assert "1 databases are sound" in " ".join(outcome.proven)
    assert sorted(os.listdir(spec.home)) == sorted([".lock", os.path.basename(taken.path)])
    assert {path: path.read_bytes() for path in Path(spec.data_dir).rglob("*") if path.is_file()} == state


def test_a_drill_of_etcd_runs_one_of_its_own(plain_etcd: Etcd, tmp_path: Path, host: Host) -> None:
    spec = etcd_spec(plain_etcd, tmp_path)
    with closing(plain_etcd.client()) as client:
        client.delete(b"\0", b"\xff")
        client.put([KeyValue(b"/teleport/%d" % number, b"x", 0) for number in range(50)])
        client.put([KeyValue(b"/teleport/leased", b"x", client.grant(600))])
        taken = backup.take_backup(spec, serving=True)
        revision = client.revision(b"x")
        outcome = backup_drill.drill(taken.path, "north", spec.home, host)
        assert client.revision(b"x") == revision, "the cluster's etcd was written to"
    assert (outcome.restored, outcome.counts) == (True, {"keys": 51})
    assert not running_etcds(spec.home)
    assert sorted(os.listdir(spec.home)) == sorted([".lock", os.path.basename(taken.path)])


def running_etcds(folder: str) -> list[str]:
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    return [command.decode() for command in commands if folder.encode() in command and b"etcd" in command]


def test_a_drill_without_an_etcd_says_what_it_could_not_do(
    plain_etcd: Etcd, tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = etcd_spec(plain_etcd, tmp_path)
    with closing(plain_etcd.client()) as client:
        client.put([KeyValue(b"/teleport/a", b"x", 0)])
    taken = backup.take_backup(spec, serving=True)
    monkeypatch.setattr(etcd_scratch, "program", lambda: None)
    outcome = backup_drill.drill(taken.path, "north", spec.home, host)
    assert not outcome.restored
    assert "no second etcd was started. Install etcd" in " ".join(outcome.proven)


def test_a_drill_that_fails_stops_its_etcd_and_says_why(
    plain_etcd: Etcd, tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = etcd_spec(plain_etcd, tmp_path)
    with closing(plain_etcd.client()) as client:
        client.put([KeyValue(b"/teleport/a", b"x", 0)])
    taken = backup.take_backup(spec, serving=True)
    monkeypatch.setattr(EtcdClient, "put", lambda _self, _entries: None)
    with pytest.raises(BackupError, match=r"in the scratch etcd are not those that were saved"):
        backup_drill.drill(taken.path, "north", spec.home, host)
    assert not running_etcds(spec.home)
    assert sorted(os.listdir(spec.home)) == sorted([".lock", os.path.basename(taken.path)])


def test_a_drill_of_a_damaged_or_foreign_backup_fails(spec: backup.BackupSpec, host: Host) -> None:
    taken = backup.take_backup(spec)
    with pytest.raises(BackupError, match=r"of cluster 'north', not of 'south'"):
        backup_drill.drill(taken.path, "south", spec.home, host)
    os.truncate(f"{taken.path}/sqlite.db", 4096)
    with pytest.raises(BackupError, match=r"4096 bytes"):
        backup_drill.drill(taken.path, "north", spec.home, host)
