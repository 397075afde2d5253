# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve a folder of artefacts over HTTP and log every request as a JSON line.

    python tests/double/serve.py DIR [--bind 0.0.0.0] [--port 8000] [--log FILE]

Port 0 picks a free one; the first line on stdout is ``serving DIR at http://ADDRESS:PORT``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO

_LOCK = threading.Lock()


class ArtefactHandler(SimpleHTTPRequestHandler):
    """Files only: a folder is not listed."""

    log_stream: TextIO = sys.stderr

    def list_directory(self, path: object) -> None:
        """A mirror does not show what it has."""
        self.send_error(404, "Not Found")

    def log_request(self, code: object = "-", size: object = "-") -> None:
        line = {
            "at": round(time.time(), 3),
            "client": self.client_address[0],
            "method": self.command,
            "path": self.path,
        }
        with _LOCK:
            self.log_stream.write(json.dumps({**line, "status": int(str(getattr(code, "value", code)))}) + "\n")
            self.log_stream.flush()

    def log_message(self, *_args: object) -> None:
        """Only requests are logged."""


def make_server(folder: Path, bind: str, port: int, log_stream: TextIO) -> ThreadingHTTPServer:
    """A threaded server of ``folder``; the caller runs ``serve_forever``."""
    handler = type("Handler", (ArtefactHandler,), {"log_stream": log_stream})
    return ThreadingHTTPServer((bind, port), functools.partial(handler, directory=str(folder)))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bind", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--log", type=Path, default=None)
    arguments = parser.parse_args()
    stream = arguments.log.open("a", encoding="utf-8") if arguments.log else sys.stderr
    server = make_server(arguments.folder, arguments.bind, arguments.port, stream)
    address, port = server.server_address[:2]
    print(f"serving {arguments.folder} at http://{address!s}:{port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
