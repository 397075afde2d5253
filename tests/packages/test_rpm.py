# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real dnf and rpm, as Debian has them, with a package database, and for one test a root, of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import installation, package_source, process, release
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_rpm import Rpm
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tools import Package
from ansible_collections.lockstep.teleport.plugins.module_utils.way_package import PackageWay
from ansible_collections.lockstep.teleport.tests.packages.conftest import DOUBLE

SPEC = """Name: teleport
Version: %{{v}}
Release: 1
Summary: double
License: GPL
BuildArch: noarch
%description
double
%install
mkdir -p %{{buildroot}}{programs}
echo %{{v}} > %{{buildroot}}{programs}/teleport
%files
{programs}/teleport
"""
# As Teleport's own: programs of the double in /usr/local/bin, and no word on what they need.
DOUBLE_SPEC = """Name: teleport-ent-fips
Version: %{v}
Release: 1
Summary: double
License: GPL
BuildArch: noarch
AutoReqProv: no
%global debug_package %{nil}
%global __os_install_post %{nil}
%description
double
%install
mkdir -p %{buildroot}/usr/local/bin
cp %{programs}/* %{buildroot}/usr/local/bin
%files
/usr/local/bin/*
"""
EDITION = "teleport-ent-fips"
SECTION = "[main]\nbaseurl=file://{0}/none\n[teleport]\nname=T\nbaseurl=file://{0}/stable/v16\ngpgcheck=1\nenabled=1\n"


class Yard(NamedTuple):
    """A folder with packages in two channels, where their programs go, and rpm with settings of its own."""

    folder: Path
    programs: Path
    environment: dict[str, str]

    def run(self, command: Sequence[object]) -> None:
        """Run a command with these settings."""
        environment = {**os.environ, **self.environment}
        subprocess.run(list(map(str, command)), check=True, capture_output=True, env=environment)

    def source(self, line: str = "16") -> Source:
        """The entry of a channel."""
        (found,) = package_source.find({"/etc/yum.repos.d/t.repo": SECTION.format(self.folder)})
        return found.at(line)


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """Two versions of line 16, one of which nobody has signed, and one of line 17."""
    folder = tmp_path_factory.mktemp("yum")
    home, programs = folder / "home", folder / "programs"
    (home / "gpg").mkdir(parents=True)
    (home / "gpg").chmod(0o700)
    made = Yard(folder, programs, {"HOME": str(home), "GNUPGHOME": str(home / "gpg")})
    macros = f"%_dbpath {home}/rpmdb\n%_topdir {folder}/top\n%__gpg /usr/bin/gpg\n%_gpg_name double@example.com\n"
    (home / ".rpmmacros").write_text(macros)
    (folder / "t.spec").write_text(SPEC.format(programs=programs))
    made.run([*_gpg(), "--quick-generate-key", "Double <double@example.com>", "rsa2048", "sign", "never"])
    made.run([*_gpg(), "--armor", "--output", folder / "key.asc", "--export"])
    for version in ("16.5.11", "16.5.12", "17.7.20"):
        channel = folder / "stable" / f"v{version[:2]}"
        channel.mkdir(parents=True, exist_ok=True)
        made.run(["rpmbuild", "-bb", "--quiet", "--define", f"v {version}", folder / "t.spec"])
        package = (folder / f"top/RPMS/noarch/teleport-{version}-1.noarch.rpm").rename(
            channel / f"teleport-{version}-1.noarch.rpm"
        )
        if version != "16.5.11":
            made.run(["rpmsign", "--addsign", package])
        if version != "16.5.11":
            _add_double(made, version, channel)
        made.run(["createrepo_c", "--quiet", channel])
    made.run(["gpgconf", "--kill", "all"])
    return made


