# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets: opened here, or handed over by the process that this one replaces."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from collections.abc import Callable

from .errors import CommandError
from .logs import Log
from .wire import Wire, WireError

PASSED_ENV = "TELEPORT_DOUBLE_FILES"


class Listeners:
    """All listening sockets of one process."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._open: dict[tuple[str, str], socket.socket] = {}
        self._passed = {(e["type"], e["addr"]): int(e["fd"]) for e in json.loads(os.environ.pop(PASSED_ENV, "[]"))}

    def listen(self, kind: str, address: tuple[str, int]) -> socket.socket:
        """A listening socket; raises CommandError when the port is taken."""
        text = f"{address[0]}:{address[1]}"
        descriptor = self._passed.pop((kind, text), None)
        if descriptor is not None:
            self._log.info("PROC:1", f"Using file descriptor {kind} {text} passed by the parent process.")
            sock = socket.socket(fileno=descriptor)
            sock.set_inheritable(False)
        else:
            self._log.info("PROC:1", f"Service {kind} is creating new listener on {text}.")
            sock = _bind(address, kind, text, self._log)
        self._open[(kind, text)] = sock
        return sock

    def passed(self, kind: str) -> bool:
        """True when a listener of this kind was handed over and nobody took it yet."""
        return any(name == kind for name, _address in self._passed)

    def for_child(self) -> list[dict[str, object]]:
        """What a child needs to take over, as JSON-safe entries."""
        return [{"type": kind, "addr": text, "fd": sock.fileno()} for (kind, text), sock in self._open.items()]

    def close(self, keep: str = "") -> None:
        """Stop accepting everywhere, except on listeners of one kind."""
        for (kind, text), sock in list(self._open.items()):
            if kind != keep:
                del self._open[(kind, text)]
                sock.close()


def _bind(address: tuple[str, int], kind: str, text: str, log: Log) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        sock.listen(128)
    except OSError as error:
        sock.close()
        reason = "bind: address already in use" if error.errno == 98 else f"bind: {error.strerror}"
        message = f"PID: {os.getpid()} Failed to bind to address {text}: listen tcp {text}: {reason}, exiting."
        log.failure("AUTH:1", message)
        raise CommandError(f"initialization failed\nlisten tcp {text}: {reason}") from None
    return sock


class Acceptor:
    """Accepts connections and gives each to a handler in a thread of its own."""

    def __init__(self, sock: socket.socket, handler: Callable[[Wire], None]) -> None:
        self._sock = sock
        self._handler = handler
        self._stopped, self._stop = os.pipe()
        self.wires: set[Wire] = set()
        sock.setblocking(False)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self, hang_up: bool) -> None:
        """Accept no more; ``hang_up`` also cuts what is connected."""
        os.write(self._stop, b"\0")
        if hang_up:
            for wire in list(self.wires):
                wire.close()

    def _accept(self) -> None:
        watched: list[socket.socket | int] = [self._sock, self._stopped]
        while True:
            try:
                ready, _w, _x = select.select(watched, [], [])
                if self._stopped in ready:
                    return
                connection, _peer = self._sock.accept()
            except BlockingIOError:
                continue  # it hung up, or the process that shares this socket took it
            except (OSError, ValueError):
                return  # closed under us
            connection.setblocking(True)
            threading.Thread(target=self._serve, args=(Wire(connection),), daemon=True).start()

    def _serve(self, wire: Wire) -> None:
        self.wires.add(wire)
        try:
            self._handler(wire)
        except (OSError, WireError, ValueError):
            pass  # the other side went away: nothing to answer to
        finally:
            self.wires.discard(wire)
            wire.close()
