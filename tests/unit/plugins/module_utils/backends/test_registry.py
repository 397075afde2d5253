# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of which backend a storage section means, and of the file backend of 3.x."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, trees
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, UnsupportedBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.directory import DirectoryBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.registry import open_backend, public_storage
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_host, put

FILES = {"authorities%2Fhost": "a key", "namespaces%2Fdefault%2Fnodes": "nodes", ".locks": ""}


@pytest.mark.parametrize(
    ("storage", "version", "kind", "location"),
    [
        ({}, "8.3.12", "sqlite", "DATA/backend/sqlite.db"),
        ({"type": "dir"}, "4.0.16", "sqlite", "DATA/backend/sqlite.db"),
        ({"type": "sqlite"}, "17.7.20", "sqlite", "DATA/backend/sqlite.db"),
        ({"type": "sqlite", "path": "/srv/t"}, "17.7.20", "sqlite", "/srv/t/sqlite.db"),
        ({"type": "dir"}, "3.2.17", "dir", "DATA/backend"),
        ({}, "3.2.18-gravity", "dir", "DATA/backend"),
        ({"type": "dir", "path": "/srv/t"}, "3.2.17", "dir", "/srv/t"),
        ({"type": "etcd", "peers": ["https://e:2379"], "prefix": "/t"}, "8.3.12", "etcd", "/t/"),
        ({"type": "etcd", "peers": ["https://e:2379"], "prefix": "t"}, "8.3.12", "etcd", "/t/"),
        ({"type": "etcd", "peers": ["https://e:2379"], "prefix": "/t/"}, "8.3.12", "etcd", "/t//"),
        ({"type": "etcd", "peers": ["https://e:2379"]}, "8.3.12", "etcd", "/teleport/"),
        ({"type": "etcd", "peers": ["https://e:2379"], "prefix": "/t"}, "4.2.12", "etcd", "/teleport/"),
        ({"type": "etcd", "peers": ["https://e:2379"], "prefix": "/t"}, "4.3.0", "etcd", "/t/"),
    ],
)
def test_section_and_version_name_the_backend(
    storage: dict[str, Any], version: str, kind: str, location: str, tmp_path: Path
) -> None:
    backend = open_backend(storage, str(tmp_path), version)
    assert (backend.kind, backend.location) == (kind, location.replace("DATA", str(tmp_path)))


def test_without_a_version_the_files_tell(tmp_path: Path) -> None:
    assert open_backend({}, str(tmp_path)).kind == "sqlite"
    (tmp_path / "backend").mkdir()
    assert open_backend({}, str(tmp_path)).kind == "dir"
    (tmp_path / "backend" / "sqlite.db").touch()
    assert open_backend({}, str(tmp_path)).kind == "sqlite"


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        ({"type": "firestore", "collection_name": "tele"}, "export the collection tele"),
        ({"type": "cockroachdb"}, "take a BACKUP"),
        ({"type": "quantum"}, "with the means its maker provides"),
    ],
)
def test_other_stores_are_named_with_what_to_do(storage: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedBackend) as caught:
        open_backend(storage, "/var/lib/teleport", "17.7.20")
    assert caught.value.kind == storage["type"]
    assert f"storage.type is '{storage['type']}'" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("storage", "says"),
    [
        ({"type": "postgresql"}, "names no PostgreSQL database"),
        ({"type": "postgres", "conn_string": "postgresql://u@db/t", "auth_mode": "azure"}, "tokens of a cloud"),
        (
            {
                "type": "postgres",
                "conn_string": "postgresql://db/t",
                "audit_events_uri": ["postgresql://a/b#auth_mode=azure"],
            },
            "tokens of a cloud",
        ),
        ({"type": "postgresql", "conn_string": "nonsense"}, "is no connection string"),
    ],
)
def test_postgresql_that_cannot_work(storage: dict[str, Any], says: str) -> None:
    with pytest.raises(BackupError, match=says):
        open_backend(storage, "/var/lib/teleport", "17.7.20")


