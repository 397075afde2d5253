# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images are made from the archives that this machine's apt uses, and from no others."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.tests.lab.labkit.aptsources import AptSource, codename, own_sources
from ansible_collections.lockstep.teleport.tests.lab.labkit.errors import LabError

DEB822_AND_THIRD_PARTY = """\
http://mirror.example/debian/|bookworm|main|Debian
http://mirror.example/debian/|bookworm|contrib|Debian
http://mirror.example/debian/|bookworm-updates|main|Debian
http://mirror.example/debian-security/|bookworm-security|main|Debian
http://mirror.example/debian/|bookworm-backports|main|Debian Backports
http://mirror.example/debian/|bookworm-backports|main|Debian
http://mirror.example/debian/|trixie|main|Debian
https://tools.example/apt/|bookworm|main|Some vendor
https://tools.example/apt/|nodistro|main|Debian
"""
UBUNTU_ONE_LINE = """\
mirror+file:/etc/apt/mirrors.txt|noble|main|Ubuntu
mirror+file:/etc/apt/mirrors.txt|noble|universe|Ubuntu
mirror+file:/etc/apt/mirrors.txt|noble-security|main|Ubuntu
"""


def test_own_suite_with_updates_and_security_only() -> None:
    assert own_sources(DEB822_AND_THIRD_PARTY, "bookworm") == [
        AptSource("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        AptSource("http://mirror.example/debian", "bookworm-updates", ("main",)),
        AptSource("http://mirror.example/debian-security", "bookworm-security", ("main",)),
    ]


def test_ubuntu_keeps_universe() -> None:
    lines = [source.line for source in own_sources(UBUNTU_ONE_LINE, "noble")]
    assert lines == [
        "deb mirror+file:/etc/apt/mirrors.txt noble main universe",
        "deb mirror+file:/etc/apt/mirrors.txt noble-security main",
    ]


def test_an_archive_listed_twice_counts_once() -> None:
    twice = "http://m.example/|noble|main|Ubuntu\n" * 2
    assert own_sources(twice, "noble") == [AptSource("http://m.example", "noble", ("main",))]


@pytest.mark.parametrize("listed", ["", "no fields at all\n", "http://m.example|bookworm-updates|main|Debian\n"])
def test_missing_suite_is_said(listed: str) -> None:
    with pytest.raises(LabError, match="'bookworm' is configured on this machine"):
        own_sources(listed, "bookworm")


@pytest.mark.parametrize("line", ["VERSION_CODENAME=bookworm", 'VERSION_CODENAME="bookworm"'])
def test_codename(line: str) -> None:
    assert codename(f"ID=debian\n{line}\nX=1\n") == "bookworm"


def test_a_system_without_codename_is_refused() -> None:
    with pytest.raises(LabError, match="Debian and Ubuntu"):
        codename("ID=fedora\nVERSION_ID=40\n")
