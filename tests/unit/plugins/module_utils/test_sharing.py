# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host that fetches for others: what is fetched and kept, what is refused, when the server is begun and ended."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
from ansible.module_utils.urls import open_url

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils import sharing as sharing_code
from ansible_collections.lockstep.teleport.plugins.module_utils.artifact import PARTIAL
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.sharing import UNIT, Share, Sharing
from ansible_collections.lockstep.teleport.plugins.modules.artifact_share import ended, present, share_of
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils import test_staging
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.test_upgrade import NEW, NEWER

mirror = test_staging.mirror
FIRST, SECOND = (f"teleport-v{version}-linux-amd64-bin.tar.gz" for version in (NEW, NEWER))


class Systemd:
    """Answers for one unit: ``systemd-run`` listens on the port in its arguments, ``stop`` ends that."""

    def __init__(self) -> None:
        self.started: List[List[str]] = []
        self.state = "inactive"
        self.description = ""
        self.dies = self.goes_on = False
        self._socket: Optional[socket.socket] = None

    def run(self, arguments: List[str], **_options: Any) -> Tuple[int, str, str]:
        """Run a command, as `timed_command.run_command`."""
        if arguments[0] == "systemd-run":
            return self._start(arguments)
        if arguments[1] == "show":
            text = (
                f"LoadState=loaded\nActiveState={self.state}\nDescription={self.description}\nMainPID=0\nNRestarts=0\n"
            )
            return 0, text, ""
        if "stop" in arguments and not self.goes_on:
            self.end()
        return 0, "", ""

    def _start(self, arguments: List[str]) -> Tuple[int, str, str]:
        self.started.append(arguments)
        if not self.dies:
            self._socket = socket.create_server(("127.0.0.1", int(arguments[-1])))
            self.state = "active"
            self.description = next(one for one in arguments if one.startswith("--description="))[14:]
        return 0, "", ""

    def end(self) -> None:
        """Be stopped."""
        self.state = "inactive"
        if self._socket:
            self._socket.close()


class Site:
    """A host that shares, and what its module returns."""

    def __init__(self, url: str, folder: Path) -> None:
        self.systemd = Systemd()
        self.folder = folder / "share"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.parameters: Dict[str, Any] = {
            "directory": str(self.folder),
            "address": "seed.example",
            "port": self.port,
            "files": [FIRST, SECOND],
            "artifact_url": url,
            "checksums": {},
            "serve_for": 60,
            "rate": 0,
        }

    def sharing(self) -> Tuple[Sharing, Share]:
        share = share_of(self.parameters)
        return Sharing(Host(run_command=self.systemd.run, sleep=lambda _seconds: None), share, open_url), share

    def present(self, check_mode: bool = False) -> Dict[str, Any]:
        return present(*self.sharing(), check_mode)

    def end(self, keep: bool = False, check_mode: bool = False) -> Dict[str, Any]:
        return ended(self.sharing()[0], keep, check_mode)

    def files(self) -> List[str]:
        return sorted(set(os.listdir(self.folder)) - {".lock"}) if self.folder.is_dir() else []


@pytest.fixture
def site(mirror: Any, tmp_path: Path) -> Any:
    made = Site(mirror.url, tmp_path)
    yield made
    made.systemd.end()


def test_a_dry_run_asks_and_tells_and_changes_nothing(site: Site, mirror: Any) -> None:
    found = site.present(check_mode=True)
    assert found["changed"]
    assert found["largest_bytes"] == max((mirror.folder / name).stat().st_size for name in (FIRST, SECOND))
    assert not found["served"]
    assert "would be served" in found["msg"]
    assert not site.folder.exists()
    assert not site.systemd.started


def test_what_is_asked_for_is_fetched_and_served_once(site: Site, mirror: Any) -> None:
    found = site.present()
    assert found["changed"]
    assert found["served"]
    assert found["url"] == f"http://seed.example:{site.port}"
    assert found["fetched_bytes"] == sum((mirror.folder / name).stat().st_size for name in (FIRST, SECOND))
    assert site.files() == [FIRST, SECOND]
    assert all((site.folder / name).stat().st_mode & 0o777 == 0o644 for name in site.files())
    assert not site.present()["changed"]
    assert len(site.systemd.started) == 1


def test_the_server_has_no_rights_and_ends_by_itself(site: Site) -> None:
    site.present()
    command = site.systemd.started[0]
    assert f"--unit={UNIT}" in command
    assert {"--property=User=nobody", "--property=RuntimeMaxSec=60", "--property=NoNewPrivileges=yes"} <= set(command)
    assert f"--property=WorkingDirectory={site.folder}" in command


def test_an_address_of_version_6_stands_in_brackets(site: Site) -> None:
    site.parameters["address"] = "2001:db8::7"
    assert site.present(check_mode=True)["url"] == f"http://[2001:db8::7]:{site.port}"


def test_what_broke_off_is_continued(site: Site, mirror: Any) -> None:
    mirror.cut_at[SECOND] = 100
    with pytest.raises(HostError, match="Run again"):
        site.present()
    assert site.files() == [PARTIAL + SECOND, FIRST]
    assert not site.systemd.started
    site.present()
    assert mirror.asked[-1] == ("GET", SECOND, 100)
    assert site.files() == [FIRST, SECOND]


