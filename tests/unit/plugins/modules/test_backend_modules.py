# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the two backup modules: what they refuse, what they return, and that check mode writes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_module
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.registry import open_backend
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.modules import backend_backup, backend_restore
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import (
    holding,
    make_host,
    put,
    rows,
)


class Machine:
    """An auth host whose unit is in a state of the test's choice."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.instance = make_host(root)
        self.database = root / "data" / "backend" / "sqlite.db"
        self.state = "inactive"
        self.pid = 0
        self.versions = {str(root / "bin" / "teleport"): "16.5.13"}
        self.instance["bin_dir"] = str(root / "bin")
        self.host = Host(run_command=self.run)

    def run(self, command: list[str], **_keywords: Any) -> tuple[int, str, str]:
        if command[0].endswith("tctl"):
            return 0, "kind: user\n", ""
        if command[1] == "version":
            version = self.versions.get(command[0])
            return (0, f"Teleport v{version} git:v{version}-0-gabc go1.16\n", "") if version else (127, "", "not found")
        return 0, f"LoadState=loaded\nActiveState={self.state}\nSubState=dead\nMainPID={self.pid}\nNRestarts=0\n", ""

    def options(self, **given: Any) -> dict[str, Any]:
        return {"instance": self.instance, "directory": str(self.root / "backups"), "cluster": None, **given}

    def backup(self, check_mode: bool = False, **given: Any) -> dict[str, Any]:
        defaults = {"state": "present", "keep": 5, "resources": False}
        return backend_backup.run(self.host, self.options(**{**defaults, **given}), check_mode)

    def restore(self, check_mode: bool = False, **given: Any) -> dict[str, Any]:
        return backend_restore.run(self.host, self.options(**{"path": None, "version": None, **given}), check_mode)

    @property
    def files(self) -> list[str]:
        home = self.root / "backups" / "north"
        return sorted(name for name in os.listdir(home) if name != ".lock") if home.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_backup_of_a_stopped_auth(machine: Machine) -> None:
    result = machine.backup()
    assert result["changed"]
    assert not result["serving"]
    assert result["manifest"]["consistency"] == "stopped"
    assert machine.files == [os.path.basename(result["path"])]
    assert result["diff"] == {"before": {"backups": []}, "after": {"backups": [result["path"]]}}


def test_a_backup_of_a_serving_auth_with_its_resources(machine: Machine) -> None:
    machine.state = "active"
    (machine.root / "bin").mkdir()
    (machine.root / "bin" / "tctl").touch()
    with holding(machine.database):
        result = machine.backup(resources=True)
    assert result["manifest"]["consistency"] == "online"
    assert Path(result["path"], "tctl-get-all.yaml").read_text() == "kind: user\n"


@pytest.mark.parametrize(("pid", "version"), [(0, "17.7.20"), (42, "16.5.18")])
def test_a_backup_is_of_what_runs_now_else_of_what_is_installed(machine: Machine, pid: int, version: str) -> None:
    machine.pid = pid
    machine.versions = {str(machine.root / "bin" / "teleport"): "17.7.20", "/proc/42/exe": "16.5.18"}
    result = machine.backup()
    assert result["manifest"]["version"] == version
    assert result["path"].endswith(f"-{version}")


def test_what_lies_where_follows_the_version_of_now(machine: Machine) -> None:
    machine.instance["config"]["storage"] = {"type": "etcd", "peers": ["https://127.0.0.1:1"], "prefix": "/north"}
    prefixes = []
    for version in ("4.2.12", "4.3.10"):
        machine.versions = {str(machine.root / "bin" / "teleport"): version}
        now = backup_module.version_now(machine.host, machine.instance)
        spec = backup_module.spec_of(machine.options(), machine.host, now)
        prefixes.append(open_backend(spec.storage, spec.data_dir, spec.version).location)
    assert prefixes[0] != prefixes[1]


def test_a_version_that_cannot_be_told_is_refused(machine: Machine) -> None:
    machine.versions = {}
    with pytest.raises(BackupError, match="cannot be told: .*bin/teleport version ended with status 127"):
        machine.backup(state="rehearse")


@pytest.mark.parametrize("config", [None, {}, {"path": None}, {"path": "teleport.yaml"}, "teleport.yaml"])
def test_an_instance_of_ones_own_making_is_refused(machine: Machine, config: object) -> None:
    machine.instance["config"] = config
    for act in (machine.backup, machine.restore):
        with pytest.raises(BackupError, match=r"names no teleport\.yaml; give what lockstep\.teleport\.instance_info"):
            act()
    assert machine.files == []


def test_systemd_is_asked_not_the_observation(machine: Machine) -> None:
    machine.state = "activating"
    machine.instance["unit"]["active_state"] = "inactive"
    with pytest.raises(BackupError, match="is running"):
        machine.restore()


@pytest.mark.parametrize("state", ["present", "rehearse"])
def test_check_mode_writes_nothing(machine: Machine, state: str) -> None:
    result = machine.backup(check_mode=True, state=state)
    assert result["changed"] is (state == "present")
    assert result["bytes_free"] > result["bytes_needed"] > 0
    assert not (machine.root / "backups").exists()


def test_check_mode_finds_what_a_run_would_stumble_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.lockstep.teleport.plugins.module_utils.durable.free_bytes", lambda _path: 0
    )
    with pytest.raises(BackupError, match="0 MiB are free"):
        machine.backup(check_mode=True)


def test_a_rehearsal_changes_nothing(machine: Machine) -> None:
    result = machine.backup(state="rehearse")
    assert not result["changed"]
    assert result["manifest"]["backend"]["counts"] == {"kv": 2}
    assert machine.files == []


def test_older_backups_go(machine: Machine) -> None:
    paths = [machine.backup(keep=2)["path"] for _again in range(3)]
    assert machine.files == sorted(os.path.basename(path) for path in paths[1:])


def test_a_store_that_cannot_be_saved_is_refused(machine: Machine) -> None:
    machine.instance["config"]["storage"] = {"type": "firestore", "collection_name": "c"}
    with pytest.raises(BackupError, match="export the collection c"):
        machine.backup(check_mode=True)


def test_restore_takes_the_newest_and_is_idempotent(machine: Machine) -> None:
    machine.backup()
    put(machine.database, late="row")
    newest = machine.backup()["path"]
    put(machine.database, later="row")
    result = machine.restore()
    assert (result["changed"], result["path"]) == (True, newest)
    assert "late" in rows(machine.database)
    assert "later" not in rows(machine.database)
    assert result["diff"][0]["after"] == {"state": f"as saved in {newest}"}
    assert not machine.restore()["changed"]


def test_restore_in_check_mode_judges_and_touches_nothing(machine: Machine) -> None:
    path = machine.backup()["path"]
    assert not machine.restore(check_mode=True)["changed"]
    put(machine.database, later="row")
    before = machine.files
    assert machine.restore(check_mode=True)["changed"]
    assert "later" in rows(machine.database)
    assert machine.files == before
    Path(path, "sqlite.db").write_bytes(b"")
    with pytest.raises(BackupError, match="damaged"):
        machine.restore(check_mode=True)


def test_restore_without_a_backup_says_where_it_looked(machine: Machine) -> None:
    with pytest.raises(BackupError, match=r"backups/north: holds no backup of version 16\.5\.12"):
        machine.restore(version="16.5.12")


# -- what tctl prints


@pytest.mark.parametrize(("version", "kept"), [("4.0.16", False), ("4.1.0", True), ("17.7.20", True)])
def test_resources_are_kept_from_the_version_on_that_prints_them(machine: Machine, version: str, kept: bool) -> None:
    machine.instance["config"]["storage"]["type"] = "sqlite"
    machine.versions = {str(machine.root / "bin" / "teleport"): version}
    machine.state = "active"
    (machine.root / "bin").mkdir()
    (machine.root / "bin" / "tctl").touch()
    result = machine.backup(resources=True)
    assert Path(result["path"], "tctl-get-all.yaml").exists() is kept


def test_a_tctl_that_does_not_answer_stops_the_rehearsal(machine: Machine) -> None:
    machine.state = "active"
    with pytest.raises(BackupError, match=r"no tctl in .* set teleport_backup_resources to false"):
        machine.backup(state="rehearse", resources=True)


# -- encryption, with a stand-in for age: tests/backends has the real one


def test_a_dry_run_finds_out_whether_the_program_is_there(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.host, "run_command", refusing(machine.run))
    with pytest.raises(BackupError, match=r"age is not installed"):
        machine.backup(check_mode=True, encryption={"method": "age", "recipients": []})


def refusing(run: Any) -> Any:
    def run_command(command: list[str], **keywords: Any) -> Any:
        if command[0] == "age":
            raise FileNotFoundError(2, "No such file or directory")
        return run(command, **keywords)

    return run_command
