# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines over TCP: how the components of the double talk to each other."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

Message = dict[str, Any]
LIMIT = 64 * 1024 * 1024


class WireError(OSError):
    """The other side went away or does not speak this protocol."""


class Refusal(Exception):
    """The other side answered with an error."""

    def __init__(self, text: str, kind: str = "bad_parameter") -> None:
        super().__init__(text)
        self.text = text
        self.kind = kind


class Wire:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = sock.makefile("rb")

    @classmethod
    def dial(cls, address: tuple[str, int], timeout: float) -> Wire:
        """Connect; raises OSError."""
        sock = socket.create_connection(address, timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def send(self, message: Message) -> None:
        """Write one message."""
        self.sock.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> Message | None:
        """Read one message; None when the other side closed."""
        try:
            line = self._reader.readline(LIMIT)
        except (ConnectionError, ValueError):
            return None
        if not line:
            return None
        try:
            message = json.loads(line)
        except ValueError:
            raise WireError("not a message of this protocol") from None
        if not isinstance(message, dict):
            raise WireError("not a message of this protocol")
        return message

    def ask(self, message: Message) -> Message:
        """Send and wait for the answer; raises WireError or Refusal."""
        self.send(message)
        answer = self.receive()
        if answer is None:
            raise WireError("EOF")
        if "error" in answer:
            raise Refusal(answer["error"], answer.get("kind", ""))
        return answer

    def close(self) -> None:
        """Close both directions, also under a thread that is reading."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self.sock.close()
