# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hop whose migration fails on DynamoDB: two Auth Services of the double, one table, and the way back of both."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.modules import backend_follow
from ansible_collections.lockstep.teleport.plugins.plugin_utils import teleport_config
from ansible_collections.lockstep.teleport.tests.backends.conftest import free_port
from ansible_collections.lockstep.teleport.tests.backends.moto import REGION, Moto

OLD, NEW = "8.3.17", "9.3.13"
TABLE = "teleport.state"
DOUBLE = Path(__file__).resolve().parents[1] / "double"
STOPPED = "LoadState=loaded\nActiveState=inactive\nSubState=dead\nMainPID=0\nNRestarts=0\n"


@pytest.fixture
def new_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Makes hosts of the double that use one empty moto."""
    monkeypatch.setattr(sys, "path", [str(DOUBLE), str(DOUBLE / "tests"), *sys.path])
    build, loopback = importlib.import_module("build"), importlib.import_module("loopback")
    build.unpack(tmp_path / "binaries", [build.Release(version, "community") for version in (OLD, NEW)])
    moto = Moto(tmp_path, free_port())
    moto.await_ready()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-host")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-host")
    hosts: list[Any] = []

    def make(name: str) -> Any:
        storage = {"type": "dynamodb", "region": REGION, "table_name": TABLE}
        made = loopback.Host(
            name, tmp_path / "binaries", tmp_path, loopback.free_ports(6), services=("auth",), storage=storage
        )
        hosts.append(made)
        return made

    yield make
    for host in hosts:
        host.stop()
    moto.stop()


def observed(host: Any) -> dict[str, Any]:
    """What instance_info would say of the configuration."""
    summary = teleport_config.summarize(host.config.read_text(), {})
    return {"config": {**summary, "path": str(host.config)}, "unit": {"name": "teleport.service"}}


def spec_of(host: Any) -> backup.BackupSpec:
    """Whose backup is meant."""
    instance = observed(host)
    return backup.spec_from_instance(instance, str(host.folder / "backups"), "example.com", OLD)


def test_everything_written_before_the_stop_is_there_on_all_auths(new_host: Callable[[str], Any]) -> None:
    primary, peer = new_host("a1").start(OLD), new_host("a2").start(OLD)
    users = [f"user-{number}" for number in range(6)]
    for number, user in enumerate(users):
        (primary, peer)[number % 2].tctl("users", "add", user, "--roles=access")
    pins = primary.pins()
    assert primary.names("users") == users
    # As roles/auth does: the peer is held, the primary stopped and saved, and the new version started.
    seen_of_peer = observed(peer)
    peer.stop()
    primary.stop()
    spec = spec_of(primary)
    taken = backup.take_backup(spec)
    primary.turn(faults=[{"versions": ["9"], "fail_migration": True}])
    status, _log = primary.dies(NEW)
    assert status == 1
    done = backup.restore_backup(taken.path, spec)
    assert done.config_change is not None
    parameters = {"instance": seen_of_peer, "tables": [TABLE, done.config_change.new]}
    host = Host(run_command=lambda *_arguments, **_more: (0, STOPPED, ""))
    assert backend_follow.run(host, parameters, False)["changed"]
    primary.start(OLD)
    peer.start(OLD)
    assert primary.names("users") == users
    assert peer.names("users") == users
    assert primary.pins() == peer.pins() == pins
    # Both really use one table: what one writes the other lists.
    peer.tctl("users", "add", "later", "--roles=access")
    assert primary.names("users") == sorted([*users, "later"])
    tables = {event["backend"].rpartition("/")[2] for one in (primary, peer) for event in one.witnessed("auth_serving")}
    assert tables == {TABLE, done.config_change.new}


def test_without_the_restore_the_records_are_damaged(new_host: Callable[[str], Any]) -> None:
    # What the test above would not notice if the double's failing migration did nothing.
    primary = new_host("a1").start(OLD)
    for number in range(6):
        primary.tctl("users", "add", f"user-{number}", "--roles=access")
    primary.stop()
    primary.turn(faults=[{"versions": ["9"], "fail_migration": True}])
    primary.dies(NEW)
    primary.start(OLD)
    assert len(primary.names("users")) < 6
