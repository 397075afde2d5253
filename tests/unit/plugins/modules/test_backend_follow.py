# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of switching an Auth Service to the table that its cluster was restored to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.modules import backend_follow
from ansible_collections.lockstep.teleport.plugins.plugin_utils import teleport_config

TEXT = "teleport:\n  storage:\n    type: dynamodb\n    table_name: state  # ours\n"
RESTORED = "state-lockstep-20261122T201500Z"


def follow(root: Path, tables: list[str], check_mode: bool = False, state: str = "inactive") -> dict[str, Any]:
    """Run the module on a host with the configuration in *root*, whose unit is in *state*."""
    path = root / "teleport.yaml"
    config = {**teleport_config.summarize(TEXT, {}), "path": str(path)}
    answer = f"LoadState=loaded\nActiveState={state}\nSubState=dead\nMainPID=0\nNRestarts=0\n"
    host = Host(run_command=lambda *_arguments, **_more: (0, answer, ""))
    parameters = {"instance": {"config": config, "unit": {"name": "teleport.service"}}, "tables": tables}
    return backend_follow.run(host, parameters, check_mode)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a configuration."""
    (tmp_path / "teleport.yaml").write_text(TEXT)
    return tmp_path


def test_a_peer_takes_the_restored_table_once(root: Path) -> None:
    result = follow(root, ["state", RESTORED])
    assert (result["changed"], result["table"]) == (True, RESTORED)
    assert result["config_change"] == {"key": "table_name", "old": "state", "new": RESTORED}
    assert (result["diff"]["before"], result["diff"]["after"]) == ("table_name: state\n", f"table_name: {RESTORED}\n")
    assert (root / "teleport.yaml").read_text() == TEXT.replace("state ", f"{RESTORED} ")
    again = follow(root, ["state", RESTORED])
    assert (again["changed"], again["config_change"]) == (False, None)


def test_nobody_goes_back_to_the_table_that_was_left(root: Path) -> None:
    (root / "teleport.yaml").write_text(TEXT.replace("state ", f"{RESTORED} "))
    assert not follow(root, ["state"])["changed"]


def test_check_mode_writes_nothing(root: Path) -> None:
    assert follow(root, [RESTORED], check_mode=True)["changed"]
    assert (root / "teleport.yaml").read_text() == TEXT


def test_a_running_one_is_not_switched(root: Path) -> None:
    with pytest.raises(BackupError, match="the cluster is split. Stop this one"):
        follow(root, [RESTORED], state="active")
    assert (root / "teleport.yaml").read_text() == TEXT
    assert not follow(root, ["state"], state="active")["changed"]


def test_foreign_tables_are_refused(root: Path) -> None:
    with pytest.raises(BackupError, match="unrelated tables: other, state"):
        follow(root, ["other"])


def test_other_backends_have_nothing_to_follow() -> None:
    config = {"path": "/absent", "storage": {"type": "etcd"}}
    result = backend_follow.run(
        Host(run_command=lambda *_arguments, **_more: (1, "", "")),
        {"instance": {"config": config}, "tables": []},
        False,
    )
    assert result == {"changed": False, "table": None, "config_change": None}


def test_an_instance_of_ones_own_making_is_refused() -> None:
    host = Host(run_command=lambda *_arguments, **_more: (1, "", ""))
    with pytest.raises(BackupError, match=r"names no teleport\.yaml"):
        backend_follow.run(host, {"instance": {}, "tables": ["state"]}, False)
