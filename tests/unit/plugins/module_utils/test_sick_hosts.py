# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on which something else is broken: the upgrade says so, and leaves them running what they ran."""

from __future__ import annotations

import dataclasses
import errno
import os
import socket
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, installation, journal
from ansible_collections.lockstep.teleport.plugins.module_utils import readiness as readiness_of
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.upgrade import Upgrade
from ansible_collections.lockstep.teleport.plugins.modules import instance_upgrade
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils import test_upgrade as base
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost

NEW, OLD = base.NEW, base.OLD
fake = base.fake
backups = base.backups
_no_waiting_for_disks = base._no_waiting_for_disks


class Disk:
    """Writes fail with *number* from the moment on that *broken* is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.broken = False
        self.number = number
        self._create = durable._create
        monkeypatch.setattr(durable, "_create", self.create)

    def create(self, path: str) -> int:
        if self.broken:
            raise OSError(self.number, os.strerror(self.number), path)
        return self._create(path)


def break_with(fake: FakeHost, disk: Disk, verb: str) -> None:
    """Break the disk as soon as systemd is asked for something."""

    def see(command: list[str]) -> None:
        disk.broken = disk.broken or (command[0] == "systemctl" and verb in command)

    fake.hooks.append(see)


def test_a_disk_that_fills_up_after_the_switch_does_not_stand_in_the_way_back(
    fake: FakeHost, backups: base.Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, errno.ENOSPC)
    break_with(fake, disk, "start")
    problem = base.fail(fake, base.make_order(fake, artefact=base.tarball(fake.root, NEW, "dies"), **base.AUTH))
    assert problem.rolled_back
    assert base.runs(fake) == OLD
    assert backups.restored == ["/backups/1"]
    assert os.listdir(fake.versions_dir).count(".transaction.json") == 0


def test_a_disk_that_is_full_before_the_stop_stops_nothing(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = base.make_order(fake)
    disk = Disk(monkeypatch, errno.ENOSPC)
    prepare = Upgrade._prepare

    def fill_then(self: Upgrade, *arguments: Any) -> None:
        prepare(self, *arguments)
        disk.broken = True

    monkeypatch.setattr(Upgrade, "_prepare", fill_then)
    fake.log.clear()
    result = instance_upgrade.perform(Upgrade(fake.host, wanted, base.no_network), False)
    assert (result["failed"], result["changed"]) == (True, False)
    assert "No space left on device" in result["msg"]
    assert fake.log == []


def test_a_disk_that_fills_up_between_stop_and_switch_starts_the_old_version(
    fake: FakeHost, backups: base.Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, errno.ENOSPC)
    break_with(fake, disk, "stop")
    assert base.fail(fake, base.make_order(fake, **base.AUTH)).rolled_back
    assert base.runs(fake) == OLD
    assert backups.restored == []


def test_a_file_system_that_turned_read_only_is_named(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_layout: installation.Layout) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(fake.versions_dir))

    monkeypatch.setattr(installation, "make_versions_dir", refuse)
    result = instance_upgrade.perform(Upgrade(fake.host, base.make_order(fake), base.no_network), False)
    assert result["msg"].startswith(f"{fake.versions_dir}: Read-only file system. ")
    assert (result["changed"], base.runs(fake)) == (False, OLD)


def _read_only(_folder: str) -> None:
    raise OSError(errno.EROFS, "Read-only")


def test_an_end_that_cannot_be_noted_is_noted_by_the_next_run(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = base.make_order(fake)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "clear", _read_only)
        problem = base.fail(fake, wanted)
    assert not problem.rolled_back
    assert "is in place and proven" in str(problem)
    assert base.runs(fake) == NEW
    assert base.run(fake, wanted)["versions"]["to"] == NEW
    assert not os.path.exists(journal.journal_path(str(fake.versions_dir)))


def test_a_systemd_that_hangs_stops_the_upgrade_before_it_begins(fake: FakeHost) -> None:
    fake.hangs_until = float("inf")
    with pytest.raises(HostError, match="did not answer in time"):
        base.run(fake, base.make_order(fake))
    assert fake.pid


@pytest.mark.parametrize("verb", ["stop", "start"])
def test_a_systemd_that_hangs_for_a_while_is_waited_for(fake: FakeHost, verb: str) -> None:
    def hang(command: list[str]) -> None:
        if verb in command and not fake.hangs_until:
            fake.systemctl(["stop" if verb == "stop" else "start", "teleport.service"])
            fake.hangs_until = fake.now + 60

    fake.hooks.append(hang)
    base.run(fake, base.make_order(fake, ready_timeout=120))
    assert base.runs(fake) == NEW


@pytest.mark.parametrize(
    ("behaviour", "stable_for", "words"),
    [
        ("dies_after=20", 25, "does not come up"),
        ("flaps=2", 5, "not ready within 30 s"),
        ("degraded_at=3", 5, "degraded"),
    ],
)
def test_what_does_not_stay_up_is_replaced_by_what_did(
    fake: FakeHost, behaviour: str, stable_for: float, words: str
) -> None:
    wanted = base.make_order(
        fake,
        artefact=base.tarball(fake.root, NEW, behaviour),
        stable_for=stable_for,
        ready_timeout=30 if "flaps" in behaviour else 120,
    )
    problem = base.fail(fake, wanted)
    assert problem.rolled_back
    assert words in str(problem)
    assert base.runs(fake) == OLD


def test_names_that_cannot_be_resolved_stop_nothing(fake: FakeHost) -> None:
    def no_dns(*_arguments: Any, **_options: Any) -> Any:
        raise urllib.error.URLError(socket.gaierror(-3, "Temporary failure in name resolution"))

    wanted = base.make_order(fake)
    remote = dataclasses.replace(wanted.release, file="", checksum="", base_url="https://cdn.example.org")
    fake.log.clear()
    with pytest.raises(HostError, match="cdn.example.org.*name resolution"):
        Upgrade(fake.host, dataclasses.replace(wanted, release=remote), no_dns).run()
    assert fake.log == []
    assert base.runs(fake) == OLD


@pytest.mark.parametrize(
    ("told", "ends"), [(OLD, False), (NEW, True), (f"{NEW}-build.7", True), ("of tomorrow", True), (None, True)]
)
def test_a_proxy_that_still_answers_as_the_old_version_is_not_there(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, told: str | None, ends: bool
) -> None:
    answer = readiness_of.WebAnswer(200, told)
    monkeypatch.setattr(readiness_of, "web_ping", lambda _address: answer if base.runs(fake) == NEW else None)
    config = {"path": "/x", "diag_addr": "127.0.0.1:3000", "data_dir": str(fake.root), "proxy_web_addr": "0.0.0.0:3080"}
    wanted = base.make_order(fake, instance={"services": ["proxy"], "config": config})
    if ends:
        base.run(fake, wanted)
        return
    assert f"is that of {OLD}, not of {NEW}" in str(base.fail(fake, wanted))


@pytest.mark.parametrize(("version", "ends"), [("4.4.12", False), (NEW, True)])
def test_before_5_being_ready_says_nothing_until_somebody_listens(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, version: str, ends: bool
) -> None:
    monkeypatch.setattr(readiness_of, "accepts", lambda _address: base.runs(fake) != version)
    config = {
        "path": "/x",
        "diag_addr": "127.0.0.1:3000",
        "data_dir": str(fake.root),
        "auth_listen_addr": "0.0.0.0:3025",
    }
    wanted = base.make_order(fake, version, instance={"services": ["auth"], "config": config})
    if ends:
        base.run(fake, wanted)
        return
    assert "nothing listens on 0.0.0.0:3025" in str(base.fail(fake, wanted))


@pytest.mark.parametrize(("status", "ends"), [(502, False), (504, False), (302, True), (404, True), (None, True)])
def test_a_proxy_has_to_answer_its_users(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, status: int | None, ends: bool
) -> None:
    answer = None if status is None else readiness_of.WebAnswer(status, None)
    monkeypatch.setattr(readiness_of, "web_ping", lambda _address: answer if base.runs(fake) == NEW else None)
    config = {"path": "/x", "diag_addr": "127.0.0.1:3000", "data_dir": str(fake.root), "proxy_web_addr": "0.0.0.0:3080"}
    wanted = base.make_order(fake, instance={"services": ["proxy"], "config": config})
    if ends:
        base.run(fake, wanted)
        assert base.runs(fake) == NEW
        return
    assert f"its web API at 0.0.0.0:3080 answers {status}" in str(base.fail(fake, wanted))
    assert base.runs(fake) == OLD


def test_what_a_killed_run_was_writing_does_not_stay(fake: FakeHost) -> None:
    fake.versions_dir.mkdir()
    dead = 2**22 + 1
    names = [f".transaction.json.part-{dead}", f"current.lockstep-{dead}", f".result.json.part-{dead}"]
    for name in names[:2]:
        (fake.versions_dir / name).touch()
    (fake.bin_dir / f"tsh.lockstep-{dead}").symlink_to("x")
    base.run(fake, base.make_order(fake))
    assert not [name for name in os.listdir(fake.versions_dir) + os.listdir(fake.bin_dir) if str(dead) in name]


def test_a_file_that_somebody_is_writing_stays(tmp_path: Path) -> None:
    alive = tmp_path / f"x.part-{os.getppid()}"
    alive.touch()
    (tmp_path / "x.part-new").touch()
    durable.write_file(str(tmp_path / "x"), b"")
    assert {path.name for path in tmp_path.iterdir()} == {"x", "x.part-new", alive.name}
