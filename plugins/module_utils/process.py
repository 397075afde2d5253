# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running Teleport process: which program it really executes, at which version, with which options."""

from __future__ import annotations

import os
import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import trust
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.version import (
    VersionError,
    VersionOutput,
    parse_version_output,
)

#: Options of ``teleport start`` that take a value and matter here, with all their spellings.
_OPTIONS = {
    "-c": "config",
    "--config": "config",
    "--diag-addr": "diag_addr",
    "--pid-file": "pid_file",
    "-r": "roles",
    "--roles": "roles",
    "--nodename": "nodename",
    "--auth-server": "auth_server",
}
_NUMBER_RE = re.compile(r"[0-9]{1,18}")


class Program(NamedTuple):
    """The answer of a program that was asked for its version. Exactly one of *output* and *error* is set."""

    output: Optional[VersionOutput]
    error: Optional[str]


def ask_version(host: Host, path: str) -> Program:
    """Run ``PATH version`` and read what it prints. What everybody could have written is not run."""
    reason = trust.program_objection(path)
    if reason:
        return Program(None, reason)
    done = host.run([path, "version"])
    if done.status != 0:
        return Program(None, f"{path} version ended with status {done.status}: {done.text[:300]}")
    try:
        return Program(parse_version_output(done.output), None)
    except VersionError as problem:
        return Program(None, f"{path} version: {problem}")


def executable_link(host: Host, pid: int) -> str:
    """Path under which the kernel offers a process's program, even after its file was replaced or deleted."""
    return os.path.join(host.proc, str(pid), "exe")


def executable(host: Host, pid: int) -> Optional[str]:
    """Path of the program a process executes, with `` (deleted)`` behind it when that file is gone; None: no
    process."""
    try:
        return os.readlink(executable_link(host, pid))
    except OSError:
        return None


def numbers(host: Host, pid: int) -> Tuple[int, ...]:
    """Return all numbers that a process has, in this namespace first; one that systemd has walled off has several.

    Source: ``NSpid`` in proc_pid_status(5), Linux 4.1. Where it is missing, *pid* alone.
    """
    try:
        with open(os.path.join(host.proc, str(pid), "status"), encoding="utf-8", errors="replace") as source:
            lines = [line.split() for line in source if line.startswith("NSpid:")]
    except OSError:
        lines = []
    words = lines[0][1:] if lines else []
    return tuple(int(word) for word in words if _NUMBER_RE.fullmatch(word)) or (pid,)


def command_line(host: Host, pid: int) -> List[str]:
    """Arguments of a process; empty when it is gone."""
    try:
        with open(os.path.join(host.proc, str(pid), "cmdline"), "rb") as source:
            return [part.decode("utf-8", "replace") for part in source.read().split(b"\0")[:-1]]
    except OSError:
        return []


def options(arguments: Sequence[str]) -> Dict[str, str]:
    """Pick the options of ``teleport start`` out of a command line; the last of several wins, as in Teleport."""
    found: Dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == "--fips":
            # Builds of no other edition start with it.
            found["fips"] = "yes"
        name, equals, value = argument.partition("=")
        if name in _OPTIONS:
            found[_OPTIONS[name]] = value if equals else next(rest, "")
    return {name: value for name, value in found.items() if value}


def same_file(left: str, right: str) -> bool:
    """Whether two paths lead to one file; False when either leads nowhere."""
    try:
        return os.path.samefile(left, right)
    except OSError:
        return False
