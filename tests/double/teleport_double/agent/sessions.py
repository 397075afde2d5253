# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands run on a node for a user; they live in the node's own control group, as real sessions do."""

from __future__ import annotations

import base64
import os
import selectors
import threading
from typing import Any

from ..wire import Wire

_SIGNALS = (1, 2, 3, 10, 12, 13, 15)


class Sessions:
    """Counts what runs, so that a graceful shutdown can wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_exc: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """True when nothing runs any more, False when ``seconds`` passed before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, seconds)


def run_command(wire: Wire, command: str, sessions: Sessions) -> None:
    """Run a shell command and stream its output as messages; the last one carries the status."""
    with sessions:
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, out_write, 1),
            (os.POSIX_SPAWN_DUP2, err_write, 2),
        ]
        pid = os.posix_spawn(
            "/bin/sh", ["sh", "-c", command], dict(os.environ), file_actions=actions, setsigmask=(), setsigdef=_SIGNALS
        )
        os.close(out_write)
        os.close(err_write)
        _stream(wire, {out_read: "out", err_read: "err"})
        _pid, status = os.waitpid(pid, 0)
        wire.send({"exit": os.waitstatus_to_exitcode(status)})


def _stream(wire: Wire, names: dict[int, str]) -> None:
    selector = selectors.DefaultSelector()
    for descriptor in names:
        selector.register(descriptor, selectors.EVENT_READ)
    while selector.get_map():
        for key, _events in selector.select():
            data = os.read(key.fd, 65536)
            if data:
                wire.send({names[key.fd]: base64.b64encode(data).decode()})
            else:
                selector.unregister(key.fd)
                os.close(key.fd)
    selector.close()
