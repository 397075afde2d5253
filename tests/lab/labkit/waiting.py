# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for something that is asked again and again."""

from __future__ import annotations

import time
from collections.abc import Callable

from .errors import LabError


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until ready. Raises LabError with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not ready after {seconds:.0f} s")
        time.sleep(0.1)
