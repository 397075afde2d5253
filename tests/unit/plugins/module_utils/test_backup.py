# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of taking, trusting, restoring and thinning out backups, on real SQLite files."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import (
    holding,
    make_host,
    make_spec,
    put,
    rows,
)

SAVED = {"alice": "user", "north": "cluster"}
SECONDS = iter(count(1795374000))


def now() -> float:
    return float(next(SECONDS))


@pytest.fixture
def spec(tmp_path: Path) -> backup.BackupSpec:
    return make_spec(tmp_path)


def database(spec: backup.BackupSpec, folder: str = "backend") -> Path:
    return Path(spec.data_dir) / folder / "sqlite.db"


def names(spec: backup.BackupSpec) -> list[str]:
    return sorted(name for name in os.listdir(spec.home) if name != ".lock")


def migrate(spec: backup.BackupSpec) -> None:
    """Do what a newer Auth Service does to its files."""
    put(database(spec), alice="migrated user", jwt="new authority")
    put(database(spec, "proc"), **{"last-known-version": "17.7.20"})


# -- taking


def test_a_backup_is_whole_private_and_named_by_time_and_version(spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec, now=lambda: 1795374000.0)
    assert taken.path == f"{spec.home}/20261122T190000Z-16.5.13"
    assert names(spec) == ["20261122T190000Z-16.5.13"]
    inside = (
        "data/enterprise.pem",
        "data/host_uuid",
        "teleport.service",
        "teleport.yaml",
        "tls/web.crt",
        "tls/web.key",
    )
    root = os.path.dirname(spec.config_path).lstrip("/")
    assert sorted(part["name"] for part in taken.manifest["parts"]) == sorted(
        ["sqlite.db", "proc.tar", *(f"files/{root}/{name}" for name in inside)]
    )
    for where, _folders, found in os.walk(spec.home):
        assert stat.S_IMODE(os.stat(where).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(os.path.join(where, name)).st_mode) == 0o600 for name in found)


def test_the_manifest_says_what_and_whose_it_is(spec: backup.BackupSpec) -> None:
    manifest = backup.take_backup(spec, now=lambda: 1795374000.0).manifest
    assert manifest["cluster"] == "north"
    assert (manifest["version"], manifest["edition"]) == ("16.5.13", "enterprise")
    assert manifest["host_uuid"] == "uuid-of-h1"
    assert (manifest["created"], manifest["consistency"]) == ("2026-11-22T19:00:00Z", "stopped")
    assert manifest["backend"]["kind"] == "sqlite"
    assert manifest["backend"]["counts"] == {"kv": 2}
    assert json.loads(Path(spec.home, "20261122T190000Z-16.5.13", "manifest.json").read_text()) == manifest


def test_secrets_of_the_storage_section_do_not_reach_the_manifest(spec: backup.BackupSpec, tmp_path: Path) -> None:
    instance = make_host(tmp_path / "other")
    instance["config"]["storage"]["secret_key"] = "hush"
    taken = backup.take_backup(backup.spec_from_instance(instance, spec.directory))
    assert "hush" not in json.dumps(taken.manifest)


def test_two_backups_in_one_second_get_two_names(spec: backup.BackupSpec) -> None:
    paths = {backup.take_backup(spec, now=lambda: 1795374000.0).path for _again in range(3)}
    assert len(paths) == 3


def test_a_database_in_use_is_not_copied_as_stopped(spec: backup.BackupSpec) -> None:
    with holding(database(spec)) as pid, pytest.raises(BackupError, match=rf"still open in .*\(pid {pid}\)"):
        backup.take_backup(spec)
    assert names(spec) == []


def test_while_serving_the_copy_is_of_one_moment(spec: backup.BackupSpec) -> None:
    with holding(database(spec), "PRAGMA journal_mode=WAL;INSERT INTO kv VALUES ('late', 1, NULL, 'in the log')"):
        taken = backup.take_backup(spec, serving=True)
    assert taken.manifest["consistency"] == "online"
    assert rows(Path(taken.path, "sqlite.db")) == {**SAVED, "late": "in the log"}
    backup.verify_backup(taken.path)


