# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teleport's own updaters: found, paused and put back, and teleport-update as the one that upgrades an agent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    installation,
    order,
    process,
    readiness,
    release,
    updater,
    upgrade,
    way_updater,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.transaction import UpgradeFailed
from ansible_collections.lockstep.teleport.plugins.module_utils.way_updater import UpdaterWay
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost, Killed, program

OLD, NEW = "16.5.12", "17.7.20"
UPDATE_YAML = """version: v1
kind: update_config
spec:
    proxy: "teleport.example.com:443"
    group: default # the first
    enabled: {enabled}
    pinned: {pinned}
status:
    active:
        version: {active}
        flags: []
    backup:
        version: 15.5.4
"""


class Managed:
    """teleport-update on a host: it switches, restarts what runs, and goes back by itself when that fails at once."""

    def __init__(self, fake: FakeHost, root: Path) -> None:
        self.fake, self.root = fake, root
        self.enabled, self.pinned, self.active = True, False, OLD
        self.behaviour: dict[str, str] = {}
        self.fails: set[str] = set()
        self.asked: list[str] = []
        self.timer: str | None = None
        self.killed = False
        self.inner = fake.systemctl
        self.link(OLD)
        self.write()

    def write(self) -> None:
        folder = self.root / "default"
        folder.mkdir(parents=True, exist_ok=True)
        flags = {"enabled": str(self.enabled).lower(), "pinned": str(self.pinned).lower()}
        (folder / "update.yaml").write_text(UPDATE_YAML.format(active=self.active, **flags))

    def link(self, version: str) -> None:
        for name in ("teleport", "tctl", "tsh"):
            target = program(
                self.root / "default/versions" / version / "bin" / name, version, self.behaviour.get(version, "")
            )
            (self.fake.bin_dir / name).unlink(missing_ok=True)
            (self.fake.bin_dir / name).symlink_to(target)

    def run_command(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        if command[0] == "teleport-update":
            return self.update(command[1:])
        if command[0] == "systemctl" and command[-1] == "teleport-upgrade.timer":
            return self.timers(command[1])
        return FakeHost.run_command(self.fake, command, **options)

    def update(self, words: list[str]) -> tuple[int, str, str]:
        self.asked.append(" ".join(words))
        if words == ["unpin"]:
            self.pinned = False
        elif words[:2] == ["pin", "--force-version"]:
            if words[2] in self.fails:
                return 1, "", "failed to download"
            self.pinned = True
            if words[2] != self.active:
                self.switch(words[2])
        else:
            return 2, "", "unknown command"
        self.write()
        return 0, "", ""

    def switch(self, version: str) -> None:
        self.active = version
        self.link(version)
        if self.fake.pid:
            self.fake.systemctl(["stop", "teleport.service"])
            self.fake.systemctl(["start", "teleport.service"])
        if self.killed:
            raise Killed

    def timers(self, verb: str) -> tuple[int, str, str]:
        if verb == "show":
            load = "not-found" if self.timer is None else "loaded"
            return 0, f"LoadState={load}\nActiveState={self.timer or 'inactive'}\n", ""
        self.timer = {"start": "active", "stop": "inactive"}[verb]
        return 0, "", ""


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    found = FakeHost(tmp_path)
    monkeypatch.setattr(readiness, "probe", found.probe)
    return found


@pytest.fixture
def managed(fake: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Managed:
    """An agent under teleport-update that runs OLD."""
    found = Managed(fake, tmp_path / "managed")
    monkeypatch.setattr(fake, "run_command", found.run_command)
    monkeypatch.setattr(
        way_updater, "UpdaterWay", lambda host, layout, wanted: UpdaterWay(host, layout, wanted, str(found.root))
    )
    original = installation.install_method
    monkeypatch.setattr(
        installation, "install_method", lambda host, layout: original(host, layout, managed_root=str(found.root))
    )
    fake.start()
    fake.log.clear()
    return found


def wanted(fake: FakeHost, version: str = NEW, *services: str) -> order.Order:
    instance = {
        "services": list(services) or ["agent"],
        "unit": {"name": "teleport"},
        "config": {"path": "/etc/teleport.yaml", "diag_addr": "127.0.0.1:3000", "data_dir": str(fake.root)},
        "architecture": "amd64",
        "bin_dir": str(fake.bin_dir),
    }
    layout = installation.Layout(str(fake.versions_dir), str(fake.bin_dir))
    asked = release.Release(version, "community", "amd64", base_url="https://cdn.example.com")
    return order.Order(instance, asked, layout, ready_timeout=30)


def perform(fake: FakeHost, asked: order.Order) -> dict[str, Any]:
    return upgrade.Upgrade(fake.host, asked, lambda *_a, **_k: pytest.fail("nothing may be fetched")).run()


def runs(fake: FakeHost) -> str | None:
    answer = process.ask_version(fake.host, str(fake.proc / str(fake.pid) / "exe")) if fake.pid else None
    return str(answer.output.release) if answer and answer.output else None


# -- as the one that upgrades


def test_teleport_update_brings_an_agent_to_the_version(fake: FakeHost, managed: Managed) -> None:
    result = perform(fake, wanted(fake))
    assert result["versions"] == {"from": OLD, "to": NEW}
    assert (runs(fake), managed.asked) == (NEW, [f"pin --force-version {NEW}"])
    assert not perform(fake, wanted(fake))["changed"]
    assert len(managed.asked) == 1


@pytest.mark.parametrize("behaviour", ["dies", "never_ready", "degraded_at=3"])
def test_a_version_that_does_not_run_is_pinned_back(fake: FakeHost, managed: Managed, behaviour: str) -> None:
    managed.behaviour[NEW] = behaviour
    with pytest.raises(UpgradeFailed) as caught:
        perform(fake, wanted(fake))
    assert caught.value.rolled_back
    assert (runs(fake), managed.active) == (OLD, OLD)


def test_nothing_stops_for_what_cannot_be_fetched(fake: FakeHost, managed: Managed) -> None:
    managed.fails.add(NEW)
    with pytest.raises(UpgradeFailed, match="failed to download"):
        perform(fake, wanted(fake))
    assert runs(fake) == OLD


def test_a_killed_run_is_finished(fake: FakeHost, managed: Managed) -> None:
    managed.killed = True
    with pytest.raises(Killed):
        perform(fake, wanted(fake))
    managed.killed = False
    managed.write()
    perform(fake, wanted(fake))
    assert runs(fake) == NEW


@pytest.mark.parametrize("services", [("auth",), ("proxy", "agent")])
def test_auth_and_proxy_are_refused(fake: FakeHost, managed: Managed, services: tuple[str, ...]) -> None:
    with pytest.raises(HostError, match="which is no agent"):
        perform(fake, wanted(fake, NEW, *services))
    assert (runs(fake), managed.asked) == (OLD, [])


def test_what_is_disabled_is_not_switched_on(fake: FakeHost, managed: Managed) -> None:
    managed.enabled = False
    managed.write()
    for method in ("preview", "run"):
        with pytest.raises(HostError, match="disabled"):
            getattr(upgrade.Upgrade(fake.host, wanted(fake), lambda *_a: None), method)()
    assert managed.asked == []


# -- paused and put back


def facts(fake: FakeHost, managed: Managed) -> dict[str, Any] | None:
    return updater.facts(fake.host, str(fake.versions_dir), str(managed.root))


def pause(fake: FakeHost, managed: Managed, check_mode: bool = False) -> bool:
    return updater.pause(fake.host, str(fake.versions_dir), check_mode, str(managed.root))


def test_facts(fake: FakeHost, managed: Managed) -> None:
    expected = {"kind": "teleport-update", "enabled": True, "pinned": False, "active": OLD, "paused": False}
    assert facts(fake, managed) == expected


def test_it_is_paused_once_and_put_back_once(fake: FakeHost, managed: Managed) -> None:
    assert pause(fake, managed, check_mode=True)
    assert (managed.asked, fake.versions_dir.exists()) == ([], False)
    assert [pause(fake, managed), pause(fake, managed)] == [True, False]
    assert runs(fake) == OLD
    found = facts(fake, managed)
    assert found is not None
    assert (found["paused"], found["pinned"]) == (True, True)
    assert updater.resume(fake.host, str(fake.versions_dir), check_mode=True)
    assert facts(fake, managed) == found
    assert [updater.resume(fake.host, str(fake.versions_dir)) for _again in range(2)] == [True, False]
    assert facts(fake, managed) == {**found, "pinned": False, "paused": False}


@pytest.mark.parametrize("state", [{"pinned": True}, {"enabled": False}])
def test_what_somebody_has_pinned_or_disabled_stays_so(
    fake: FakeHost, managed: Managed, state: dict[str, bool]
) -> None:
    vars(managed).update(state)
    managed.write()
    assert not pause(fake, managed)
    assert not updater.resume(fake.host, str(fake.versions_dir))
    assert managed.asked == []


def test_it_is_put_back_at_the_version_of_the_upgrade(fake: FakeHost, managed: Managed) -> None:
    pause(fake, managed)
    perform(fake, wanted(fake))
    updater.resume(fake.host, str(fake.versions_dir))
    assert (managed.active, managed.pinned, runs(fake)) == (NEW, False, NEW)


def test_a_pause_that_fails_can_be_taken_back(fake: FakeHost, managed: Managed) -> None:
    managed.fails.add(OLD)
    with pytest.raises(HostError, match="failed to download"):
        pause(fake, managed)
    assert updater.is_paused(str(fake.versions_dir))
    assert updater.resume(fake.host, str(fake.versions_dir))


def test_version_1_has_its_timer_stopped_and_started(fake: FakeHost, managed: Managed, tmp_path: Path) -> None:
    managed.timer = "active"
    none = str(tmp_path / "none")
    assert updater.pause(fake.host, str(fake.versions_dir), root=none)
    assert managed.timer == "inactive"
    assert not updater.pause(fake.host, str(fake.versions_dir), root=none)
    found = updater.facts(fake.host, str(fake.versions_dir), none)
    assert found is not None
    assert (found["kind"], found["enabled"], found["paused"]) == ("teleport-upgrade", False, True)
    assert updater.resume(fake.host, str(fake.versions_dir))
    assert managed.timer == "active"


def test_no_updater_is_none(fake: FakeHost, managed: Managed, tmp_path: Path) -> None:
    assert updater.facts(fake.host, str(fake.versions_dir), str(tmp_path / "none")) is None
    assert not updater.pause(fake.host, str(fake.versions_dir), root=str(tmp_path / "none"))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"kind": "other", "namespace": "a"}', '{"kind": "teleport-update", "namespace": "../x"}']
)
def test_a_mark_that_is_not_understood_is_said(fake: FakeHost, managed: Managed, text: str) -> None:
    fake.versions_dir.mkdir()
    Path(updater.mark_path(str(fake.versions_dir))).write_text(text)
    with pytest.raises(HostError, match="not understood"):
        updater.resume(fake.host, str(fake.versions_dir))
    assert managed.asked == []


def test_another_namespace_is_named(fake: FakeHost, managed: Managed) -> None:
    (managed.root / "default").rename(managed.root / "staging")
    found = updater.find(fake.host, str(managed.root))
    assert found is not None
    assert updater.command(found, "unpin") == ["teleport-update", "--install-suffix", "staging", "unpin"]


def test_settings_are_read_by_their_place() -> None:
    said = updater.parse(UPDATE_YAML.format(enabled="true", pinned="false", active=NEW))
    assert said["spec.enabled"] == "true"
    assert said["spec.proxy"] == "teleport.example.com:443"
    assert said["spec.group"] == "default"
    assert said["status.active.version"] == NEW
    assert said["status.backup.version"] == "15.5.4"
    assert updater.parse("a:\n- b\n \t\nc: 1\n") == {"c": "1"}
