# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed updates: a program that does what teleport-update is said to do, found, paused, put back, and driven."""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.module_utils.urls import open_url

from ansible_collections.lockstep.teleport.plugins.module_utils import installation, process, release, updater
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.way_updater import UpdaterWay
from ansible_collections.lockstep.teleport.tests.packages.conftest import DOUBLE, QuietHandler

OLD, NEW, DYING = "16.5.12", "17.7.20", "17.7.21"
# The unit is enabled; its main process changes at each look once the version that dies is linked.
SYSTEMCTL = """#!/bin/sh
case "$1" in
  show) case "$(readlink "$TELEPORT_UPDATE_BIN/teleport")" in */{dying}_*) echo "$$";; *) echo 4711;; esac;;
esac
"""


class Managed(NamedTuple):
    """A host under managed updates, of the FIPS edition, that follows a cluster at ``OLD``."""

    host: Host
    folder: Path
    versions_dir: str

    @property
    def root(self) -> str:
        """Where teleport-update keeps its files."""
        return str(self.folder / "managed")

    @property
    def program(self) -> str:
        """What everybody runs."""
        return str(self.folder / "bin/teleport")

    def update(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run teleport-update, as its timer or an administrator does."""
        environment = {**os.environ, **self.host.environment}
        command = ["teleport-update", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def follow(self, version: str) -> str:
        """The cluster wants a version, and the timer elapses; return what is linked then."""
        (self.folder / "managed/default/cluster").write_text(version)
        self.update("update", "--now")
        return self.runs()

    def runs(self) -> str:
        """Release and edition behind the link."""
        output = process.ask_version(self.host, self.program).output
        return f"{output.release} {output.edition}" if output else ""

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        return dict(yaml.safe_load(self.update("status").stdout))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where tarballs of the FIPS edition are served."""
    folder = tmp_path_factory.mktemp("tarballs")
    build = [sys.executable, str(DOUBLE / "build.py"), "--launcher", "script", "--out", str(folder), "--versions"]
    versions = [f"{version}-ent-fips" for version in (OLD, NEW, DYING)]
    subprocess.run([*build, *versions], check=True, capture_output=True)
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def managed(tmp_path: Path, url: str) -> Managed:
    """The host; what it ran before it was enabled lies as files where links are to be."""
    for name in ("tools", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "tools/systemctl").write_text(SYSTEMCTL.format(dying=DYING))
    source = (DOUBLE / "teleport_update.py").read_text()
    (tmp_path / "tools/teleport-update").write_text(f"#!/usr/bin/python3\n{source}")
    for tool in (tmp_path / "tools").iterdir():
        tool.chmod(0o755)
    own = {
        "PATH": f"{tmp_path}/tools:{os.environ['PATH']}",
        "TELEPORT_UPDATE_ROOT": str(tmp_path / "managed"),
        "TELEPORT_UPDATE_BIN": str(tmp_path / "bin"),
        "TELEPORT_UPDATE_WATCHED": "0.3",
    }
    host = Host(environment=own)
    found = Managed(host, tmp_path, str(tmp_path / "versions"))
    fetched = installation.Layout(str(tmp_path / "fetched"), str(tmp_path / "bin"))
    (tmp_path / "fetched").mkdir()
    wanted = release.Release(OLD, "fips", "amd64", base_url=url)
    release.stage(host, fetched, wanted, open_url)
    (tmp_path / "bin/teleport").write_bytes((tmp_path / "fetched" / wanted.folder / "teleport").read_bytes())
    (tmp_path / "bin/teleport").chmod(0o755)
    (tmp_path / "managed/default").mkdir(parents=True)
    (tmp_path / "managed/default/cluster").write_text(OLD)
    assert found.update("enable", "--base-url", url).returncode == 1, "files of others are not replaced unasked"
    assert found.update("enable", "--base-url", url, "--overwrite").returncode == 0
    return found


def pause(managed: Managed) -> bool:
    return updater.pause(managed.host, managed.versions_dir, root=managed.root)


def resume(managed: Managed) -> bool:
    return updater.resume(managed.host, managed.versions_dir)


def way(managed: Managed, version: str = NEW) -> UpdaterWay:
    layout = installation.Layout(managed.versions_dir, os.path.dirname(managed.program))
    return UpdaterWay(managed.host, layout, release.Release(version, "fips", "amd64"), managed.root)


def test_it_is_found_and_shown(managed: Managed) -> None:
    found = updater.find(managed.host, managed.root)
    assert found == updater.Updater("teleport-update", True, False, OLD, "default")
    assert os.readlink(managed.program) == f"{managed.root}/default/versions/{OLD}_ent_fips/bin/teleport"
    layout = installation.Layout(managed.versions_dir, os.path.dirname(managed.program))
    assert installation.install_method(managed.host, layout, managed_root=managed.root) == "managed_updates"


def test_while_it_is_paused_it_does_not_follow_the_cluster_and_afterwards_it_does(managed: Managed) -> None:
    assert pause(managed)
    assert managed.follow(NEW) == f"{OLD} fips"
    assert managed.status()["spec"]["pinned"] is True
    assert resume(managed)
    assert managed.follow(NEW) == f"{NEW} fips"
    status = managed.status()
    assert (status["spec"]["pinned"], status["status"]["active"]["version"]) == (False, NEW)
    assert status["status"]["active"]["flags"] == ["Enterprise", "FIPS"]


def test_what_a_killed_run_has_paused_is_put_back_by_the_next(managed: Managed) -> None:
    """Killed at any moment: with the note and no pin yet, or with both."""
    assert pause(managed)
    managed.update("unpin")
    assert (updater.is_paused(managed.versions_dir), resume(managed), resume(managed)) == (True, True, False)
    assert pause(managed)
    assert not pause(managed), "the next run finds it pinned, and does not take that for somebody else's wish"
    assert updater.is_paused(managed.versions_dir)
    assert resume(managed)
    assert managed.follow(NEW) == f"{NEW} fips"


def test_a_pin_of_somebody_else_is_left(managed: Managed) -> None:
    managed.update("pin")
    assert not pause(managed)
    assert not resume(managed)
    assert managed.follow(NEW) == f"{OLD} fips"


def test_it_is_driven_to_a_version_and_back(managed: Managed) -> None:
    upgrade = way(managed)
    before = upgrade.current()
    assert before is not None
    assert not upgrade.is_linked(before)
    upgrade.lead_to(f"{NEW}-ent-fips", None, False)
    assert (managed.runs(), upgrade.is_linked(upgrade.current())) == (f"{NEW} fips", True)
    assert managed.status()["status"]["backup"]["version"] == OLD
    upgrade.lead_to(before, None, True)
    assert managed.runs() == f"{OLD} fips"


@pytest.mark.parametrize(
    ("version", "said"),
    [("17.9.9", "failed to download .*v17.9.9-linux-amd64-fips-bin.tar.gz"), (DYING, "reverted to")],
)
def test_what_it_cannot_do_is_said_in_its_words(managed: Managed, version: str, said: str) -> None:
    upgrade = way(managed, version)
    with pytest.raises(HostError, match=f"pin --force-version {version} fails: ERROR: .*{said}"):
        upgrade.lead_to(f"{version}-ent-fips", None, False)
    assert managed.runs() == f"{OLD} fips"
    assert updater.find(managed.host, managed.root) == updater.Updater("teleport-update", True, False, OLD, "default")


def test_a_version_that_died_is_skipped_until_it_is_asked_for(managed: Managed) -> None:
    assert managed.follow(DYING) == f"{OLD} fips"
    assert managed.status()["status"]["skip"]["version"] == DYING
    found = updater.find(managed.host, managed.root)
    assert found is not None
    assert (found.active, found.is_loose) == (OLD, True)


def test_nothing_is_done_where_it_is_disabled(managed: Managed) -> None:
    managed.update("disable")
    assert not pause(managed)
    with pytest.raises(HostError, match="disabled on this host"):
        way(managed).stage()


def test_another_installation_on_the_host_is_its_own(managed: Managed) -> None:
    (managed.folder / "managed/default").rename(managed.folder / "managed/blue")
    found = updater.find(managed.host, managed.root)
    assert found is not None
    assert found.namespace == "blue"
    assert pause(managed)
    calls = (managed.folder / "managed/blue/calls").read_text().splitlines()
    assert calls[-1] == f"--install-suffix blue pin --force-version {OLD}"
    assert resume(managed)


def test_words_that_it_does_not_know_fail(managed: Managed) -> None:
    done = managed.update("pin", "--version", NEW)
    assert (done.returncode, "unrecognized arguments" in done.stderr) == (1, True)
