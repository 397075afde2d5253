# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the action that fetches a backup, with the real module behind it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.lockstep.teleport.plugins.action import backend_fetch as action_module
from ansible_collections.lockstep.teleport.plugins.module_utils import backup
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.modules import backend_fetch
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_spec


class Fetch:
    """The action with a host that is a folder here."""

    def __init__(self, root: Path, become: bool, check_mode: bool = False, **arguments: Any) -> None:
        self.calls = 0
        self.copied: list[str] = []
        task = SimpleNamespace(args=arguments, check_mode=check_mode, async_val=0, diff=False, action="backend_fetch")
        shell = SimpleNamespace(tmpdir=None)
        connection = SimpleNamespace(_shell=shell, become=object() if become else None, fetch_file=self._fetch_file)
        action: Any = action_module.ActionModule
        self.action = action(task, connection, SimpleNamespace(check_mode=check_mode), None, None, None)
        self.action._execute_module = self._execute

    def _fetch_file(self, remote: str, path: str) -> None:
        self.copied.append(remote)
        shutil.copyfile(remote, path)

    def _execute(self, module_args: dict[str, Any], **_keywords: Any) -> dict[str, Any]:
        self.calls += 1
        defaults = {"directory": "/nowhere", "cluster": None, "path": None, "version": None, "piece": None}
        unknown = set(module_args) - set(defaults)
        assert not unknown, f"the module is not asked for {unknown}"
        try:
            return backend_fetch.run({**defaults, **module_args})
        except BackupError as error:
            return {"failed": True, "msg": str(error)}

    def run(self) -> dict[str, Any]:
        result: dict[str, Any] = self.action.run(task_vars={})
        return result


@pytest.fixture
def spec(tmp_path: Path) -> backup.BackupSpec:
    return make_spec(tmp_path)


@pytest.mark.parametrize("become", [False, True])
def test_the_newest_backup_comes_once(
    spec: backup.BackupSpec, tmp_path: Path, become: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action_module, "_PIECE_BYTES", 5000)
    taken = backup.take_backup(spec)
    arguments: dict[str, Any] = {"directory": spec.directory, "cluster": "north", "dest": str(tmp_path / "here")}
    fetch = Fetch(tmp_path, become, **arguments)
    result = fetch.run()
    assert (result["changed"], result["path"]) == (True, taken.path)
    assert backup.verify_backup(result["dest"], "north").manifest == taken.manifest
    # Becoming another user is what gives the right to read; the connection's own copy would not have it.
    assert bool(fetch.copied) is not become
    assert (fetch.calls > len(taken.manifest["parts"])) is become
    again = Fetch(tmp_path, become, **arguments).run()
    assert again["changed"] is False


def test_older_ones_go_here_too(spec: backup.BackupSpec, tmp_path: Path) -> None:
    dest = str(tmp_path / "here")
    results = []
    clock = iter((1795374000.0, 1795374001.0, 1795374002.0))
    for _number in range(3):
        backup.take_backup(spec, now=clock.__next__)
        results.append(Fetch(tmp_path, False, directory=spec.directory, cluster="north", dest=dest, keep=2).run())
    assert results[2]["removed"] == [results[0]["dest"]]
    assert sorted(name for name in os.listdir(f"{dest}/north") if name != ".lock") == [
        os.path.basename(result["dest"]) for result in results[1:]
    ]


def test_a_dry_run_brings_nothing(spec: backup.BackupSpec, tmp_path: Path) -> None:
    backup.take_backup(spec)
    dest = tmp_path / "here"
    result = Fetch(tmp_path, False, True, directory=spec.directory, cluster="north", dest=str(dest)).run()
    assert result["changed"]
    assert not dest.exists()


def test_what_is_damaged_on_the_host_is_not_brought(spec: backup.BackupSpec, tmp_path: Path) -> None:
    taken = backup.take_backup(spec)
    os.truncate(f"{taken.path}/sqlite.db", 100)
    result = Fetch(tmp_path, False, directory=spec.directory, cluster="north", dest=str(tmp_path / "here")).run()
    assert result["failed"]
    assert "sqlite.db: 100 bytes" in result["msg"]
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"cluster": "north"}, "holds no backup"), ({}, "neither path nor cluster"), ({"path": "/etc"}, "no backup")],
)
def test_no_backup_is_one_message(
    spec: backup.BackupSpec, tmp_path: Path, arguments: dict[str, Any], reason: str
) -> None:
    result = Fetch(tmp_path, False, directory=spec.directory, dest=str(tmp_path / "here"), **arguments).run()
    assert result["failed"]
    assert reason in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "reason"), [({}, "dest is missing"), ({"dest": "/x", "keep": "some"}, "keep is 'some'")]
)
def test_what_the_controller_needs_is_asked_before_the_host(
    tmp_path: Path, arguments: dict[str, Any], reason: str
) -> None:
    fetch = Fetch(tmp_path, False, cluster="north", **arguments)
    with pytest.raises(AnsibleActionFail, match=reason):
        fetch.run()
    assert fetch.calls == 0
