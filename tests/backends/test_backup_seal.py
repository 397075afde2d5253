# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted backups with the real age and GnuPG."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    backup,
    backup_drill,
    backup_manifest,
    backup_store,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import Cipher, Encryption, encryption_of
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_spec, put, rows

SECRETS = (b"a licence", b"web.key", b"last-known-version", b"SQLite format 3")


@pytest.fixture(params=["age", "gnupg"])
def cipher(request: pytest.FixtureRequest) -> Cipher:
    found: Cipher = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def spec(tmp_path: Path) -> backup.BackupSpec:
    return make_spec(tmp_path)


def database(spec: backup.BackupSpec) -> Path:
    return Path(spec.data_dir) / "backend" / "sqlite.db"


def contents(folder: str) -> list[bytes]:
    return [
        Path(where, name).read_bytes()
        for where, _folders, names in os.walk(folder)
        for name in names
        if name != "manifest.json"
    ]


def without_key(cipher: Cipher) -> Cipher:
    return Cipher(cipher._host, replace(cipher.encryption, identity_file="", home="/nonexistent"))


def test_nothing_of_it_is_readable_and_all_of_it_comes_back(spec: backup.BackupSpec, cipher: Cipher) -> None:
    taken = backup.take_backup(spec, extra={"tctl-get-all.yaml": b"kind: user"}, cipher=cipher)
    assert taken.path.endswith(cipher.encryption.suffix)
    assert [name for name in os.listdir(spec.home) if name != ".lock"] == [os.path.basename(taken.path)]
    found = contents(taken.path)
    assert len(found) == len(taken.manifest["parts"])
    assert not [data for data in found if any(secret in data for secret in (*SECRETS, b"kind: user"))]
    for where, _folders, names in os.walk(taken.path):
        assert stat.S_IMODE(os.stat(where).st_mode) == 0o700
        assert all(stat.S_IMODE(os.stat(os.path.join(where, name)).st_mode) == 0o600 for name in names)
    put(database(spec), alice="migrated user")
    restored = backup.restore_backup(taken.path, spec, cipher=cipher)
    assert rows(database(spec))["alice"] == "user"
    kept = {os.path.basename(taken.path), os.path.basename(str(restored.evidence)), ".lock"}
    assert set(os.listdir(spec.home)) == kept


def test_the_manifest_names_program_and_recipients(spec: backup.BackupSpec, cipher: Cipher) -> None:
    manifest = backup.take_backup(spec, cipher=cipher).manifest
    assert manifest["sealed"]["method"] == cipher.encryption.method
    assert manifest["sealed"]["recipients"] == list(cipher.encryption.recipients)
    assert {"age", "gpg"} & set(manifest["tools"])
    assert {"python", "sqlite", "teleport"} <= set(manifest["tools"])
    assert (manifest["line"], manifest["version"]) == ("16", "16.5.13")


