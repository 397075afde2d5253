# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real apt and dpkg: what is fetched is verified, nothing else is asked, and nothing of this machine changes."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import package_source, package_tool
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_apt import Apt
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tool import Offer, pick
from ansible_collections.lockstep.teleport.tests.packages.conftest import Repository

LINE = "deb [signed-by={key}] {url} bookworm stable/v16\n"
STANZA = "Types: deb\nURIs: {url}\nSuites: bookworm\nComponents: stable/v16\nSigned-By: {key}\n"


def entry(repository: Repository, text: str = LINE, ending: str = ".list", key: Path | None = None) -> Source:
    """The repository's entry in a file of apt's."""
    written = text.format(key=key or repository.key, url=repository.url)
    (found,) = package_source.find({f"/etc/apt/sources.list.d/teleport{ending}": written})
    return found


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[str]:
    """An empty folder for what apt remembers; it must be enough for it."""
    system = [Path("/var/lib/apt/lists"), Path("/var/cache/apt")]
    before = [sorted((path.name, path.stat().st_mtime_ns) for path in place.iterdir()) for place in system]
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield str(folder)
    assert [sorted((path.name, path.stat().st_mtime_ns) for path in place.iterdir()) for place in system] == before


@pytest.mark.parametrize(("text", "ending"), [(LINE, ".list"), (STANZA, ".sources")])
def test_a_channel_offers_its_own_line(
    host: Host, repository: Repository, scratch: str, text: str, ending: str
) -> None:
    found = Apt(host).repository(entry(repository, text, ending), scratch).offers("teleport")
    assert [offer.version for offer in found] == ["16.5.12", "16.5.11"]
    assert all(offer.size > 10_000 for offer in found)


def test_the_next_line_is_in_its_own_channel(host: Host, repository: Repository, scratch: str) -> None:
    offers = Apt(host).repository(entry(repository).at("17"), scratch).offers("teleport-ent")
    assert [offer.version for offer in offers] == ["17.7.20"]


@pytest.mark.parametrize(
    ("line", "version", "place"), [("16", "16.5.11", "usr/local"), ("17", "17.7.20", "opt/teleport/system")]
)
def test_a_package_is_fetched_and_unpacked(
    host: Host, repository: Repository, scratch: str, tmp_path: Path, line: str, version: str, place: str
) -> None:
    tool = Apt(host)
    channel = tool.repository(entry(repository).at(line), scratch)
    offer = pick(channel.offers("teleport"), version)
    assert offer is not None
    (tmp_path / "root").mkdir()
    path = channel.fetch(offer, str(tmp_path))
    tool.unpack(path, str(tmp_path / "root"))
    assert (tmp_path / "root" / place / "bin/teleport").is_file()


def test_a_repository_signed_by_somebody_else_is_refused(host: Host, repository: Repository, scratch: str) -> None:
    other = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    with pytest.raises(HostError, match=r"apt-get update of stable/v16 in .*NO_PUBKEY|not signed"):
        Apt(host).repository(entry(repository, key=other), scratch).offers("teleport")


def test_a_repository_that_is_gone_is_refused(host: Host, repository: Repository, scratch: str) -> None:
    gone = Repository("http://127.0.0.1:1", repository.folder, repository.key)
    with pytest.raises(HostError, match="apt-get update"):
        Apt(host).repository(entry(gone), scratch).offers("teleport")


def test_a_package_that_was_exchanged_is_refused(
    host: Host, repository: Repository, scratch: str, tmp_path: Path
) -> None:
    path = repository.folder / "pool/v16/teleport_16.5.11_amd64.deb"
    good = path.read_bytes()
    try:
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(HostError, match=r"Hash Sum mismatch"):
            Apt(host).repository(entry(repository), scratch).fetch(Offer("teleport", "16.5.11", 0), str(tmp_path))
    finally:
        path.write_bytes(good)


