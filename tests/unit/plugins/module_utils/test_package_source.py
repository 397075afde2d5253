# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding Teleport's entry among others, and pointing it elsewhere without touching anything else."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source, find

ONE_LINE = """# Teleport: deb https://apt.example.com/old bookworm stable/v14
deb http://deb.example.com/debian bookworm main contrib
deb [arch=amd64 signed-by=/usr/share/keyrings/t.asc] https://apt.example.com/api/v2/debian bookworm stable/v16 # ours
deb-src https://apt.example.com/debian bookworm stable/v16
#deb https://apt.example.com/debian bookworm stable/v15
"""
DEB822 = """# All of ours
Types: deb
URIs: https://deb.example.com/stable/v3
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: https://apt.example.com/debian
Suites: bookworm
Components: stable/v15

Types: deb
URIs: https://apt.example.com/debian
Suites: bookworm
Components:
# contrib stable/v14
 stable/v16
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 stable/v99
"""
REPO = """[main-repo]
baseurl=https://yum.example.com/os/stable/v8/
enabled=0

[teleport]
name=Teleport
# baseurl=https://yum.example.com/rhel/9/Teleport/x86_64/stable/v15
baseurl = https://yum.example.com/rhel/$releasever/Teleport/%{_arch}/stable/v16
gpgcheck=1
enabled=1

[other]
baseurl=https://yum.example.com/other
"""
FILES = {"a.list": ONE_LINE, "a.sources": DEB822, "a.repo": REPO}


def one(path: str, text: str) -> Source:
    found = find({path: text})
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("path", FILES)
def test_the_entry_is_found_among_others(path: str) -> None:
    assert one(path, FILES[path]).channel == "stable/v16"


@pytest.mark.parametrize("path", FILES)
def test_nothing_but_the_channel_of_the_entry_changes(path: str) -> None:
    moved = one(path, FILES[path]).at("17")
    before, after = FILES[path].splitlines(), moved.text.splitlines()
    changed = [(old, new) for old, new in zip(before, after) if old != new]
    assert len(before) == len(after)
    ((old, new),) = changed
    assert new == old.replace("stable/v16", "stable/v17")
    assert moved.channel == "stable/v17"
    assert moved.at("16").text == FILES[path]


@pytest.mark.parametrize("path", FILES)
def test_alone_it_is_an_entry_still_and_nothing_else(path: str) -> None:
    for source in (one(path, FILES[path]), one(path, FILES[path]).at("5"), one(path, FILES[path]).at("117")):
        alone = source.alone
        assert one(path, alone).channel == source.channel
        assert "main" not in alone
        assert "other" not in alone
        assert alone.endswith("\n")


@pytest.mark.parametrize("channel", ["stable/cloud", "stable/rolling"])
def test_a_channel_with_all_lines_stays(channel: str) -> None:
    source = one("a.list", ONE_LINE.replace("stable/v16", channel, 1))
    assert source.at("17") == source


def test_what_is_no_channel_of_teleport_is_none() -> None:
    texts = ["deb http://deb.example.com/ stable main", "deb http://x/stable/v16 bookworm main", "", "\n\n"]
    assert find({f"{number}.list": text for number, text in enumerate(texts)}) == []
    assert find({"x.repo": "[a]\nname=stable/v16\n", "x.sources": "Types: deb\nSuites: stable/v16\n"}) == []


def test_all_entries_are_found_in_the_order_of_the_files() -> None:
    line = "deb https://apt.example.com bookworm stable/v{}\n"
    found = find({"b.list": line.format(16), "a.list": line.format(14) + line.format(15)})
    assert [source.channel for source in found] == ["stable/v14", "stable/v15", "stable/v16"]
    assert found[1].alone == line.format(15)


@pytest.mark.parametrize(
    ("path", "text", "unsigned"),
    [
        ("a.list", ONE_LINE, False),
        ("a.sources", DEB822, False),
        ("a.repo", REPO, False),
        ("a.list", "deb [trusted=yes] https://x bookworm stable/v16", True),
        ("a.list", "deb [arch=amd64 allow-insecure=yes] https://x bookworm stable/v16", True),
        ("a.list", "deb [trusted=yes] https://x bookworm main\ndeb https://x bookworm stable/v16\n", False),
        ("a.sources", "Types: deb\nTrusted: yes\nComponents: stable/v16\n", True),
        ("a.repo", REPO.replace("gpgcheck=1", "gpgcheck=0"), True),
        ("a.repo", REPO.replace("gpgcheck=1", "# gpgcheck=0"), False),
    ],
)
def test_entries_that_do_not_ask_for_signatures_are_known(path: str, text: str, unsigned: bool) -> None:
    assert one(path, text).is_unsigned == unsigned