def _add_double(yard: Yard, version: str, channel: Path) -> None:
    """Put a package of the FIPS edition into a channel."""
    out, spec = yard.folder / "tarballs", yard.folder / "double.spec"
    build = [sys.executable, DOUBLE / "build.py", "--launcher", "script", "--out", out]
    yard.run([*build, "--versions", f"{version}-ent-fips"])
    yard.run(["tar", "-C", out, "-xf", out / f"teleport-ent-v{version}-linux-amd64-fips-bin.tar.gz"])
    programs = yard.folder / f"double-{version}"
    programs.mkdir()
    for name in installation.PROGRAMS:
        (out / "teleport-ent" / name).rename(programs / name)
    spec.write_text(DOUBLE_SPEC)
    yard.run(["rpmbuild", "-bb", "--quiet", "--define", f"v {version}", "--define", f"programs {programs}", spec])
    name = f"{EDITION}-{version}-1.noarch.rpm"
    yard.run(["rpmsign", "--addsign", (yard.folder / "top/RPMS/noarch" / name).rename(channel / name)])


def _gpg() -> list[str]:
    return ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]


@pytest.fixture
def tool(host: Host, yard: Yard) -> Rpm:
    """dnf and rpm, which know the key."""
    yard.run(["rpm", "--import", yard.folder / "key.asc"])
    return Rpm(replace(host, environment=yard.environment))


def test_a_channel_offers_its_own_line(tool: Rpm, yard: Yard, tmp_path: Path) -> None:
    assert [one.version for one in tool.repository(yard.source(), str(tmp_path)).offers("teleport")] == [
        "16.5.12-1",
        "16.5.11-1",
    ]
    (offer,) = tool.repository(yard.source("17"), str(tmp_path)).offers("teleport")
    assert (offer.version, offer.size > 1000) == ("17.7.20-1", True)


def test_packages_are_fetched_unpacked_and_installed_newer_or_older(tool: Rpm, yard: Yard, tmp_path: Path) -> None:
    paths = {}
    for line in ("17", "16"):
        for name in ("scratch", "folder", "root"):
            (tmp_path / line / name).mkdir(parents=True)
        channel = tool.repository(yard.source(line), str(tmp_path / line / "scratch"))
        paths[line] = channel.fetch(channel.offers("teleport")[0], str(tmp_path / line / "folder"))
        tool.unpack(paths[line], str(tmp_path / line / "root"))
        assert (tmp_path / line / "root" / str(yard.programs)[1:] / "teleport").read_text().startswith(line)
    assert tool.installed("teleport") is None
    for line, version in (("16", "16.5.12-1"), ("17", "17.7.20-1"), ("16", "16.5.12-1")):
        tool.install(paths[line])
        assert tool.installed("teleport") == version
        assert tool.owner(str(yard.programs / "teleport")) == "teleport"
        assert (yard.programs / "teleport").read_text().startswith(line)
    yard.run(["rpm", "--erase", "teleport"])


class Place(NamedTuple):
    """A root with a package in it, which rpm takes for the whole system, and what upgrades it."""

    root: Path
    tool: Rpm
    layout: installation.Layout

    def way(self, version: str, edition: str = "fips") -> PackageWay:
        """The way to a version."""
        wanted = release.Release(version, edition, "amd64")
        return PackageWay(self.tool.host, self.layout, wanted, "", Package(self.tool, EDITION))

    def runs(self) -> str:
        """Release and edition of the program in the root."""
        output = process.ask_version(self.tool.host, self.layout.program()).output
        return f"{output.release} {output.edition}" if output else ""

    @property
    def entry(self) -> Path:
        """The file that names the repository."""
        return self.root / "etc/yum.repos.d/teleport.repo"


@pytest.fixture
def place(tool: Rpm, yard: Yard, tmp_path: Path) -> Place:
    """A root in which 16.5.12 was installed from its channel."""
    root = tmp_path / "root"
    for folder in ("etc/yum.repos.d", "usr/local/bin", "opt/teleport-versions"):
        (root / folder).mkdir(parents=True)

    def run_inside(command: list[str], **options: Any) -> tuple[int, str, str]:
        at = command.index("rpm") + 1 if "rpm" in command else 0
        if at and "--root" not in command and command[at] in ("-q", "-qf", "--upgrade"):
            command = [*command[:at], "--root", str(root), *command[at:]]
        done: tuple[int, str, str] = tool.host.run_command(command, **options)
        return done

    apart = Rpm(replace(tool.host, run_command=run_inside))
    apart.places = (f"{root}/etc/yum.repos.d/*.repo",)
    found = Place(root, apart, installation.Layout(f"{root}/opt/teleport-versions", f"{root}/usr/local/bin"))
    found.entry.write_text(SECTION.format(yard.folder))
    apart.install(str(yard.folder / f"stable/v16/{EDITION}-16.5.12-1.noarch.rpm"))
    return found


