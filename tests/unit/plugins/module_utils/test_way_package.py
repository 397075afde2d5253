# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transaction with packages: what is there before the stop, what is put back, and what a killed run leaves."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    hold,
    installation,
    journal,
    order,
    package_tools,
    readiness,
    release,
    upgrade,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tool import Offer, PackageTool, Repository
from ansible_collections.lockstep.teleport.plugins.module_utils.transaction import UpgradeFailed
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import (
    UNIT,
    FakeHost,
    Killed,
    program,
)

OLD, NEW = "15.5.4", "16.5.12"
ENTRY = "deb http://deb.example.com bookworm main\ndeb https://apt.example.com bookworm stable/v15\n"


class Shelf(Repository):
    """A channel: packages are files whose line is what their programs are."""

    def __init__(self, tool: Manager, source: Source) -> None:
        self.tool, self.source = tool, source

    def offers(self, name: str) -> tuple[Offer, ...]:
        self.tool.asked.append(self.source.channel)
        return tuple(Offer(name, version, 1000) for version in self.tool.channels.get(self.source.channel, ()))

    def fetch(self, offer: Offer, folder: str) -> str:
        assert self.tool.fake.pid, "everything is fetched while the old version serves"
        path = Path(folder) / f"{offer.name}_{offer.version}.pkg"
        path.write_text(f"{offer.version} {self.tool.behaviour.get(offer.version, '')}")
        return str(path)


