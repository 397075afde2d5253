# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for a proxy behind a load balancer: answers slowly enough that a hard restart cuts requests off.

``web.py serve PORT`` answers until it is killed. ``web.py restart PORT PIDFILE`` kills what the file names, as a
restart does that waits for nobody, stays away for a second, and starts it again in the background. ``start`` and
``stop`` are its halves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWER_SECONDS = 0.1
AWAY_SECONDS = 1.0


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(ANSWER_SECONDS)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_args: object) -> None:
        pass


def serve(port: int) -> None:
    """Answer on the loopback."""
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


def stop(port: int, pidfile: Path) -> None:
    """Kill the server that the file names, and wait until nothing accepts connections."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int(pidfile.read_text()), signal.SIGKILL)
    _await(port, answering=False)


def start(port: int, pidfile: Path) -> None:
    """Start a server in the background and wait until it accepts connections."""
    null = subprocess.DEVNULL
    process = subprocess.Popen(
        [sys.executable, __file__, "serve", str(port)], stdin=null, stdout=null, stderr=null, start_new_session=True
    )
    pidfile.write_text(str(process.pid))
    _await(port, answering=True)


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _await(port: int, answering: bool) -> None:
    deadline = time.monotonic() + 30
    while _accepts(port) != answering:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{port} is not as it should be")
        time.sleep(0.05)


def main(action: str, port: str, pidfile: str = "") -> None:
    """Do what is asked."""
    if action == "serve":
        serve(int(port))
    if action in ("stop", "restart"):
        stop(int(port), Path(pidfile))
    if action == "restart":
        time.sleep(AWAY_SECONDS)
    if action in ("start", "restart"):
        start(int(port), Path(pidfile))


if __name__ == "__main__":
    main(*sys.argv[1:])
