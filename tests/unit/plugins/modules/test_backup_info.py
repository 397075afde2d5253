# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the survey of backups: which one is judged, and what is said against it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, backup_survey
from ansible_collections.lockstep.teleport.plugins.modules import backup_info
from ansible_collections.lockstep.teleport.tests.unit.plugins.modules.test_backend_modules import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def look(machine: Machine, **wanted: Any) -> dict[str, Any]:
    given = {"path": None, "name": None, "version": None, "before": None, **wanted}
    return backup_info.run(machine.host, machine.options(**given))


def problems(result: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in result["chosen"]["problems"]]


@pytest.mark.parametrize("key", ["path", "name", "version", "before"])
def test_a_backup_can_be_asked_for_in_four_ways(machine: Machine, key: str) -> None:
    taken = machine.backup()["path"]
    asked = {"path": taken, "name": Path(taken).name, "version": "16.5.13", "before": "17.0.0"}
    result = look(machine, **{key: asked[key]})
    chosen = result["chosen"]
    assert (chosen["path"], chosen["version"], chosen["problems"]) == (taken, "16.5.13", [])
    assert [one["name"] for one in result["backups"]] == [Path(taken).name]
    assert not result["changed"]


@pytest.mark.parametrize(
    "wanted", [{"path": "/nowhere"}, {"name": "none"}, {"version": "16.5.12"}, {"before": "16.9.0"}, {}]
)
def test_what_is_not_there_is_not_chosen(machine: Machine, wanted: dict[str, str]) -> None:
    machine.backup()
    assert look(machine, **wanted)["chosen"] is None


def test_whether_it_is_restored_already_is_told_of_a_stopped_auth_alone(machine: Machine) -> None:
    taken = machine.backup()["path"]
    assert look(machine, path=taken)["chosen"]["restored"] is True
    machine.state = "active"
    assert look(machine, path=taken)["chosen"]["restored"] is None


def test_a_damaged_backup_is_unusable(machine: Machine) -> None:
    taken = Path(machine.backup()["path"])
    part = next(path for path in sorted(taken.rglob("*")) if path.is_file() and path.name.startswith("sqlite"))
    part.write_bytes(part.read_bytes()[:-1])
    assert problems(look(machine, path=str(taken))) == ["unusable"]


def test_a_folder_of_other_origin_is_unusable(machine: Machine) -> None:
    assert problems(look(machine, path=str(machine.root))) == ["unusable"]


def test_a_backup_of_another_cluster_is_foreign(machine: Machine) -> None:
    taken = machine.backup()["path"]
    assert problems(look(machine, path=taken, cluster="south")) == ["foreign"]


@pytest.mark.parametrize("state", ["inactive", "active"])
def test_a_backup_of_another_place_is_elsewhere(machine: Machine, state: str) -> None:
    taken = machine.backup()["path"]
    shutil.copytree(machine.root / "data", machine.root / "other")
    machine.instance["config"]["storage"] = {"type": "sqlite", "path": str(machine.root / "other" / "backend")}
    machine.state = state
    assert problems(look(machine, path=taken)) == ["elsewhere"]


def test_an_encrypted_backup_goes_by_its_plain_name() -> None:
    facts = {"version": "16.5.13"}
    found = [backup.Backup("/b/20260301T100000Z-16.5.13.age", facts)]
    assert backup_survey.choose(found, backup_survey.Wanted(name="20260301T100000Z-16.5.13")) == found[0].path
