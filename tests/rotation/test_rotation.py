# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation with processes of the double: all phases, the gate, a run that was cut off, the way back, a leaf."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.plugins.module_utils import rotation, rotation_run
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import Tctl

DOUBLE = Path(__file__).resolve().parents[1] / "double"
OLD, NEW = "4.2.12", "17.7.20"
PHASES = ("init", "update_clients", "update_servers", "standby")
# As the tests of the double: entries are listed for 12 s then, and a process that reloaded is deaf for 6 s.
SCALE = 0.02
PATIENCE = 60.0

NewHost = Callable[..., Any]


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Programs of the versions that take part."""
    sys.path[:0] = [str(DOUBLE), str(DOUBLE / "tests")]
    build = importlib.import_module("build")
    out = tmp_path_factory.mktemp("binaries")
    build.unpack(out, [build.Release(version, "community") for version in (OLD, NEW)])
    yield out
    del sys.path[:2]


@pytest.fixture
def new_host(binaries: Path, tmp_path: Path) -> Iterator[NewHost]:
    """Makes hosts of the double and stops them at the end."""
    loopback = importlib.import_module("loopback")
    hosts: list[Any] = []

    def make(name: str, services: tuple[str, ...], **options: Any) -> Any:
        ports = loopback.free_ports(6)
        made = loopback.Host(name, binaries, tmp_path, ports, services=services, scale=SCALE, **options)
        hosts.append(made)
        return made

    yield make
    for host in hosts:
        host.stop()


def tctl(host: Any) -> Tctl:
    """The tctl of an auth host, as the module calls it."""
    return Tctl(Host(environment=host.environment), host.binary("tctl"), str(host.config), pause=0.2)


def wish(phase: str, hosts: tuple[str, ...] = (), **changes: Any) -> rotation_run.Wish:
    expected = [rotation.Expected(name, frozenset({name})) for name in hosts]
    whole = rotation_run.Wish(phase, ("host", "user"), "48h", expected, (), PATIENCE, 0.0)
    return whole._replace(**changes)


def runner(host: Any) -> rotation_run.Runner:
    return rotation_run.Runner(tctl(host), lambda seconds: time.sleep(min(seconds, 0.3)), time.monotonic)


def phases(view: rotation_run.View) -> dict[str, str]:
    return {authority.type: authority.phase for authority in view.own if authority.type in ("host", "user")}


@pytest.mark.parametrize("version", [OLD, NEW])
def test_all_phases_are_reached_and_the_pin_changes(new_host: NewHost, version: str) -> None:
    auth = new_host("a1", ("auth",)).start(version)
    new_host("p1", ("proxy",), auth=auth).start(version)
    new_host("n1", ("node",), auth=auth).start(version)
    everybody = ("a1", "p1", "n1")
    view = rotation_run.look(tctl(auth))
    before = view.ca_pins
    for phase in PHASES:
        view = runner(auth).enter(wish(phase, everybody))
        assert phases(view) == {"host": phase, "user": phase}
        assert {report.phase for report in view.reports} == {phase}
    assert (len(view.ca_pins), set(view.ca_pins) & set(before)) == (1, set())
    assert rotation_run.absent(view, wish("", everybody), completed=True) == []
    again = runner(auth).enter(wish("standby", everybody))
    assert again.authority("host").last_rotated == view.authority("host").last_rotated, "nothing is done twice"


def test_an_instance_that_does_not_follow_closes_the_gate_and_the_way_back_is_open(new_host: NewHost) -> None:
    auth = new_host("a1", ("auth",)).start(NEW)
    node = new_host("n1", ("node",), auth=auth)
    node.turn(faults=[{"ignore_rotation": True}])
    node.start(NEW)
    before = rotation_run.look(tctl(auth)).ca_pins
    with pytest.raises(rotation_run.RotationError) as stuck:
        runner(auth).enter(wish("init", ("a1", "n1"), patience=3.0))
    assert "n1: its nodes service reports standby, the cluster is in init" in str(stuck.value)
    with pytest.raises(rotation_run.RotationError, match="cannot enter update_clients"):
        runner(auth).enter(wish("update_clients", ("a1", "n1"), patience=2.0))
    assert phases(rotation_run.look(tctl(auth))) == {"host": "init", "user": "init"}
    node.turn()
    runner(auth).enter(wish("rollback", ("a1", "n1")))
    assert runner(auth).enter(wish("standby", ("a1", "n1"))).ca_pins == before


def test_an_instance_that_is_not_there_is_named_before_anything_is_changed(new_host: NewHost) -> None:
    auth = new_host("a1", ("auth",)).start(OLD)
    with pytest.raises(rotation_run.RotationError, match="n9: its cluster does not list it"):
        runner(auth).enter(wish("init", ("a1", "n9"), patience=1.0))
    assert phases(rotation_run.look(tctl(auth))) == {"host": "standby", "user": "standby"}
    runner(auth).enter(wish("init", ("a1", "n9"), ignored=("n9",)))


def test_a_run_cut_off_between_two_authorities_is_continued(new_host: NewHost) -> None:
    auth = new_host("a1", ("auth",)).start(NEW)
    assert tctl(auth).text(["auth", "rotate", "--manual", "--type=host", "--phase=init"])
    view = runner(auth).enter(wish("init", ("a1",)))
    assert phases(view) == {"host": "init", "user": "init"}
    with pytest.raises(rotation_run.RotationError, match="the host authority is in init; standby follows"):
        runner(auth).enter(wish("standby", ("a1",)))


def test_an_automatic_rotation_is_left_alone(new_host: NewHost) -> None:
    auth = new_host("a1", ("auth",)).start(NEW)
    tctl(auth).text(["auth", "rotate", "--type=host", "--grace-period=48h"])
    with pytest.raises(rotation_run.RotationError, match="automatic rotation"):
        runner(auth).enter(wish("update_clients", ("a1",)))


def test_a_leaf_learns_of_the_new_keys_while_it_is_connected(new_host: NewHost) -> None:
    root = new_host("r1", ("auth", "proxy"), cluster="root.example").start(NEW)
    leaf = new_host("l1", ("auth", "proxy"), cluster="leaf.example").start(NEW)
    resource = {
        "kind": "trusted_cluster",
        "version": "v2",
        "metadata": {"name": "root.example"},
        "spec": {
            "enabled": True,
            "token": "tc-token",
            "web_proxy_addr": f"127.0.0.1:{root.web_port}",
            "tunnel_addr": f"127.0.0.1:{root.tunnel_port}",
        },
    }
    path = leaf.folder / "trusted.yaml"
    path.write_text(yaml.safe_dump(resource))
    os.chmod(path, 0o600)
    leaf.tctl("create", str(path))
    view = runner(root).enter(wish("init", ("r1",)))
    keys = {kind: view.authority(kind).keys for kind in ("host", "user")}

    def lacking(seen: rotation_run.View) -> list[rotation.Missing]:
        return [rotation.Missing(kind, "copy", "") for kind in rotation.lacking(seen.authorities, keys, "root.example")]

    held = runner(leaf).wait(wish(""), lacking, "go on")
    assert rotation.lacking(held.authorities, {"host": [*keys["host"], "another"]}, "root.example") == ["host"]