class Manager(PackageTool):
    """A package manager with one package in it."""

    name = "apt"

    def __init__(self, fake: FakeHost, places: Path) -> None:
        super().__init__(fake.host)
        self.fake = fake
        self.places = (str(places / "*.list"),)
        self.channels = {"stable/v15": ("15.5.4-1", "15.5.3"), "stable/v16": (NEW,), "stable/v17": ("17.7.20",)}
        self.behaviour: dict[str, str] = {}
        self.package = "teleport"
        self.version: str | None = OLD
        self.held = self.broken = self.killed = self.locked = self.restarts = False
        self.asked: list[str] = []
        self.cache: str | None = None

    def owner(self, path: str) -> str | None:
        return self.package if path.startswith(str(self.fake.bin_dir)) else None

    def installed(self, name: str) -> str | None:
        return self.version if name == self.package else None

    def is_held(self, name: str) -> bool:
        return self.held and name == self.package

    def set_held(self, name: str, held: bool) -> None:
        assert name == self.package
        self.held = held

    def repository(self, source: Source, scratch: str) -> Repository:
        assert os.listdir(scratch) == []
        return Shelf(self, source)

    def cached(self, name: str, version: str) -> str | None:
        return self.cache if version == OLD and name == self.package else None

    def unpack(self, path: str, folder: str) -> None:
        version, behaviour = Path(path).read_text().split(" ", 1)
        for name in ("teleport", "tctl", "tsh"):
            program(Path(folder) / "usr/local/bin" / name, version.partition("-")[0], behaviour)

    def install(self, path: str) -> None:
        assert not self.fake.pid, "nothing may run while packages are exchanged"
        assert self.locked
        self.fake.log.append(f"install {os.path.basename(path)}")
        self.version = None
        if self.killed:
            raise Killed
        if self.broken and NEW in path:
            raise HostError("dpkg --install fails: no space left")
        self.held = False
        self.unpack(path, str(self.fake.root / "unpacked"))
        for name in ("teleport", "tctl", "tsh"):
            shutil.copy(self.fake.root / "unpacked/usr/local/bin" / name, self.fake.bin_dir / name)
        self.version = os.path.basename(path)[len("teleport_") : -len(".pkg")]
        if self.restarts:
            self.fake.systemctl(["start", UNIT])
            assert not self.fake.pid, "a script of the package must not start it"

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        assert self.fake.pid or self.fake.active_state != "active"
        self.locked = True
        yield
        self.locked = False


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host on which a package of OLD runs."""
    found = FakeHost(tmp_path)
    monkeypatch.setattr(readiness, "probe", found.probe)
    for name in ("teleport", "tctl", "tsh"):
        program(found.bin_dir / name, OLD)
    (tmp_path / "teleport.list").write_text(ENTRY)
    (tmp_path / "teleport.list").chmod(0o640)
    found.start()
    found.log.clear()
    return found


@pytest.fixture
def manager(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Manager:
    """Its package manager."""
    found = Manager(fake, fake.root)
    monkeypatch.setattr(package_tools, "TOOLS", (lambda _host: found,))
    monkeypatch.setattr(package_tools, "remembered", lambda _host, _document: package_tools.Package(found, "teleport"))
    monkeypatch.setattr(installation, "install_method", lambda _host, _layout: "package" if found.version else "none")
    return found


def wanted(fake: FakeHost, version: str = NEW, edition: str = "community", **changes: Any) -> order.Order:
    instance = {
        "services": ["agent"],
        "unit": {"name": "teleport"},
        "config": {"path": str(fake.root / "teleport.yaml"), "diag_addr": "127.0.0.1:3000", "data_dir": str(fake.root)},
        "architecture": "amd64",
        "bin_dir": str(fake.bin_dir),
    }
    layout = installation.Layout(str(fake.versions_dir), str(fake.bin_dir))
    asked = release.Release(version, edition, "amd64", base_url="https://cdn.example.com")
    return order.Order(instance, asked, layout, **{"ready_timeout": 30, **changes})


def no_network(*_arguments: Any, **_options: Any) -> Any:
    raise AssertionError("no tarball may be asked for")


def perform(fake: FakeHost, asked: order.Order) -> dict[str, Any]:
    made = upgrade.Upgrade(fake.host, asked, no_network)
    assert not made.needs_artifact()
    return made.run()


def fail(fake: FakeHost, asked: order.Order) -> UpgradeFailed:
    with pytest.raises(UpgradeFailed) as caught:
        perform(fake, asked)
    return caught.value


def runs(fake: FakeHost) -> str | None:
    return fake.version(str(fake.proc / str(fake.pid) / "exe"))[1].split()[1].lstrip("v") if fake.pid else None


def source(fake: FakeHost) -> str:
    return (fake.root / "teleport.list").read_text()


def installs(fake: FakeHost) -> list[str]:
    return [line for line in fake.log if line.startswith("install")]


def test_a_package_is_upgraded(fake: FakeHost, manager: Manager) -> None:
    result = perform(fake, wanted(fake))
    assert result["changed"]
    assert result["versions"] == {"from": OLD, "to": NEW}
    assert (runs(fake), manager.version) == (NEW, NEW)
    assert source(fake) == ENTRY.replace("stable/v15", "stable/v16")
    assert (fake.root / "teleport.list").stat().st_mode & 0o777 == 0o640
    assert not manager.held
    assert not hold.is_held(fake.host, UNIT)
    assert not journal.read(str(fake.versions_dir))


def test_both_packages_are_there_before_the_stop(fake: FakeHost, manager: Manager) -> None:
    result = perform(fake, wanted(fake))
    steps = [entry["event"] for entry in result["timeline"]]
    assert steps == ["staged", "adopted", "prepared", "stop", "stopped", "switched", "start", "ready", "stable"]
    assert manager.asked == ["stable/v16", "stable/v15"]
    assert (fake.versions_dir / OLD / "teleport_15.5.4-1.pkg").is_file()
    assert installs(fake) == [f"install teleport_{NEW}.pkg"]


def test_the_second_run_changes_nothing(fake: FakeHost, manager: Manager) -> None:
    perform(fake, wanted(fake))
    manager.channels.clear()
    fake.log.clear()
    assert not perform(fake, wanted(fake))["changed"]
    assert fake.log == []


def test_a_package_at_the_target_is_left_alone(fake: FakeHost, manager: Manager) -> None:
    manager.channels.clear()
    assert not perform(fake, wanted(fake, OLD))["changed"]
    assert not fake.versions_dir.exists()
    assert source(fake) == ENTRY


@pytest.mark.parametrize("held", [True, False])
def test_a_hold_is_there_again_afterwards(fake: FakeHost, manager: Manager, held: bool) -> None:
    manager.held = held
    perform(fake, wanted(fake))
    assert manager.held == held


def test_scripts_of_a_package_start_nothing(fake: FakeHost, manager: Manager) -> None:
    manager.restarts = True
    perform(fake, wanted(fake))
    assert "start skipped by condition" in fake.log
    assert runs(fake) == NEW


@pytest.mark.parametrize("behaviour", ["dies", "never_ready", "degraded_at=3"])
def test_a_version_that_does_not_run_is_undone_to_the_old_package(
    fake: FakeHost, manager: Manager, behaviour: str
) -> None:
    manager.held = True
    manager.behaviour[NEW] = behaviour
    problem = fail(fake, wanted(fake))
    assert problem.rolled_back
    assert (runs(fake), manager.version) == (OLD, "15.5.4-1")
    assert installs(fake)[-1] == "install teleport_15.5.4-1.pkg"
    assert source(fake) == ENTRY
    assert manager.held
    assert not hold.is_held(fake.host, UNIT)


def test_a_package_that_does_not_install_is_undone(fake: FakeHost, manager: Manager) -> None:
    manager.broken = True
    problem = fail(fake, wanted(fake))
    assert "no space left" in str(problem)
    assert problem.rolled_back
    assert (runs(fake), source(fake)) == (OLD, ENTRY)


def test_what_a_killed_run_left_half_unpacked_is_undone_and_done_again(fake: FakeHost, manager: Manager) -> None:
    manager.held = manager.killed = True
    with pytest.raises(Killed):
        perform(fake, wanted(fake))
    assert runs(fake) is None
    manager.killed = False
    result = perform(fake, wanted(fake))
    assert result["timeline"][0]["event"] == "undo_unfinished"
    assert installs(fake)[1:] == ["install teleport_15.5.4-1.pkg", f"install teleport_{NEW}.pkg"]
    assert (runs(fake), manager.held) == (NEW, True)
    assert not hold.is_held(fake.host, UNIT)


def test_without_a_way_back_nothing_is_begun(fake: FakeHost, manager: Manager) -> None:
    manager.channels["stable/v15"] = ("15.5.3",)
    with pytest.raises(
        HostError, match=r"no way back to 15\.5\.4: stable/v15 has no teleport 15\.5\.4; it has: 15\.5\.3"
    ):
        perform(fake, wanted(fake))
    assert (runs(fake), fake.log, source(fake)) == (OLD, [], ENTRY)


def test_the_cache_of_the_package_manager_is_a_way_back(fake: FakeHost, manager: Manager) -> None:
    manager.channels["stable/v15"] = ()
    manager.cache = str(fake.root / "teleport_15.5.4.pkg")
    Path(manager.cache).write_text(f"{OLD} ")
    manager.behaviour[NEW] = "dies"
    assert fail(fake, wanted(fake)).rolled_back
    assert runs(fake) == OLD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": {"stable/v16": ("16.5.11",)}}, r"stable/v16 has no teleport 16\.5\.12; it has: 16\.5\.11"),
        ({"package": "teleport-ent"}, r"package teleport-ent is installed, which is the enterprise edition"),
        ({"package": "acme-teleport"}, r"package acme-teleport; known are teleport, teleport-ent"),
    ],
)
def test_refusals_change_nothing(fake: FakeHost, manager: Manager, change: dict[str, Any], message: str) -> None:
    vars(manager).update(change)
    for method in ("preview", "run"):
        with pytest.raises(HostError, match=message):
            getattr(upgrade.Upgrade(fake.host, wanted(fake), no_network), method)()
    assert (runs(fake), fake.log, source(fake)) == (OLD, [], ENTRY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deb http://deb.example.com bookworm main\n", "found: none"),
        (ENTRY + "deb https://mirror.example.com bookworm stable/v16\n", r"\(stable/v15\), .*\(stable/v16\)"),
        (ENTRY.replace("deb https", "deb [trusted=yes] https"), "turns the check of signatures off"),
    ],
)
def test_sources_that_cannot_be_used_are_said(fake: FakeHost, manager: Manager, text: str, message: str) -> None:
    (fake.root / "teleport.list").write_text(text)
    with pytest.raises(HostError, match=message):
        perform(fake, wanted(fake))
    assert package_tools.facts(fake.host, wanted(fake).layout)["problem"]


def test_a_preview_asks_the_repository_and_changes_nothing(fake: FakeHost, manager: Manager) -> None:
    result = upgrade.Upgrade(fake.host, wanted(fake), no_network).preview()
    assert result["changed"]
    assert manager.asked == ["stable/v16"]
    assert not fake.versions_dir.exists()
    assert (runs(fake), fake.log, source(fake)) == (OLD, [], ENTRY)


def test_a_package_that_is_installed_but_does_not_run_yet_can_be_gone_back_from(
    fake: FakeHost, manager: Manager
) -> None:
    """Somebody upgraded the package and did not restart: what runs is what to go back to."""
    pid = fake.pid
    (fake.proc / str(pid) / "exe").unlink()
    (fake.proc / str(pid) / "exe").symlink_to(program(fake.root / "deleted", OLD))
    for name in ("teleport", "tctl", "tsh"):
        program(fake.bin_dir / name, NEW, "dies")
    manager.version, manager.behaviour[NEW] = NEW, "dies"
    assert fail(fake, wanted(fake)).rolled_back
    assert (runs(fake), manager.version) == (OLD, "15.5.4-1")


def test_a_file_that_somebody_changed_meanwhile_is_not_overwritten(fake: FakeHost, manager: Manager) -> None:
    own = ENTRY + "# mine\n"

    def change(command: list[str]) -> None:
        if "stop" in command:
            (fake.root / "teleport.list").write_text(own)

    fake.hooks.append(change)
    perform(fake, wanted(fake))
    assert source(fake) == own


def test_facts_of_a_package(fake: FakeHost, manager: Manager) -> None:
    manager.held = True
    assert package_tools.facts(fake.host, wanted(fake).layout) == {
        "tool": "apt",
        "name": "teleport",
        "edition": "community",
        "version": OLD,
        "held": True,
        "channel": "stable/v15",
        "source": str(fake.root / "teleport.list"),
        "problem": None,
    }