def test_a_package_of_the_double_is_brought_to_the_next_line_and_back(place: Place) -> None:
    before, entry = place.runs(), place.entry.read_text()
    assert before == "16.5.12 fips"
    way = place.way("17.7.20")
    current = way.current()
    assert current == "16.5.12-ent-fips"
    way.check_available(0)
    assert way.stage()
    way.adopt(current, "16.5.12", "fips", None)
    assert (way.is_present(), way.is_adopted(current, "16.5.12"), place.runs()) == (True, True, before)
    remembered = way.remember()
    way.lead_to("17.7.20-ent-fips", remembered, False)
    assert (place.runs(), way.is_linked(way.current())) == ("17.7.20 fips", True)
    assert place.entry.read_text() == entry.replace("stable/v16", "stable/v17")
    way.lead_to(current, remembered, True)
    assert (place.runs(), way.current()) == (before, current)
    assert place.entry.read_text() == entry


def test_the_package_of_an_edition_is_not_exchanged_for_another(place: Place) -> None:
    with pytest.raises(
        HostError, match="teleport-ent-fips is installed, which is the fips edition; wanted is enterprise"
    ):
        place.way("17.7.20", "enterprise").stage()
    assert os.listdir(place.layout.versions_dir) == []


def test_what_nobody_has_signed_is_refused(tool: Rpm, yard: Yard, tmp_path: Path) -> None:
    channel = tool.repository(yard.source(), str(tmp_path))
    unsigned = channel.offers("teleport")[1]
    with pytest.raises(HostError, match=r"16\.5\.11-1\.noarch\.rpm: its signature is not verified"):
        channel.fetch(unsigned, str(tmp_path))


def test_a_key_that_nobody_has_imported_does_not_count(tool: Rpm, yard: Yard, tmp_path: Path) -> None:
    yard.run(["sh", "-c", "rpm --erase $(rpm -qa gpg-pubkey)"])
    channel = tool.repository(yard.source("17"), str(tmp_path))
    with pytest.raises(HostError, match=r"17\.7\.20.*NOT OK"):
        channel.fetch(channel.offers("teleport")[0], str(tmp_path))


def test_a_section_that_asks_for_no_signatures_is_refused(tool: Rpm, yard: Yard, tmp_path: Path) -> None:
    text = SECTION.format(yard.folder).replace("gpgcheck=1", "gpgcheck=0")
    (source,) = package_source.find({"t.repo": text})
    with pytest.raises(HostError, match="Set gpgcheck=1"):
        tool.repository(source, str(tmp_path)).offers("teleport")


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("teleport-0:16.5.12-1.*\n", True),
        ("# teleport-16.5.12\n!teleport-0:17.7.20-1.*\nteleport-ent-16.5.12-1.*\n", False),
        ("", False),
    ],
)
def test_locks_of_dnf_are_seen(host: Host, tmp_path: Path, text: str, held: bool) -> None:
    (tmp_path / "versionlock.list").write_text(text)
    locks = (str(tmp_path / "versionlock.list"), str(tmp_path / "none"))
    assert Rpm(host, locks=locks).is_held("teleport") == held


def test_what_dnf_has_fetched_before_is_found(tool: Rpm, yard: Yard) -> None:
    found = Rpm(tool.host, caches=(str(yard.folder / "stable/*"),))
    assert found.cached("teleport", "17.7.20") == str(yard.folder / "stable/v17/teleport-17.7.20-1.noarch.rpm")
    assert found.cached("teleport", "17.7.2") is None
