# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bolt backend with a file that the real library wrote: etcd keeps its data in one."""

from __future__ import annotations

import shutil
import subprocess
from itertools import count
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.bolt import BoltBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import KeyValue
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_host

SECONDS = count(1795374000)


def now() -> float:
    return float(next(SECONDS))


@pytest.fixture(scope="module")
def real_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("bolt")
    server = Etcd(home)
    server.start()
    client = server.client()
    for number in range(30):
        client.put([KeyValue(b"/k%d-%d" % (number, key), b"v" * 500, 0) for key in range(50)])
    client.close()
    server.stop(committed=True)
    return server.database


@pytest.fixture
def database(real_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(real_file, tmp_path / "keys.db"))


@pytest.fixture
def spec(database: Path, tmp_path: Path) -> backup.BackupSpec:
    instance = make_host(tmp_path)
    instance["version"] = instance["running_version"] = "3.1.14"
    data = Path(instance["config"]["data_dir"])
    shutil.copy(database, data / "keys.db")
    (data / "notes.db").write_text("no Bolt file")
    instance["config"]["storage"] = {"type": "bolt"}
    return backup.spec_from_instance(instance, str(tmp_path / "backups"))


def test_what_is_saved_comes_back(spec: backup.BackupSpec) -> None:
    keys, notes = Path(spec.data_dir, "keys.db"), Path(spec.data_dir, "notes.db")
    saved = keys.read_bytes()
    taken = backup.take_backup(spec, now=now)
    assert list(taken.manifest["backend"]["counts"]) == ["keys.db"]
    assert taken.manifest["backend"]["counts"]["keys.db"] > 10
    keys.write_bytes(saved[:4096] + b"migrated" + saved[4104:])
    restored = backup.restore_backup(taken.path, spec, now=now)
    assert keys.read_bytes() == saved
    assert notes.read_text() == "no Bolt file"
    assert b"migrated" in Path(str(restored.evidence), "keys.db").read_bytes()
    assert not backup.restore_backup(taken.path, spec, now=now).changed


def saved_keys(folder: Path, name: str) -> int:
    (folder / name).mkdir()
    return int(BoltBackend(str(folder)).save(str(folder / name), serving=False).counts["keys.db"])


@pytest.mark.parametrize("newest", [False, True])
def test_one_damaged_meta_page_is_what_bolt_itself_bears(database: Path, tmp_path: Path, newest: bool) -> None:
    whole = saved_keys(tmp_path, "before")
    content = database.read_bytes()
    transactions = [int.from_bytes(content[page + 64 : page + 72], "little") for page in (0, 4096)]
    page = 4096 * transactions.index(max(transactions) if newest else min(transactions))
    database.write_bytes(content[:page] + b"\0" * 100 + content[page + 100 :])
    found = saved_keys(tmp_path, "after")
    # The page that is left may be that of the transaction before.
    assert 0 < found <= whole if newest else found == whole


@pytest.mark.parametrize("harm", ["both metas", "truncated", "checksum"])
def test_a_damaged_file_is_no_backup(spec: backup.BackupSpec, harm: str) -> None:
    keys = Path(spec.data_dir, "keys.db")
    content = keys.read_bytes()
    changed = {
        "both metas": b"\0" * 8192 + content[8192:],
        "truncated": content[:20000],
        "checksum": content[:60] + b"\xff" + content[61 : 4096 + 60] + b"\xff" + content[4096 + 61 :],
    }[harm]
    keys.write_bytes(changed)
    with pytest.raises(BackupError, match="no valid meta page of Bolt, or fewer pages than it counts"):
        backup.take_backup(spec, now=now)


def test_an_open_file_is_not_copied(spec: backup.BackupSpec) -> None:
    with Path(spec.data_dir, "keys.db").open("rb") as file, subprocess.Popen(["sleep", "60"], stdin=file) as holder:
        with pytest.raises(BackupError, match="are open in"):
            backup.take_backup(spec, now=now)
        holder.kill()
    with pytest.raises(BackupError, match="cannot be saved while Auth serves"):
        backup.take_backup(spec, serving=True, now=now)
