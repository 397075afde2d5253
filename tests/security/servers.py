# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on the loopback that serve artefacts as an attacker would."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Action = Callable[[BaseHTTPRequestHandler], None]


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.files``: bytes, or a function that answers by itself."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, with_body: bool) -> None:
        self.close_connection = True
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        found: bytes | Action | None = self.server.files.get(self.path)  # type: ignore[attr-defined]
        if callable(found):
            with contextlib.suppress(OSError):
                found(self)
            return
        if found is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        if with_body:
            self.wfile.write(found)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    """What it has, and what it was asked for: method, path and the Authorization that came along."""

    daemon_threads = True

    def __init__(self, authority: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes | Action] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.scheme = "http"
        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses the certificate is no error here."""


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serve while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(path: Path, address: str = "127.0.0.1", days: int = 2) -> Path:
    """Make a self-signed certificate with its key in one file."""
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-days", str(days), "-subj", "/CN=artefacts", "-addext", f"subjectAltName=IP:{address}",
         "-keyout", f"{path}.key", "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(Path(f"{path}.key").read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def redirect(to: str, code: int = 302) -> Action:
    """Answer by pointing elsewhere."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return act


def guarded(behind: Action) -> Action:
    """Ask for a login, any, before *behind* answers."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("Authorization"):
            behind(handler)
            return
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", 'Basic realm="artefacts"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return act


def drip(head: bytes, piece: bytes, pause: float, announced: int | None = None) -> Action:
    """Answer with one small piece after the other, for ever. Without *announced* the head never ends either."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        if announced is None:
            handler.wfile.write(head)
        else:
            handler.send_response(200)
            handler.send_header("Content-Length", str(announced))
            handler.end_headers()
            if handler.command == "HEAD":
                return
        while True:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause)

    return act


def flood(limit: int) -> Action:
    """Answer without a length and send zeros until the other side has had enough."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _piece in range(0 if handler.command == "HEAD" else limit >> 20):
            handler.wfile.write(bytes(1 << 20))

    return act


def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