def test_postgresql_is_one_place_by_servers_and_databases() -> None:
    audit = ["file:///log", "postgresql://u:***@audit:6000/a", "postgresql://u@b/c#retention_period=1h"]
    storage = {
        "type": "postgresql",
        "conn_string": "postgresql://u:***@db/t?sslmode=disable",
        "audit_events_uri": audit,
    }
    found = open_backend(storage, "/var/lib/teleport", "17.7.20")
    assert found.location == "postgresql db:5432/t, audit audit:6000/a, audit-2 b:5432/c"
    assert (found.kind, found.online, found.shared) == ("postgresql", True, True)


@pytest.mark.parametrize(
    ("audit", "location"),
    [
        (["file:///log"], "/teleport/"),
        (["postgresql://u:***@db/audit", "stdout://"], "/teleport/, audit db:5432/audit"),
        (["postgresql://u@db/audit#auth_mode=azure"], "/teleport/"),
    ],
)
def test_an_audit_log_in_postgresql_is_saved_beside_another_store(audit: list[str], location: str) -> None:
    storage = {"type": "etcd", "peers": ["https://etcd1"], "audit_events_uri": audit}
    found = open_backend(storage, "/var/lib/teleport", "17.7.20")
    assert (found.kind, found.location, found.shared) == ("etcd", location, True)


@pytest.mark.parametrize(
    ("storage", "says"), [({"type": "etcd"}, r"storage\.peers"), ({"type": "etcd", "peers": []}, "names no")]
)
def test_etcd_without_servers(storage: dict[str, Any], says: str) -> None:
    with pytest.raises(BackupError, match=says):
        open_backend(storage, "/var/lib/teleport", "17.7.20")


def test_an_unreadable_version_is_one_message() -> None:
    with pytest.raises(BackupError, match="not a Teleport version"):
        open_backend({}, "/var/lib/teleport", "latest")


def test_only_what_finds_the_backend_again_is_public() -> None:
    assert public_storage({"type": "dynamodb", "access_key": "a", "secret_key": "s", "prefix": None}) == {
        "type": "dynamodb"
    }


# -- the file backend


@pytest.fixture
def old_host(tmp_path: Path) -> backup.BackupSpec:
    instance = make_host(tmp_path)
    instance.update(version="3.2.17", running_version="3.2.17")
    instance["config"]["storage"] = {"type": "dir"}
    store = tmp_path / "data" / "backend"
    (store / "sqlite.db").unlink()
    for name, content in FILES.items():
        (store / name).write_text(content)
    return backup.spec_from_instance(instance, str(tmp_path / "backups"))


def test_files_come_back_and_what_a_newer_teleport_added_goes(old_host: backup.BackupSpec) -> None:
    store = Path(old_host.data_dir, "backend")
    (store / "authorities%2Fhost").chmod(0o600)
    taken = backup.take_backup(old_host)
    assert taken.manifest["backend"]["counts"] == {"files": 3}
    put(store / "sqlite.db", imported="yes")
    (store / "authorities%2Fhost").write_text("changed")
    (store / ".locks").unlink()
    restored = backup.restore_backup(taken.path, old_host)
    assert {name: (store / name).read_text() for name in os.listdir(store)} == FILES
    assert (store / "authorities%2Fhost").stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(Path(str(restored.evidence), "dir"))) == [
        "authorities%2Fhost",
        "namespaces%2Fdefault%2Fnodes",
        "sqlite.db",
    ]
    assert not backup.restore_backup(taken.path, old_host).changed


def test_torn_files_are_no_backup_but_may_be_rehearsed(old_host: backup.BackupSpec) -> None:
    with pytest.raises(BackupError, match="cannot be saved while Auth serves"):
        backup.take_backup(old_host, serving=True)
    assert backup.rehearse_backup(old_host)["backend"]["kind"] == "dir"


def test_an_empty_folder_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="holds no files of a dir backend"):
        DirectoryBackend(str(tmp_path)).save(str(tmp_path), serving=False)


# -- what may be in a saved folder


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_a_tar_file_cannot_reach_outside(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(BackupError, match="plain files below its folder only"):
        trees.content(str(path))


def test_a_tar_file_holds_no_links(tmp_path: Path) -> None:
    path = tmp_path / "bad.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("innocent")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    with pytest.raises(BackupError, match="innocent"):
        trees.content(str(path))


def test_no_tar_file_at_all(tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(b"x" * 2048)
    with pytest.raises(BackupError, match="not a readable tar file"):
        trees.content(str(tmp_path / "bad.tar"))
