# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two digests of the same hosts are equal, and every kind of change shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.lab.labkit.digest import compare
from ansible_collections.lockstep.teleport.tests.lab.onhost.digest_host import digest_files

FILE = {"kind": "file", "mode": "0644", "owner": "0:0", "size": 1, "sha256": "aa"}
UNIT = {"ActiveState": "active", "MainPID": "12", "NRestarts": "0"}


def digest(files: dict[str, Any], units: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"auth1": {"files": files, "units": {"teleport.service": UNIT} if units is None else units}}


def test_equal_digests_have_no_differences() -> None:
    assert compare(digest({"/etc/a": FILE}), digest({"/etc/a": dict(FILE)})) == []


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        (digest({}), ["auth1: /etc/a: gone"]),
        (digest({"/etc/a": FILE, "/etc/b": FILE}), ["auth1: /etc/b: new"]),
        (digest({"/etc/a": {**FILE, "mode": "0600"}}), ["auth1: /etc/a: mode: 0644 -> 0600"]),
        (
            digest({"/etc/a": FILE}, {"teleport.service": {**UNIT, "MainPID": "13"}}),
            ["auth1: teleport.service: MainPID: 12 -> 13"],
        ),
        ({}, ["auth1: only in the first digest"]),
    ],
)
def test_every_change_is_a_line(after: dict[str, Any], lines: list[str]) -> None:
    assert compare(digest({"/etc/a": FILE}), after) == lines


def ask(root: Path, volatile: str = "", ignored: str = "") -> dict[str, Any]:
    return digest_files({"roots": [str(root)], "volatile": [volatile], "ignored": [ignored]})


def test_content_mode_and_links_are_seen(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("a", encoding="utf-8")
    link.symlink_to("file")
    before = ask(tmp_path)
    file.write_text("b", encoding="utf-8")
    file.chmod(0o600)
    link.unlink()
    link.symlink_to("elsewhere")
    after = ask(tmp_path)
    assert before[str(file)]["sha256"] != after[str(file)]["sha256"]
    assert after[str(file)]["mode"] == "0600"
    assert (before[str(link)]["target"], after[str(link)]["target"]) == ("file", "elsewhere")


def test_times_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a", encoding="utf-8")
    before = ask(tmp_path)
    os.utime(tmp_path / "file", (1, 1))
    assert ask(tmp_path) == before


def test_volatile_files_count_with_mode_but_without_content(tmp_path: Path) -> None:
    file = tmp_path / "backend" / "sqlite.db"
    file.parent.mkdir()
    file.write_text("a", encoding="utf-8")
    before = ask(tmp_path, volatile=f"{tmp_path}/backend/*")
    file.write_text("longer", encoding="utf-8")
    assert ask(tmp_path, volatile=f"{tmp_path}/backend/*") == before
    file.chmod(0o600)
    assert ask(tmp_path, volatile=f"{tmp_path}/backend/*") != before


def test_ignored_folders_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "skip").mkdir()
    (tmp_path / "skip" / "file").write_text("a", encoding="utf-8")
    assert list(ask(tmp_path, ignored=f"{tmp_path}/skip*")) == [str(tmp_path)]
