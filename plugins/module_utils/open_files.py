# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes of this host hold a file open: a proof that does not depend on what a unit's state says."""

from __future__ import annotations

import os
from typing import Iterable, List


def processes_holding(paths: Iterable[str], proc: str = "/proc") -> List[str]:
    """Return ``name (pid N)`` for every other process that has one of *paths* open.

    Sees all processes only as root, which this collection needs on a host anyway.
    """
    wanted = {os.path.realpath(path) for path in paths}
    own = str(os.getpid())
    pids = sorted((name for name in os.listdir(proc) if name.isdigit() and name != own), key=int)
    return [f"{_name(proc, pid)} (pid {pid})" for pid in pids if _open_files(proc, pid) & wanted]


def _open_files(proc: str, pid: str) -> set[str]:
    folder = os.path.join(proc, pid, "fd")
    try:
        return {_link(os.path.join(folder, number)) for number in os.listdir(folder)}
    except OSError:
        return set()


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _name(proc: str, pid: str) -> str:
    try:
        with open(os.path.join(proc, pid, "comm"), encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return "a process"
