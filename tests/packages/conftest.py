# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signed apt repository with packages of the double, served on the loopback, and this machine as the host."""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

DOUBLE = Path(__file__).resolve().parent.parent / "double"
VERSIONS = ("16.5.11", "16.5.12", "17.7.20", "17.7.20-ent")


class Repository(NamedTuple):
    """Where it is served, the folder that is served, and the key that it is signed with."""

    url: str
    folder: Path
    key: Path


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is given
        """Say nothing."""


@pytest.fixture
def host() -> Host:
    """This machine."""
    return Host()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Packages of the double behind an HTTP server."""
    tarballs = tmp_path_factory.mktemp("tarballs")
    folder = tmp_path_factory.mktemp("apt")
    build = [sys.executable, str(DOUBLE / "build.py"), "--launcher", "script", "--broken", "--versions", *VERSIONS]
    subprocess.run([*build, "--out", str(tarballs)], check=True, capture_output=True)
    publish = [sys.executable, str(DOUBLE / "packages.py"), "--out", str(folder)]
    subprocess.run([*publish, *map(str, sorted(tarballs.glob("*.tar.gz")))], check=True, capture_output=True)
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Repository(f"http://127.0.0.1:{server.server_port}", folder, folder / "key.asc")
        server.shutdown()