def test_a_rehearsal_leaves_nothing_behind(spec: backup.BackupSpec) -> None:
    with holding(database(spec)):
        manifest = backup.rehearse_backup(spec)
    assert manifest["backend"]["counts"] == {"kv": 2}
    assert names(spec) == []


def test_extra_files_are_kept(spec: backup.BackupSpec) -> None:
    taken = backup.take_backup(spec, extra={"tctl-get-all.yaml": b"kind: user\n"})
    assert Path(taken.path, "tctl-get-all.yaml").read_bytes() == b"kind: user\n"
    backup.verify_backup(taken.path)


def test_a_damaged_database_is_no_backup(spec: backup.BackupSpec) -> None:
    put(database(spec), **{f"key-{number}": "x" * 3000 for number in range(50)})
    with database(spec).open("r+b") as handle:
        handle.seek(4096 * 5)
        handle.write(b"\xff" * 4096 * 3)
    with pytest.raises(BackupError, match=r"sqlite.db"):
        backup.take_backup(spec)
    assert names(spec) == []


def test_too_little_space_is_said_before_anything_is_written(
    spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "free_bytes", lambda _path: 5 << 20)
    with pytest.raises(BackupError, match=rf"{spec.home}: 5 MiB are free, \d+ MiB"):
        backup.take_backup(spec)
    assert names(spec) == []


def test_what_a_killed_run_left_is_cleared(spec: backup.BackupSpec) -> None:
    os.makedirs(os.path.join(spec.home, ".partial-20200101T000000Z-16.0.0"))
    backup.take_backup(spec, now=lambda: 1795374000.0)
    assert names(spec) == ["20261122T190000Z-16.5.13"]


def test_only_one_at_a_time(spec: backup.BackupSpec) -> None:
    os.makedirs(spec.home)
    with durable.exclusive(os.path.join(spec.home, ".lock")), pytest.raises(BackupError, match=r"another backup"):
        backup.take_backup(spec)


def test_a_folder_that_cannot_be_written_is_one_message(spec: backup.BackupSpec) -> None:
    Path(spec.directory).write_text("a file is in the way")
    with pytest.raises(BackupError, match=r"backups.*(Not a directory|File exists)"):
        backup.take_backup(spec)


@pytest.mark.parametrize("name", ["../other", "a/b", "", ".hidden"])
def test_a_cluster_name_must_be_a_folder_name(tmp_path: Path, name: Any) -> None:
    instance = {**make_host(tmp_path), "cluster": name or "…"}
    with pytest.raises(BackupError, match=r"cannot name a folder"):
        backup.spec_from_instance(instance, "/var/backups")


def test_the_directory_must_be_absolute(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"absolute"):
        backup.spec_from_instance(make_host(tmp_path), "backups")


# -- trusting


@pytest.fixture
def taken(spec: backup.BackupSpec) -> backup.Backup:
    return backup.take_backup(spec, now=now)


def edit(path: str, change: bytes = b"\0", at: int = 100) -> None:
    with open(path, "r+b") as handle:
        handle.seek(at)
        handle.write(change)


def test_a_changed_part_is_refused(taken: backup.Backup) -> None:
    edit(f"{taken.path}/sqlite.db", b"\x07")
    with pytest.raises(BackupError, match=r"sqlite.db: its SHA-256 is not the one saved"):
        backup.verify_backup(taken.path)


def test_a_truncated_part_is_refused(taken: backup.Backup) -> None:
    os.truncate(f"{taken.path}/proc.tar", 700)
    with pytest.raises(BackupError, match=r"proc.tar: 700 bytes, .* were saved"):
        backup.verify_backup(taken.path)


def test_a_missing_part_is_refused(taken: backup.Backup) -> None:
    os.unlink(f"{taken.path}/sqlite.db")
    with pytest.raises(BackupError, match=r"sqlite.db: missing"):
        backup.verify_backup(taken.path)


