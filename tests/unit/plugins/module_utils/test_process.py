# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options on command lines, and versions that programs tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.process import (
    ask_version,
    command_line,
    executable,
    numbers,
    options,
    same_file,
)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["teleport", "start"], {}),
        (["teleport", "start", "-c", "/a.yaml"], {"config": "/a.yaml"}),
        (["teleport", "start", "--config=/a.yaml", "--diag-addr", "x:1"], {"config": "/a.yaml", "diag_addr": "x:1"}),
        (["teleport", "start", "--pid-file=/run/t.pid", "-d"], {"pid_file": "/run/t.pid"}),
        (["teleport", "start", "--config=/a", "--config=/b"], {"config": "/b"}),
        (["teleport", "start", "-r", "node,proxy"], {"roles": "node,proxy"}),
        (["teleport", "start", "--token=hunter2"], {}),
        (["teleport", "start", "--fips", "-c", "/a.yaml"], {"config": "/a.yaml", "fips": "yes"}),
        (["teleport", "start", "--config"], {}),
    ],
)
def test_options(arguments: list[str], found: dict[str, str]) -> None:
    assert options(arguments) == found


@pytest.mark.parametrize(
    ("answer", "version", "error"),
    [
        ((0, "Teleport v6.2.31 git:v6.2.31-0-gabc go1.16.2\n", ""), "6.2.31", None),
        ((0, "Teleport Enterprise v17.7.20 git: go1.23\n", ""), "17.7.20", None),
        ((0, "hello\n", ""), None, "found no version"),
        ((124, "", ""), None, "ended with status 124"),
        ((1, "", "\x1b[31mERROR: \x1b[0mbroken"), None, "broken"),
    ],
)
def test_versions(answer: tuple[int, str, str], version: str | None, error: str | None) -> None:
    program = ask_version(Host(lambda *_arguments, **_options: answer), "/x")
    assert (str(program.output.release) if program.output else None) == version
    assert (error in program.error) if error and program.error else program.error is None


def test_a_process_that_is_gone_has_nothing(tmp_path: Path) -> None:
    host = Host(print, proc=str(tmp_path))
    assert executable(host, 5) is None
    assert command_line(host, 5) == []


def test_program_and_arguments_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "cmdline").write_bytes(b"teleport\0start\0")
    os.symlink("/usr/local/bin/teleport (deleted)", tmp_path / "5" / "exe")
    host = Host(print, proc=str(tmp_path))
    assert command_line(host, 5) == ["teleport", "start"]
    assert executable(host, 5) == "/usr/local/bin/teleport (deleted)"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Name:\tteleport\nPid:\t5\nNSpid:\t5\n", (5,)),
        ("NSpid:\t5\t1\n", (5, 1)),
        ("Pid:\t5\n", (5,)),
        ("NSpid:\tfive\n", (5,)),
        (None, (5,)),
    ],
)
def test_a_process_has_a_number_in_each_namespace(
    tmp_path: Path, status: str | None, expected: tuple[int, ...]
) -> None:
    (tmp_path / "5").mkdir()
    if status is not None:
        (tmp_path / "5" / "status").write_text(status)
    assert numbers(Host(print, proc=str(tmp_path)), 5) == expected


def test_same_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    (tmp_path / "b").symlink_to("a")
    assert same_file(str(tmp_path / "a"), str(tmp_path / "b"))
    assert not same_file(str(tmp_path / "a"), str(tmp_path / "c"))
