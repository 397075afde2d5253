# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by ``teleport backend clone``, with the double's program over SQLite files and a real etcd."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.clone import storage_section
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import choice_of
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.timed_command import run_command
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_host
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

DOUBLE = ROOT / "tests" / "double"
NEW, OLD = "17.7.20", "15.5.3"
SECONDS = count(1795374000)
CONFIG = """\
teleport:
  data_dir: {data}
  storage:
    type: etcd   # with what belongs to it
    peers: ["{peer}"]
    prefix: /north
    insecure: true

  log: {{output: stderr}}
auth_service: {{enabled: yes}}
"""
Specs = Callable[[str], backup.BackupSpec]


def now() -> float:
    return float(next(SECONDS))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("double")
    command = [
        sys.executable,
        "build.py",
        "--out",
        str(out),
        "--unpacked",
        "--launcher",
        "script",
        "--versions",
        NEW,
        OLD,
    ]
    subprocess.run(command, cwd=DOUBLE, check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def etcd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    server = Etcd(tmp_path_factory.mktemp("etcd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store(etcd_server: Etcd) -> Store:
    """The double's own view of its etcd: records go in and out through its code, in a process of its own."""
    with closing(etcd_server.client()) as client:
        client.delete(b"/", b"0")
    return Store(etcd_server.url)


class Store:
    """The records of a cluster, as the double reads and writes them."""

    def __init__(self, peer: str) -> None:
        self._storage = {"type": "etcd", "peers": [peer], "prefix": "/north", "insecure": True}

    def run(self, expression: str) -> str:
        """Evaluate *expression* with ``store``, in a process that has the double."""
        code = (
            "from teleport_double.backend.etcd import EtcdBackend\n"
            f"store = EtcdBackend({self._storage!r}, '/north')\n"
            f"print({expression})"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=DOUBLE, check=True, capture_output=True, text=True)
        return done.stdout

    def put(self, **records: str) -> None:
        """Write records."""
        self.run(f"[store.put('/' + key, value) for key, value in {records!r}.items()]")

    def all(self) -> str:
        """Return all records, as text."""
        return self.run("[(item.key, item.value) for item in store.scan('/')]")


@pytest.fixture
def spec(programs: Path, tmp_path: Path, etcd_server: Etcd) -> Specs:
    instance = make_host(tmp_path)
    config = Path(instance["config"]["path"])
    config.write_text(CONFIG.format(data=tmp_path / "data", peer=etcd_server.url))
    instance["config"]["storage"] = {"type": "etcd", "peers": [etcd_server.url], "prefix": "/north", "insecure": True}

    def build(version: str) -> backup.BackupSpec:
        found = {**instance, "bin_dir": str(programs / version), "version": version, "running_version": version}
        choice = choice_of({"method": "clone"})
        return backup.spec_from_instance(found, str(tmp_path / "backups"), host=Host(), choice=choice)

    return build


def test_what_is_cloned_comes_back_and_what_was_added_goes(spec: Specs, store: Store) -> None:
    store.put(alice="user", north="cluster")
    saved = store.all()
    taken = backup.take_backup(spec(NEW), now=now)
    assert taken.manifest["backend"]["kind"] == "clone"
    assert taken.manifest["backend"]["counts"]["kv"] == 2
    store.put(alice="migrated", new_authority="made by the new version")
    restored = backup.restore_backup(taken.path, spec(NEW), now=now)
    assert restored.changed
    assert store.all() == saved
    with closing(sqlite3.connect(os.path.join(str(restored.evidence), "sqlite.db"))) as evidence:
        assert dict(evidence.execute("SELECT key, value FROM kv"))["/alice"] == b"migrated"
    assert not backup.restore_backup(taken.path, spec(NEW), now=now).changed


def test_no_order_with_secrets_becomes_a_file(spec: Specs, store: Store) -> None:
    store.put(alice="user")
    orders: list[str] = []
    wanted = spec(NEW)
    assert wanted.host

    def noting(command: list[str], **options: Any) -> tuple[int, str, str]:
        if "--config" in command and "clone" in command:
            orders.append(command[command.index("--config") + 1])
        return run_command(command, **options)

    backup.take_backup(dataclasses.replace(wanted, host=Host(run_command=noting)), now=now)
    assert set(orders) == {"/dev/stdin"}


def test_a_clone_is_no_backup_of_a_serving_cluster(spec: Specs, store: Store) -> None:
    store.put(alice="user")
    with pytest.raises(BackupError, match="cannot be saved while Auth serves"):
        backup.take_backup(spec(NEW), serving=True, now=now)
    assert backup.rehearse_backup(spec(NEW), now=now)["backend"]["counts"]["kv"] == 1


def test_a_version_without_the_command_is_told_before_anything_else(spec: Specs) -> None:
    with pytest.raises(BackupError, match="this version has no 'teleport backend clone'"):
        backup.check(spec(OLD), serving=False)


def test_an_empty_or_unreachable_backend_is_no_backup(spec: Specs, store: Store) -> None:
    with pytest.raises(BackupError, match="copied nothing"):
        backup.take_backup(spec(NEW), now=now)


def test_the_section_is_taken_over_line_by_line() -> None:
    text = "version: v3\nteleport:\n  storage: # here\n    type: x\n\n    key: |\n      two\n  data_dir: /d\n"
    assert storage_section("src", text, "t.yaml") == ["src: # here", "    type: x", "", "    key: |", "      two"]
    assert storage_section("dst", "teleport:\n  storage: {type: x}\n", "t.yaml") == ["dst: {type: x}"]
    with pytest.raises(BackupError, match=r"t.yaml: has no section teleport.storage"):
        storage_section("src", "teleport: {storage: {type: x}}\n", "t.yaml")
