# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An end to what could be drawn out for ever by whoever is at the other side, or by what a file holds."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import Any, Iterator


class TooSlow(OSError):
    """Something took longer than it may. An ``OSError``, so that libraries for networks pass it on as their own."""


@contextlib.contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """End the block by :class:`TooSlow` after *seconds*, wherever it hangs.

    Time limits of sockets count from byte to byte, so a server that sends one now and then is never too slow for them.
    Blocks must not be nested. Only the main thread can be interrupted; in others the block has no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: Any) -> None:
        raise TooSlow(f"{what} took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
