# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a lock alive for as long as a run lives, and lets it go when the run is gone.

Ansible has no place for work that goes on beside the tasks, and a batch of agents may take hours. So a process of its
own renews the lock. It is no child of the run that anything would wait for, and it looks every second whether the run
still exists: however that ends, killed or failed, the lock is free a moment later.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

#: Seconds between two looks at the run.
_LOOK = 1.0
#: How often a lock is renewed within its life.
BEATS = 5


def keep(
    renew: Callable[[], bool],
    release: Callable[[], None],
    is_alive: Callable[[], bool],
    period: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Call *renew* every *period* seconds until it says False (the lock is gone) or the run ends; then *release*.

    *renew* may raise: a host that does not answer now may do so at the next beat.
    """
    due = clock() + period
    while is_alive():
        sleep(_LOOK)
        if clock() < due:
            continue
        due = clock() + period
        with suppress(Exception):
            if not renew():
                return
    release()


def detach(work: Callable[[], None], pid_file: Path) -> None:
    """Run *work* in a process that belongs to nobody; its id is in *pid_file* when this returns."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        grandchild = os.fork()
        if grandchild:
            pid_file.write_text(str(grandchild), encoding="ascii")
        else:
            _leave_the_terminal()
            work()
    finally:
        # Nothing of what the parent prepared for its own end may run a second time here.
        os._exit(0)


def end(pid_file: Path) -> None:
    """End the keeper whose id is in *pid_file*; do nothing when there is none."""
    with suppress(OSError, ValueError):
        os.kill(int(pid_file.read_text(encoding="ascii")), signal.SIGTERM)
    with suppress(OSError):
        pid_file.unlink()


def _leave_the_terminal() -> None:
    """Whoever reads what the run prints must not wait for this process too."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
