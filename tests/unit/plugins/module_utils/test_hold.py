# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A held instance is down, stays down, and its port refuses."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import journal, readiness
from ansible_collections.lockstep.teleport.plugins.module_utils.hold import hold_file, is_held
from ansible_collections.lockstep.teleport.plugins.module_utils.hold_order import HoldOrder, apply, order_from
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.modules.instance_hold import perform
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import UNIT, FakeHost, program


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    found = FakeHost(tmp_path)
    monkeypatch.setattr(readiness, "probe", found.probe)
    program(found.bin_dir / "teleport", "5.2.5")
    found.start()
    return found


def order(fake: FakeHost, held: bool, start: bool = False, services: str = "auth", port: int = 1) -> HoldOrder:
    instance: dict[str, Any] = {
        "services": [services],
        "unit": {"name": "teleport"},
        "bin_dir": str(fake.bin_dir),
        "versions_dir": str(fake.versions_dir),
        "config": {"auth_listen_addr": f"0.0.0.0:{port}", "diag_addr": "x:1", "data_dir": str(fake.root)},
    }
    return HoldOrder(instance, held, start)


def test_hold_stops_and_keeps_stopped(fake: FakeHost) -> None:
    result = apply(fake.host, order(fake, True), False)
    assert result["changed"]
    assert result["held"]
    assert result["unit"]["active_state"] == "inactive"
    fake.start()
    assert not fake.pid


def test_hold_comes_before_the_stop(fake: FakeHost) -> None:
    apply(fake.host, order(fake, True), False)
    assert fake.log.index("daemon-reload") < fake.log.index(f"stop {UNIT}")


def test_a_session_inside_the_instance_does_not_cut_itself_off(fake: FakeHost) -> None:
    (fake.proc / "self").mkdir()
    (fake.proc / "self" / "cgroup").write_text("0::/system.slice/teleport.service/session\n")
    result = perform(fake.host, order(fake, True), False)
    assert "Nothing was stopped. Reach the host another way" in result["msg"]
    assert (result["failed"], result["changed"]) == (True, False)
    assert fake.pid
    assert not is_held(fake.host, UNIT)


def test_whoever_observes_a_hold_in_the_making_waits(fake: FakeHost) -> None:
    seen = []

    def see(command: list[str]) -> None:
        if "stop" in command:
            seen.append(journal.is_busy(str(fake.versions_dir)))

    fake.hooks.append(see)
    apply(fake.host, order(fake, True), False)
    assert seen == [True]
    assert not journal.is_busy(str(fake.versions_dir))


def test_second_hold_changes_nothing(fake: FakeHost) -> None:
    apply(fake.host, order(fake, True), False)
    fake.log.clear()
    assert not apply(fake.host, order(fake, True), False)["changed"]
    assert fake.log == []


def test_check_mode_changes_nothing(fake: FakeHost) -> None:
    fake.log.clear()
    result = apply(fake.host, order(fake, True), True)
    assert result["changed"]
    assert len(result["missing"]) == 3
    assert not result["held"]
    assert fake.pid
    assert fake.log == []


def test_port_that_still_answers_is_no_proof_of_a_stop(fake: FakeHost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(HostError, match="still accepts connections"):
            apply(fake.host, order(fake, True, port=port), False)
        assert is_held(fake.host, UNIT)
        assert apply(fake.host, order(fake, True, services="proxy", port=port), False)["held"]


def test_instance_that_cannot_be_stopped_stays_held(fake: FakeHost) -> None:
    fake.stop_seconds, fake.ignores_kill = 10_000, True
    result = perform(fake.host, order(fake, True), False)
    assert "could not be stopped" in result["msg"]
    assert (result["failed"], result["changed"]) == (True, True)
    assert is_held(fake.host, UNIT)


def test_release_without_a_start_leaves_it_stopped(fake: FakeHost) -> None:
    apply(fake.host, order(fake, True), False)
    result = apply(fake.host, order(fake, False), False)
    assert result["changed"]
    assert not result["held"]
    assert not fake.pid
    assert not Path(hold_file(fake.host, UNIT)).parent.exists()
    assert not apply(fake.host, order(fake, False), False)["changed"]


def test_release_with_a_start_waits_until_it_is_ready(fake: FakeHost) -> None:
    program(fake.bin_dir / "teleport", "5.2.5", "ready_after=20")
    apply(fake.host, order(fake, True), False)
    before = fake.now
    apply(fake.host, order(fake, False, start=True), False)
    assert fake.pid
    assert fake.now - before >= 25


def test_release_of_what_does_not_start_fails(fake: FakeHost) -> None:
    apply(fake.host, order(fake, True), False)
    program(fake.bin_dir / "teleport", "5.2.5", "dies")
    with pytest.raises(HostError, match="does not come up"):
        apply(fake.host, order(fake, False, start=True), False)


def test_other_drop_ins_are_left_alone(fake: FakeHost) -> None:
    folder = fake.units / f"{UNIT}.d"
    folder.mkdir()
    (folder / "limits.conf").write_text("[Service]\n")
    apply(fake.host, order(fake, True), False)
    apply(fake.host, order(fake, False), False)
    assert [path.name for path in folder.iterdir()] == ["limits.conf"]


def test_what_cannot_be_held(fake: FakeHost) -> None:
    fake.load_state = "not-found"
    with pytest.raises(HostError, match="no usable unit"):
        apply(fake.host, order(fake, True), False)
    parameters = {"state": "held", "start": False, "stop_timeout": 1.0, "ready_timeout": 1.0, "stable_for": 1.0}
    found = order(fake, True).instance
    instance = {**found, "architecture": "amd64", "config": {**found["config"], "path": "/etc/teleport.yaml"}}
    with pytest.raises(HostError, match="client tools only"):
        order_from({**parameters, "instance": {**instance, "services": ["client"]}})
    with pytest.raises(HostError, match="instance lacks"):
        order_from({**parameters, "instance": {}})
    assert order_from({**parameters, "instance": instance}).held
