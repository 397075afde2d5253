# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnostic service: /healthz, /readyz and /metrics."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .features import has
from .identity import Identity
from .readiness import Readiness

VersionCounts = Callable[[], Counter[str]]


class Diagnostics:
    """What the diagnostic listener answers."""

    def __init__(self, identity: Identity, readiness: Readiness, counts: VersionCounts) -> None:
        self._identity = identity
        self._readiness = readiness
        self._counts = counts

    def answer(self, path: str) -> tuple[int, str, str]:
        """``(status, content type, body)`` of a GET."""
        if path == "/healthz":
            return 200, "application/json", '{"status":"ok"}'
        if path == "/readyz":
            status, text = self._readiness.answer()
            own = {"pid": os.getpid()} if has(self._identity.version, "pid_in_readyz") else {}
            return status, "application/json", json.dumps({"status": text, **own}, separators=(",", ":"))
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self._metrics()
        return 404, "text/plain; charset=utf-8", "404 page not found\n"

    def _metrics(self) -> str:
        version = self._identity.version
        lines = ["# HELP audit_failed_disk_monitoring Number of times disk monitoring failed."]
        lines += ["# TYPE audit_failed_disk_monitoring counter", "audit_failed_disk_monitoring 0"]
        if has(version, "process_state_metric"):
            states = "0 - ok, 1 - recovering, 2 - degraded, 3 - starting"
            lines += [f"# HELP process_state State of the teleport process: {states}", "# TYPE process_state gauge"]
            lines += [f"process_state {self._readiness.state()}"]
        if has(version, "build_info_metric"):
            labels = f'gitref="{self._identity.git}",goversion="{self._identity.go}",version="{version}"'
            lines += ["# TYPE teleport_build_info gauge", f"teleport_build_info{{{labels}}} 1"]
            for name, count in sorted(self._counts().items()):
                lines.append(f'teleport_registered_servers{{version="{name}"}} {count}')
        return "\n".join(lines) + "\n"


def serve(sock: socket.socket, diagnostics: Diagnostics) -> None:
    """Answer on a listening socket for ever; runs in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, content_type, body = diagnostics.answer(self.path.partition("?")[0])
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args: object) -> None:
            """A diagnostic request leaves no trace in the log."""

    run_http(sock, Handler)


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up or speaks no TLS is no event."""


def run_http(sock: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
    """Serve HTTP on a socket that is already listening."""
    server = _QuietServer(("127.0.0.1", 0), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = sock
    server.server_address = sock.getsockname()
    # the socket may be closed under us: this process is draining then
    with contextlib.suppress(OSError, ValueError):
        server.serve_forever(poll_interval=1.0)