def test_what_apt_has_fetched_before_is_found(host: Host, repository: Repository) -> None:
    tool = Apt(host, archives=str(repository.folder / "pool/v17"))
    assert tool.cached("teleport", "17.7.20") == str(repository.folder / "pool/v17/teleport_17.7.20_amd64.deb")
    assert tool.cached("teleport-ent", "17.7.20") != tool.cached("teleport", "17.7.20")
    assert tool.cached("teleport", "17.7.2") is None


# -- dpkg, in a root of its own


def little_package(folder: Path, version: str) -> str:
    """A package with one file and no scripts, which would need a whole system in that root."""
    root = folder / f"root-{version}"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/teleport").write_text(version)
    fields = (
        f"Package: teleport\nVersion: {version}\nArchitecture: all\nMaintainer: n <n@example.com>\nDescription: d\n"
    )
    (root / "DEBIAN/control").write_text(fields)
    path = folder / f"teleport_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(root), str(path)], check=True, capture_output=True)
    return str(path)


@pytest.fixture
def apart(host: Host, tmp_path: Path) -> Apt:
    """dpkg with a root of its own."""
    root = tmp_path / "system"
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates"):
        (root / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    own = {"DPKG_ROOT": str(root), "DPKG_ADMINDIR": str(root / "var/lib/dpkg")}
    return Apt(replace(host, environment=own), lock=str(root / "var/lib/dpkg/lock-frontend"))


def test_exactly_the_package_is_installed_newer_or_older_held_or_not(apart: Apt, tmp_path: Path) -> None:
    assert apart.installed("teleport") is None
    apart.install(little_package(tmp_path, "16.5.12"))
    apart.set_held("teleport", True)
    assert (apart.installed("teleport"), apart.is_held("teleport")) == ("16.5.12", True)
    for version in ("17.7.20", "16.5.11"):
        apart.install(little_package(tmp_path, version))
        assert apart.installed("teleport") == version
        apart.set_held("teleport", True)
        assert apart.is_held("teleport")
    apart.set_held("teleport", False)
    assert not apart.is_held("teleport")
    assert apart.owner(os.path.join(apart.host.environment["DPKG_ROOT"], "usr/local/bin/teleport")) is None
    assert apart.owner("/usr/local/bin/teleport") == "teleport"


def test_a_package_that_cannot_be_installed_is_said(apart: Apt, tmp_path: Path) -> None:
    broken = tmp_path / "broken.deb"
    broken.write_bytes(b"no package" * 20)
    with pytest.raises(HostError, match=r"dpkg --install .*not a Debian format archive"):
        apart.install(str(broken))


def test_two_do_not_change_packages_at_once(apart: Apt, tmp_path: Path) -> None:
    """dpkg as others run it finds the lock taken while the block runs, and free after it."""
    package = little_package(tmp_path, "16.5.12")
    command = ["dpkg", "--install", package]
    environment = {**os.environ, **apart.host.environment}
    with apart.exclusive():
        blocked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        apart.install(package)
    assert blocked.returncode == 2
    assert "lock" in blocked.stderr
    subprocess.run(command, env=environment, check=True, capture_output=True)


def test_an_upgrade_waits_for_others(apart: Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_tool, "LOCK_SECONDS", 0.1)
    folder = Path(apart.host.environment["DPKG_ADMINDIR"])
    # A lock of fcntl is for others only: another process has to hold it.
    code = "import fcntl, sys; f = open(sys.argv[1], 'ab'); fcntl.lockf(f, 2); print('held', flush=True); input()"
    command = ["/usr/bin/python3", "-c", code, str(folder / "lock-frontend")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(HostError, match="another package manager has been at work"), apart.exclusive():
            pass
        monkeypatch.setattr(package_tool, "LOCK_SECONDS", 30)
        threading.Timer(0.5, other.stdin.close).start()
        with apart.exclusive():
            assert other.wait(10) == 1