def test_a_damaged_tarball_is_fetched_again(site: Site) -> None:
    site.present()
    (site.folder / FIRST).write_bytes(b"no longer")
    assert site.present()["fetched_bytes"] > 0
    assert not site.present()["changed"]


def test_a_tarball_with_another_digest_is_not_kept(site: Site) -> None:
    site.parameters["checksums"] = {FIRST: "0" * 64, SECOND: "0" * 64}
    with pytest.raises(HostError, match="the SHA-256 is .*wanted is 0000"):
        site.present()
    assert site.files() == []


def test_what_is_not_pinned_is_refused_where_anything_is(site: Site) -> None:
    site.parameters["checksums"] = {NEW: {"amd64": "0" * 64}}
    with pytest.raises(HostError, match=f"no digest is pinned for {SECOND}"):
        site.present()
    assert not site.folder.exists()


def test_what_an_earlier_path_needed_is_swept_and_nothing_else(site: Site) -> None:
    site.present()
    (site.folder / "notes.txt").write_text("mine")
    (site.folder / (PARTIAL + SECOND)).write_text("begun")
    site.parameters["files"] = [FIRST]
    site.present()
    assert site.files() == ["notes.txt", FIRST]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"artifact_url": "/srv/tarballs"}, "fetches from an http"),
        ({"files": ["../../etc/shadow"]}, "is no name of a release tarball"),
        ({"files": ["teleport-v1.2.3-linux-amd64-bin.tar.gz"]}, "the server answers 404|cannot be fetched|broke"),
        ({"port": 0}, "port: too small"),
        ({"serve_for": 0, "rate": -1}, "serve_for, rate: too small"),
    ],
)
def test_what_cannot_be_shared_is_refused(site: Site, parameters: Dict[str, Any], words: str) -> None:
    site.parameters.update(parameters)
    with pytest.raises(HostError, match=words):
        site.present()
    assert not site.folder.exists()


def test_a_full_disk_is_refused_before_anything_is_fetched(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "free_bytes", lambda _path: 1 << 20)
    with pytest.raises(HostError, match="1 MiB are free, .* teleport_stage_seed_dir"):
        site.present(check_mode=True)


def test_a_folder_of_others_is_refused(site: Site) -> None:
    site.folder.mkdir(mode=0o755)
    site.folder.chmod(0o777)
    with pytest.raises(HostError, match="is writable for everybody .* teleport_stage_seed_dir"):
        site.present()


def test_a_folder_behind_a_link_is_refused(site: Site, tmp_path: Path) -> None:
    site.folder.symlink_to(tmp_path / "mirror")
    with pytest.raises(HostError, match="is a symbolic link.* teleport_stage_seed_dir"):
        site.present()


def test_a_run_that_goes_on_after_its_connection_was_lost_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing_code, "_PATIENCE", 0.0)
    site.folder.mkdir(mode=0o755)
    with durable.exclusive(str(site.folder / ".lock")), pytest.raises(HostError, match="another run is still at work"):
        site.present()
    assert not site.systemd.started
    assert site.present()["served"]


def test_a_port_that_is_taken_is_named(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.port)), pytest.raises(HostError, match=f"port {site.port} is taken"):
        site.present()
    assert not site.systemd.started


def test_a_server_that_dies_is_no_server(site: Site) -> None:
    site.systemd.dies = True
    with pytest.raises(HostError, match="ended at once"):
        site.present()


def test_a_server_of_another_port_gives_way(site: Site) -> None:
    site.present()
    with socket.create_server(("127.0.0.1", 0)) as free:
        site.parameters["port"] = free.getsockname()[1]
    assert site.present()["changed"]
    assert len(site.systemd.started) == 2


def test_at_the_end_nothing_is_left(site: Site) -> None:
    site.present()
    assert site.end(check_mode=True)["changed"]
    assert site.systemd.state == "active"
    assert site.end()["changed"]
    assert site.systemd.state == "inactive"
    assert not site.folder.exists()
    assert not site.end()["changed"]


def test_tarballs_can_be_kept_for_the_next_run(site: Site) -> None:
    site.present()
    assert site.end(keep=True)["changed"]
    assert site.files() == [FIRST, SECOND]
    assert not site.end(keep=True)["changed"]
    assert site.present()["fetched_bytes"] == 0


def test_what_else_is_in_the_folder_stays(site: Site) -> None:
    site.present()
    (site.folder / "notes.txt").write_text("mine")
    assert site.end()["changed"]
    assert site.files() == ["notes.txt"]
    assert not site.end()["changed"]


def test_a_server_that_does_not_stop_is_told(site: Site) -> None:
    site.present()
    site.systemd.goes_on = True
    ticking = iter(range(10**6))
    sharing = Sharing(
        Host(run_command=site.systemd.run, sleep=lambda _seconds: None, clock=lambda: float(next(ticking))),
        share_of(site.parameters),
        open_url,
    )
    with pytest.raises(HostError, match="does not stop"):
        ended(sharing, keep=False, check_mode=False)
