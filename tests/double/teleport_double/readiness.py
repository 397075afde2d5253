# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state behind /readyz: starting, ok, degraded, recovering."""

from __future__ import annotations

import threading
import time

from .features import has
from .settings import fault, scaled
from .versions import Version
from .witnesslog import record

OK, RECOVERING, DEGRADED, STARTING = 0, 1, 2, 3
TEXTS = {
    OK: (200, "ok"),
    RECOVERING: (400, "teleport is recovering from a degraded state, check logs for details"),
    STARTING: (400, "teleport is starting and hasn't joined the cluster yet"),
    DEGRADED: (503, "teleport is in a degraded state, check logs for details"),
}
RECOVER_AFTER, OK_AFTER = 5.0, 15.0


class Readiness:
    """Readiness of one process; every component that can degrade reports here by name."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._degraded: set[str] = set()
        self._recovered_at = 0.0
        self._ready_at = 0.0

    def expect(self, component: str) -> None:
        """The process is not ready before ``component`` is."""
        self._waiting.add(component)

    def ready(self, component: str) -> None:
        """``component`` joined the cluster; the last one makes the process ready."""
        with self._lock:
            self._waiting.discard(component)
            first = not self._waiting and not self._ready_at
            if first:
                self._ready_at = time.monotonic()
        if first:
            record("ready", version=str(self._version))

    @property
    def started(self) -> bool:
        """True once every component joined."""
        return bool(self._ready_at)

    def degrade(self, component: str) -> None:
        """``component`` lost its auth."""
        with self._lock:
            self._degraded.add(component)

    def recover(self, component: str) -> None:
        """``component`` found its auth again: 400 after a while, 200 some time later."""
        with self._lock:
            if component in self._degraded:
                self._degraded.discard(component)
                if not self._degraded:
                    self._recovered_at = time.monotonic() + scaled(RECOVER_AFTER)

    def state(self) -> int:
        """One of OK, RECOVERING, DEGRADED, STARTING."""
        faulty = self._faulty_state()
        if faulty is not None:
            return faulty
        with self._lock:
            if self._waiting:
                return STARTING if has(self._version, "starting_state") else OK
            now = time.monotonic()
            if self._degraded or now < self._recovered_at:
                return DEGRADED
            if self._recovered_at and now < self._recovered_at + scaled(OK_AFTER):
                return RECOVERING
            return OK

    def answer(self) -> tuple[int, str]:
        """HTTP status and text of /readyz."""
        return TEXTS[self.state()]

    def _faulty_state(self) -> int | None:
        if fault(self._version, "never_ready"):
            return STARTING if has(self._version, "starting_state") else DEGRADED
        period = fault(self._version, "flapping_ready")
        if period and self._ready_at:
            length = scaled(2.0 if period is True else float(period))
            return DEGRADED if int((time.monotonic() - self._ready_at) / max(length, 0.01)) % 2 else OK
        return None
