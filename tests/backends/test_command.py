# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backends saved and restored by commands of the user, with commands that really run."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, UnsupportedBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import choice_of
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_host

SECONDS = count(1795374000)
Specs = Callable[..., backup.BackupSpec]

SAVE = 'cp "$STORE" "$LOCKSTEP_FOLDER/data" && echo "$LOCKSTEP_ACTION of $LOCKSTEP_CLUSTER at $LOCKSTEP_VERSION"'
RESTORE = 'cp "$LOCKSTEP_FOLDER/data" "$STORE"'


def now() -> float:
    return float(next(SECONDS))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store"
    path.write_text("as saved")
    monkeypatch.setenv("STORE", str(path))
    return path


@pytest.fixture
def spec(tmp_path: Path, store: Path) -> Specs:
    instance = make_host(tmp_path)
    instance["config"]["storage"] = {"type": "firestore", "collection_name": "teleport-state"}

    def build(**options: Any) -> backup.BackupSpec:
        chosen = choice_of({"command": SAVE, "restore_command": RESTORE, **options})
        return backup.spec_from_instance(instance, str(tmp_path / "backups"), host=Host(), choice=chosen)

    return build


def test_what_the_commands_save_comes_back(spec: Specs, store: Path) -> None:
    chosen = spec(verify_command='grep -q "as saved" "$LOCKSTEP_FOLDER/data"')
    taken = backup.take_backup(chosen, now=now)
    assert taken.manifest["backend"]["kind"] == "command"
    assert taken.manifest["backend"]["location"] == "firestore teleport-state"
    assert taken.manifest["backend"]["counts"]["files"] == 2
    assert Path(taken.path, "command", "output.txt").read_text() == "backup of north at 16.5.13\n"
    for name in ("data", "output.txt"):
        assert stat.S_IMODE(Path(taken.path, "command", name).stat().st_mode) == 0o600
    store.write_text("migrated")
    restored = backup.restore_backup(taken.path, chosen, now=now)
    assert restored.changed
    assert store.read_text() == "as saved"
    assert Path(str(restored.evidence), "command", "data").read_text() == "migrated"
    assert Path(str(restored.evidence), "command", "output.txt").read_text().startswith("preserve of north")


def test_a_list_is_run_without_a_shell(spec: Specs, store: Path, tmp_path: Path) -> None:
    program = tmp_path / "save"
    program.write_text('#!/bin/sh\nprintf "%s|" "$@" > "$LOCKSTEP_FOLDER/arguments"\n')
    program.chmod(0o755)
    taken = backup.take_backup(spec(command=[str(program), "$HOME; touch x", "~", 7]), now=now)
    assert Path(taken.path, "command", "arguments").read_text() == "$HOME; touch x|~|7|"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"command": "echo no >&2; exit 3"}, "teleport_backup_command exits with 3: no"),
        ({"command": "true"}, "left no file in LOCKSTEP_FOLDER and printed nothing"),
        ({"command": 'touch "$LOCKSTEP_FOLDER/empty"'}, "left no file"),
        ({"command": "sleep 30", "command_timeout": 0.3}, r"did not end within 0.3 s"),
        ({"command": ["/nonexistent/program"]}, "/nonexistent/program: there is no such program"),
        ({"restore_command": ["/nonexistent/restore"]}, "/nonexistent/restore: there is no such program"),
        ({"command": 'ln -s /etc/passwd "$LOCKSTEP_FOLDER/link"'}, "no plain file"),
        ({"verify_command": "echo rotten >&2; false"}, "teleport_backup_verify_command exits with 1: rotten"),
    ],
)
def test_a_command_that_fails_leaves_no_backup(spec: Specs, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BackupError, match=reason):
        backup.take_backup(spec(**options), now=now)
    assert [name for name in os.listdir(spec().home) if not name.startswith(".lock")] == []


def test_a_failed_restore_is_told_and_can_be_repeated(spec: Specs, store: Path) -> None:
    taken = backup.take_backup(spec(), now=now)
    store.write_text("migrated")
    with pytest.raises(BackupError, match="teleport_restore_command exits with 9"):
        backup.restore_backup(taken.path, spec(restore_command="exit 9"), now=now)
    backup.restore_backup(taken.path, spec(), now=now)
    assert store.read_text() == "as saved"


def test_a_state_that_cannot_be_kept_does_not_stop_the_restore(spec: Specs, store: Path) -> None:
    taken = backup.take_backup(spec(), now=now)
    failing = spec(command='[ "$LOCKSTEP_ACTION" = backup ]')
    evidence = backup.restore_backup(taken.path, failing, now=now).evidence
    assert "exits with 1" in Path(str(evidence), "command", "preserve-failed.txt").read_text()


def test_tampered_output_is_refused(spec: Specs, store: Path) -> None:
    taken = backup.take_backup(spec(), now=now)
    Path(taken.path, "command", "data").write_text("AS SAVED")
    with pytest.raises(BackupError, match="SHA-256"):
        backup.restore_backup(taken.path, spec(), now=now)
    assert store.read_text() == "as saved"


def test_without_commands_both_ways_are_refused(spec: Specs, store: Path) -> None:
    taken = backup.take_backup(spec(), now=now)
    without = spec(command=None, restore_command=None)
    with pytest.raises(UnsupportedBackend, match="Set teleport_backup_command and teleport_restore_command"):
        backup.take_backup(without, now=now)
    with pytest.raises(BackupError, match="teleport_restore_command"):
        backup.restore_backup(taken.path, without, now=now)
    with pytest.raises(BackupError, match="only one is set"):
        spec(restore_command="")


@pytest.mark.parametrize("command", [{"a": 1}, [["x"]], 3])
def test_what_is_no_command_is_refused(command: Any) -> None:
    with pytest.raises(BackupError, match="allowed are a list of arguments, or one line for the shell"):
        choice_of({"command": command, "restore_command": "x"})
