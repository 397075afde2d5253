# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run this is, so that a later one can tell whether it still lives.

A process is known by the boot of its machine, its PID namespace, its id and when it started. Two containers on one
machine share the boot but not the namespace, and ids are used again, so nothing less would do. Where the system does
not tell (macOS), a process is never known to be dead, and its lock lasts until it expires.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import select
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: Of the fields of /proc/PID/stat that follow the name in parentheses: state, and start in ticks since the boot.
_STATE = 0
_STARTED = 19
_ENDED_STATES = ("Z", "X")


def identify(pid: int, proc: Path = Path("/proc")) -> dict[str, Any]:
    """Return what a process is known by: ``boot``, ``namespace``, ``pid``, ``started`` (ticks); empty where unknown."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = os.readlink(proc / "self/ns/pid")
        started = _stat(pid, proc)[_STARTED]
    except (OSError, IndexError):
        return {"boot": "", "namespace": "", "pid": pid, "started": ""}
    return {"boot": boot, "namespace": namespace, "pid": pid, "started": started}


def is_dead(process: Mapping[str, Any], proc: Path = Path("/proc"), kill: Callable[[int, int], None] = os.kill) -> bool:
    """Whether a process is known to have ended; False where that cannot be known from here."""
    try:
        pid = int(process["pid"])
        here = identify(os.getpid(), proc)
        if not here["boot"] or (process["boot"], process["namespace"]) != (here["boot"], here["namespace"]):
            return False
        return not is_running(pid, str(process["started"]), proc, kill)
    except (KeyError, TypeError, ValueError):
        return False


def is_running(pid: int, started: str, proc: Path = Path("/proc"), kill: Callable[[int, int], None] = os.kill) -> bool:
    """Whether the process of this machine with this id, started then, still runs. *started* may be empty: unknown."""
    try:
        # The system may hide processes of others in /proc, but never denies that they exist.
        kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    try:
        found = _stat(pid, proc)
    except OSError:
        return True
    return found[_STATE] not in _ENDED_STATES and started in ("", found[_STARTED])


def run_id(process: Mapping[str, Any], host: str) -> str:
    """Name a run by its process: the same in all its workers, and never that of another run."""
    known = "\0".join([host, *(str(process[key]) for key in ("boot", "namespace", "pid", "started"))])
    return f"{process['pid']}-{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def now() -> float | None:
    """Return this machine's seconds since its boot, the clock by which processes start; None where there is none."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return None if clock is None else time.clock_gettime(clock)


def began(process: Mapping[str, Any]) -> float | None:
    """Return when a process of this machine started, as :func:`now` counts; None where that is unknown."""
    return int(process["started"]) / os.sysconf("SC_CLK_TCK") if process["started"] else None


def seconds_running(process: Mapping[str, Any]) -> float:
    """Return for how long a process of this machine has run; 0 where that is unknown."""
    then, present = began(process), now()
    return 0.0 if then is None or present is None else max(present - then, 0.0)


def sleeper(process: Mapping[str, Any]) -> Callable[[float], None]:
    """Return a way to sleep some seconds that wakes up when the process ends, where the system can tell."""
    try:
        descriptor = os.pidfd_open(process["pid"])
    except (AttributeError, OSError):
        return time.sleep

    def sleep(seconds: float) -> None:
        select.select([descriptor], [], [], seconds)

    return sleep


def owner(process: Mapping[str, Any], variables: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Say who runs it: user, controller, the job of AWX when there is one, and the process."""
    job = next((variables[key] for key in ("awx_job_id", "tower_job_id") if variables.get(key)), "")
    user = next((variables[key] for key in ("awx_user_name", "tower_user_name") if variables.get(key)), "")
    return {
        "user": str(user or environment.get("SUDO_USER") or _user()),
        "controller": socket.gethostname(),
        "job": str(job),
        "process": {**process, "began": began(process)},
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return str(os.getuid())


def _stat(pid: int, proc: Path) -> list[str]:
    text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    # The name may hold spaces and parentheses itself; what follows the last one is numbers.
    return text.rpartition(")")[2].split()