def test_without_the_private_key_damage_is_seen_and_nothing_restored(spec: backup.BackupSpec, cipher: Cipher) -> None:
    taken = backup.take_backup(spec, cipher=cipher)
    assert backup.verify_backup(taken.path, "north").path == taken.path
    put(database(spec), alice="migrated user")
    for key in (None, without_key(cipher)):
        with pytest.raises(BackupError, match=r"encrypted|decrypted"):
            backup.restore_backup(taken.path, spec, cipher=key)
    assert rows(database(spec))["alice"] == "migrated user"
    victim = next(Path(taken.path).glob("sqlite.db.*"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x00")
    with pytest.raises(BackupError, match=r"SHA-256|bytes"):
        backup.verify_backup(taken.path, "north")


def test_a_ciphertext_changed_together_with_its_manifest_is_refused(spec: backup.BackupSpec, cipher: Cipher) -> None:
    one = backup.take_backup(spec, now=lambda: 1795374000.0, cipher=cipher)
    put(database(spec), alice="another user")
    two = backup.take_backup(spec, now=lambda: 1795374001.0, cipher=cipher)
    # The data of one backup under the name of the other, with everything that needs no key made to fit.
    name = f"sqlite.db{cipher.encryption.suffix}"
    shutil.copy(Path(two.path, name), Path(one.path, name))
    manifest = json.loads(Path(one.path, "manifest.json").read_text())
    theirs = next(part for part in two.manifest["sealed"]["parts"] if part["name"] == name)
    manifest["sealed"]["parts"] = [theirs if p["name"] == name else p for p in manifest["sealed"]["parts"]]
    bare = {key: value for key, value in manifest.items() if key not in ("kind", "format", "digest")}
    backup_manifest.write(one.path, bare)
    assert backup.verify_backup(one.path).path == one.path
    with pytest.raises(BackupError, match=r"sqlite.db: (its SHA-256|\d+ bytes)"):
        backup.restore_backup(one.path, spec, cipher=cipher)
    assert rows(database(spec))["alice"] == "another user"


def test_sealing_takes_every_plain_backup_and_no_other(spec: backup.BackupSpec, cipher: Cipher) -> None:
    plain = backup.take_backup(spec, now=lambda: 1795374000.0)
    sealed = backup.take_backup(spec, now=lambda: 1795374001.0, cipher=cipher)
    expected = plain.path + cipher.encryption.suffix
    assert backup_store.would_seal(spec.directory, "north", cipher) == [expected]
    assert backup_store.seal_backups(spec.directory, "north", cipher) == [expected]
    assert backup_store.seal_backups(spec.directory, "north", cipher) == []
    assert [one.path for one in backup.list_backups(spec.directory, "north")] == [sealed.path, expected]
    assert backup.choose_backup(spec, "16.5.13") == sealed.path
    assert backup.prune_backups(spec, 1) == [expected]


def test_a_wrong_recipient_leaves_nothing_behind(spec: backup.BackupSpec, cipher: Cipher) -> None:
    wrong = {"age": "age1" + "q" * 58, "gnupg": "0" * 40}[cipher.encryption.method]
    broken = Cipher(cipher._host, replace(cipher.encryption, recipients=(wrong,)))
    with pytest.raises(BackupError, match=r"cannot be encrypted"):
        backup.take_backup(spec, cipher=broken)
    assert os.listdir(spec.home) == [".lock"]


def test_a_drill_of_a_sealed_backup(spec: backup.BackupSpec, cipher: Cipher) -> None:
    taken = backup.take_backup(spec, cipher=cipher)
    before = sorted(os.listdir(spec.home))
    outcome = backup_drill.drill(taken.path, "north", spec.home, cipher._host, cipher)
    assert outcome.restored
    assert outcome.counts == {"kv": 2}
    assert "decrypted" in outcome.proven[0]
    assert sorted(os.listdir(spec.home)) == before
    with pytest.raises(BackupError, match=r"encrypted|decrypted"):
        backup_drill.drill(taken.path, "north", spec.home, cipher._host, without_key(cipher))
    assert sorted(os.listdir(spec.home)) == before


def test_a_program_that_is_missing_is_named(
    spec: backup.BackupSpec, cipher: Cipher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BackupError, match=r"(age|gpg) is not installed"):
        backup.take_backup(spec, cipher=cipher)
    assert os.listdir(spec.home) == [".lock"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"method": "rot13"}, r"allowed are age, gnupg"),
        ({"method": "age", "recipients": ["alice"]}, r"'alice'; for age allowed is 'age1"),
        ({"method": "gnupg", "recipients": ["alice@example.com"]}, r"allowed is a whole fingerprint"),
        ({"method": "gnupg", "recipients": ["0" * 16]}, r"allowed is a whole fingerprint"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(BackupError, match=reason):
        encryption_of(options)


def test_no_recipient_is_refused(spec: backup.BackupSpec, age: Cipher) -> None:
    with pytest.raises(BackupError, match=r"recipients is empty"):
        backup.take_backup(spec, cipher=Cipher(age._host, Encryption("age")))