def test_a_smuggled_file_is_refused(taken: backup.Backup) -> None:
    Path(taken.path, "sqlite.db-wal").write_bytes(b"x")
    with pytest.raises(BackupError, match=r"sqlite.db-wal"):
        backup.verify_backup(taken.path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "17.7.20"}, "changed after"),
        ({"format": 2}, "newer release"),
        ({"format": 0}, "not supported"),
        ({"format": None}, "not supported"),
        ({"kind": "somebody else's"}, "not a manifest of this collection"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(taken: backup.Backup, change: Any, reason: Any) -> None:
    path = Path(taken.path, "manifest.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BackupError, match=reason):
        backup.verify_backup(taken.path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_manifest_that_cannot_be_read_is_refused(taken: backup.Backup, text: Any) -> None:
    Path(taken.path, "manifest.json").write_text(text)
    with pytest.raises(BackupError, match=r"manifest.json: not"):
        backup.verify_backup(taken.path)


def test_another_folder_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"no backup"):
        backup.verify_backup(str(tmp_path))


def test_another_clusters_backup_is_refused(taken: backup.Backup) -> None:
    assert backup.verify_backup(taken.path, "north").path == taken.path
    with pytest.raises(BackupError, match=r"is a backup of cluster 'north', not of 'south'"):
        backup.verify_backup(taken.path, "south")


# -- restoring


def test_restore_brings_backend_and_recorded_version_back(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    migrate(spec)
    restored = backup.restore_backup(taken.path, spec, now=lambda: 1795374000.0)
    assert restored.changed
    assert rows(database(spec)) == SAVED
    assert rows(database(spec, "proc")) == {"last-known-version": "16.5.13"}
    assert restored.evidence == f"{spec.home}/failed-20261122T190000Z"
    assert rows(Path(str(restored.evidence), "sqlite.db"))["alice"] == "migrated user"
    assert rows(Path(str(restored.evidence), "proc", "sqlite.db")) == {"last-known-version": "17.7.20"}
    assert stat.S_IMODE(os.stat(restored.evidence).st_mode) == 0o700


def test_owner_and_mode_come_back(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    before = os.stat(database(spec))
    migrate(spec)
    database(spec).chmod(0o666)
    backup.restore_backup(taken.path, spec)
    assert os.stat(database(spec)).st_mode == before.st_mode


def test_restoring_twice_changes_nothing_the_second_time(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    migrate(spec)
    backup.restore_backup(taken.path, spec)
    second = backup.restore_backup(taken.path, spec)
    assert (second.changed, second.evidence) == (False, None)


def test_a_restore_needs_no_version_but_that_of_the_backup(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    migrate(spec)
    restored = backup.restore_backup(taken.path, replace(spec, version="unknown"))
    assert (restored.changed, rows(database(spec))["alice"]) == (True, "user")


def test_a_second_failure_keeps_the_first_evidence(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    evidence = set()
    for _again in range(2):
        migrate(spec)
        evidence.add(backup.restore_backup(taken.path, spec, now=lambda: 1795374000.0).evidence)
    assert len(evidence) == 2
    assert all(rows(Path(str(folder), "sqlite.db"))["jwt"] == "new authority" for folder in evidence)


def test_a_journal_of_the_database_found_does_not_survive(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    with holding(database(spec), "PRAGMA journal_mode=WAL;INSERT INTO kv VALUES ('late', 1, NULL, 'in the log')"):
        pass
    assert Path(f"{database(spec)}-wal").exists()
    backup.restore_backup(taken.path, spec)
    assert rows(database(spec)) == SAVED
    assert sorted(os.listdir(database(spec).parent)) == ["sqlite.db"]


def test_a_database_in_use_is_not_restored_over(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    migrate(spec)
    with holding(database(spec)), pytest.raises(BackupError, match=r"still open"):
        backup.restore_backup(taken.path, spec)
    assert rows(database(spec))["alice"] == "migrated user"


def test_a_backup_of_another_host_is_refused(spec: backup.BackupSpec, taken: backup.Backup, tmp_path: Path) -> None:
    Path(spec.data_dir, "host_uuid").write_text("somebody-else\n")
    with pytest.raises(BackupError, match=r"this host is somebody-else, the backup is of uuid-of-h1"):
        backup.restore_backup(taken.path, spec)


def test_a_rebuilt_host_gets_its_identity_back(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    shutil.rmtree(spec.data_dir)
    backup.restore_backup(taken.path, spec)
    assert rows(database(spec)) == SAVED
    assert Path(spec.data_dir, "host_uuid").read_text() == "uuid-of-h1\n"


def test_a_backup_of_another_place_is_refused(taken: backup.Backup, tmp_path: Path) -> None:
    elsewhere = make_spec(tmp_path / "elsewhere")
    with pytest.raises(BackupError, match=r"the backend is sqlite at .*elsewhere.*, the backup is of sqlite at"):
        backup.restore_backup(taken.path, elsewhere)


def test_a_damaged_backup_touches_nothing(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    migrate(spec)
    edit(f"{taken.path}/sqlite.db", b"\x07")
    with pytest.raises(BackupError, match=r"SHA-256"):
        backup.restore_backup(taken.path, spec)
    assert rows(database(spec))["alice"] == "migrated user"


STEPS = ("rename", "unlink", "fsync", "chown", "chmod")


def restore_and_die(path: str, spec: backup.BackupSpec, at: int) -> bool:
    """Restore in a process that ends, as if by SIGKILL, right before its *at*-th step. Return whether it got there."""
    pid = os.fork()
    if pid == 0:
        steps = count()

        def deadly(function: Any) -> Any:
            def step(*arguments: Any, **keywords: Any) -> Any:
                if next(steps) == at:
                    os._exit(9)
                return function(*arguments, **keywords)

            return step

        for name in STEPS:
            setattr(os, name, deadly(getattr(os, name)))
        backup.restore_backup(path, spec, now=now)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_killed_anywhere_a_second_restore_finishes(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    for at in count():
        migrate(spec)
        before = {name for name in names(spec) if name.startswith("failed-")}
        died = restore_and_die(taken.path, spec, at)
        backup.restore_backup(taken.path, spec, now=now)
        assert rows(database(spec)) == SAVED
        assert rows(database(spec, "proc")) == {"last-known-version": "16.5.13"}
        new = {name for name in names(spec) if name.startswith("failed-")} - before
        kept = [rows(Path(spec.home, name, "sqlite.db"))["alice"] for name in new]
        assert "migrated user" in kept, f"killed at step {at}: {new}"
        assert sorted(os.listdir(database(spec).parent)) == ["sqlite.db"]
        if not died:
            break
    assert at > 15


# -- keeping


def test_only_the_newest_are_kept(spec: backup.BackupSpec) -> None:
    paths = [backup.take_backup(spec, now=now).path for _again in range(4)]
    assert sorted(backup.prune_backups(spec, 2)) == paths[:2]
    assert [one.path for one in backup.list_backups(spec.directory, "north")] == paths[:1:-1]


def test_zero_keeps_all(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    assert backup.prune_backups(spec, 0) == []
    assert os.path.isdir(taken.path)


def test_evidence_and_foreign_folders_are_never_removed(spec: backup.BackupSpec, taken: backup.Backup) -> None:
    migrate(spec)
    evidence = backup.restore_backup(taken.path, spec).evidence
    foreign = Path(spec.home, "00-mine")
    foreign.mkdir()
    backup.take_backup(spec, now=now)
    assert backup.prune_backups(spec, 1) == [taken.path]
    assert Path(str(evidence)).is_dir()
    assert foreign.is_dir()


def test_the_newest_backup_of_a_version_is_chosen(spec: backup.BackupSpec) -> None:
    paths = [backup.take_backup(spec, now=now).path for _again in range(2)]
    assert backup.choose_backup(spec) == paths[-1]
    assert backup.choose_backup(spec, "16.5.13") == paths[-1]
    with pytest.raises(BackupError, match=r"no backup of version 15.5.4; there are those of 16.5.13"):
        backup.choose_backup(spec, "15.5.4")
