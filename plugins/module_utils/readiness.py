# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance answers about itself: its diagnostic endpoint, its debug socket, its open port.

``/readyz`` answers 200 when ready, 400 while starting or recovering, 503 when degraded (Teleport
``lib/service/state.go``).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
from typing import Any, Dict, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import printable

READY = 200
#: Where an Auth Service listens unless its configuration says otherwise.
AUTH_PORT = 3025
_SECONDS = 5.0
_LONGEST_ANSWER = 4096
_LONGEST_PING = 1 << 16
_SHOWN = 200
_LARGEST_PORT = 65535


class Readiness(NamedTuple):
    """One answer: where it came from, its HTTP status (None: no answer) and what it says.

    *pid* is the process that answered, as newer releases tell; it is counted in that process's own namespace.
    """

    source: str
    http_status: Optional[int]
    status: str
    pid: Optional[int] = None

    @property
    def ready(self) -> bool:
        """Whether the instance calls itself ready at this moment. Moments later that may be over."""
        return self.http_status == READY

    def facts(self) -> Dict[str, Any]:
        """As a result shows it."""
        return dict(self._asdict())


class WebAnswer(NamedTuple):
    """What a Proxy Service answers its users: the HTTP status, and the ``server_version`` that it tells, if any."""

    http_status: int
    version: Optional[str]


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def split_address(address: str, default_port: int = 0) -> Tuple[str, int]:
    """Turn ``[tcp://]HOST:PORT`` into where to connect to on this host: a wildcard means loopback.

    :raises ValueError: when there is no port.
    """
    bare = address.split("://", 1)[-1].rstrip("/")
    name, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]"):
        name, port = bare, str(default_port or "")
    name = name.strip("[]")
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > _LARGEST_PORT:
        raise ValueError(f"{address[:_SHOWN]!r} is no HOST:PORT")
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name), int(port)  # noqa: S104 - compared only


def parse_answer(source: str, http_status: int, body: bytes) -> Readiness:
    """Read an answer of ``/readyz``: a JSON object with ``status``, or plain text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Readiness(source, http_status, printable(text[:_SHOWN]))
    told = document if isinstance(document, dict) else {}
    status, pid = told.get("status"), told.get("pid")
    is_known = isinstance(pid, int) and not isinstance(pid, bool) and pid > 0
    shown = printable(str(status if status is not None else text)[:_SHOWN])
    return Readiness(source, http_status, shown, pid if is_known else None)


def probe(diag_addr: Optional[str], data_dir: Optional[str]) -> Optional[Readiness]:
    """Ask the diagnostic endpoint, else the debug socket in the data directory (16 and later).

    :returns: None when the instance has neither, so that nothing can be said.
    """
    if diag_addr:
        return _ask_diag(diag_addr)
    debug_socket = os.path.join(data_dir, "debug.sock") if data_dir else ""
    if debug_socket and os.path.exists(debug_socket):
        answer = _ask("debug_socket", _SocketConnection(debug_socket))
        # Its first releases had no readiness on it.
        return None if answer.http_status == http.client.NOT_FOUND else answer
    return None


def _ask_diag(diag_addr: str) -> Readiness:
    try:
        name, port = split_address(diag_addr)
    except ValueError as problem:
        return Readiness("diag", None, str(problem))
    return _ask("diag", http.client.HTTPConnection(name, port, timeout=_SECONDS))


def _ask(source: str, connection: http.client.HTTPConnection) -> Readiness:
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return parse_answer(source, answer.status, answer.read(_LONGEST_ANSWER))
    except (OSError, ValueError, http.client.HTTPException) as problem:
        # A ValueError is a name that can be no host's.
        return Readiness(source, None, printable(str(problem) or type(problem).__name__)[:_SHOWN])
    finally:
        connection.close()


def web_ping(address: str) -> Optional[WebAnswer]:
    """Ask a Proxy Service of this host for ``/webapi/ping``.

    A proxy may call itself ready and answer everybody with 502 or 504 (it does while it has no Auth Service).

    :returns: None when it gives no answer that could be read: it may want the PROXY protocol, or have its TLS ended by
        a balancer, and then nothing can be said.
    """
    try:
        name, port = split_address(address)
        # Its certificate is for another name, and this host is not out to deceive itself.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - there is no public name for it
        connection = http.client.HTTPSConnection(name, port, timeout=_SECONDS, context=context)
    except ValueError:
        return None
    try:
        connection.request("GET", "/webapi/ping")
        answer = connection.getresponse()
        return WebAnswer(answer.status, _server_version(answer.read(_LONGEST_PING)))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _server_version(body: bytes) -> Optional[str]:
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    found = document.get("server_version") if isinstance(document, dict) else None
    return printable(str(found)[:_SHOWN]) if found else None


def accepts(address: str, default_port: int = 0) -> bool:
    """Whether something on this host accepts TCP connections at *address*."""
    try:
        with socket.create_connection(split_address(address, default_port), timeout=2):
            return True
    except (OSError, ValueError):
        return False
