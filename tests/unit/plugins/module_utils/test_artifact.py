# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching from a real server on the loopback that misbehaves in every way a download server can."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.urls import open_url

from ansible_collections.lockstep.teleport.plugins.module_utils.artifact import (
    Offer,
    artifact_name,
    download,
    find,
    parse_checksum,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

NAME = "teleport-v6.2.31-linux-amd64-bin.tar.gz"
CONTENT = b"\x1f\x8b" + b"release" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.files``; a value that is a number is a status, a tuple is (announced length, content)."""

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, with_body: bool) -> None:
        found: Any = self.server.files.get(self.path, 404)  # type: ignore[attr-defined]
        if isinstance(found, int):
            self.send_error(found)
            return
        length, content = found if isinstance(found, tuple) else (len(found), found)
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Keep quiet."""


@pytest.fixture
def files() -> Iterator[dict[str, Any]]:
    """What the server has; ``base`` is its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found: dict[str, Any] = {f"/{NAME}": CONTENT, f"/{NAME}.sha256": f"{DIGEST}  {NAME}\n".encode()}
    server.files = found  # type: ignore[attr-defined]
    found["base"] = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(files: dict[str, Any], target: Path, checksum: str = "") -> bytes:
    download(open_url, find(open_url, files["base"], NAME, checksum), str(target))
    return target.read_bytes()


@pytest.mark.parametrize(
    ("version", "edition", "architecture", "name"),
    [
        ("6.2.31", "community", "amd64", "teleport-v6.2.31-linux-amd64-bin.tar.gz"),
        ("17.7.20", "enterprise", "arm64", "teleport-ent-v17.7.20-linux-arm64-bin.tar.gz"),
        ("17.7.20", "fips", "amd64", "teleport-ent-v17.7.20-linux-amd64-fips-bin.tar.gz"),
    ],
)
def test_names(version: str, edition: str, architecture: str, name: str) -> None:
    assert artifact_name(version, edition, architecture) == name


@pytest.mark.parametrize(
    "text", [DIGEST, f"{DIGEST}  {NAME}\n", f"{DIGEST.upper()} *{NAME}", f"{DIGEST}  ./dist/{NAME}"]
)
def test_checksum_files(text: str) -> None:
    assert parse_checksum(text, NAME) == DIGEST


@pytest.mark.parametrize(
    "text", ["", "<html>", DIGEST[:-1], f"{DIGEST}  other.tar.gz", f"{DIGEST}  {NAME}\n{DIGEST}  x"]
)
def test_what_is_no_checksum_file(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        parse_checksum(text, NAME)


def test_good_artefact(files: dict[str, Any], tmp_path: Path) -> None:
    assert find(open_url, files["base"] + "/", NAME) == Offer(f"{files['base']}/{NAME}", DIGEST, len(CONTENT))
    assert fetch(files, tmp_path / "t") == CONTENT


def test_known_checksum_needs_no_file(files: dict[str, Any], tmp_path: Path) -> None:
    del files[f"/{NAME}.sha256"]
    assert fetch(files, tmp_path / "t", DIGEST.upper()) == CONTENT


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({f"/{NAME}": 404}, "the server answers 404"),
        ({f"/{NAME}": 500}, "the server answers 500"),
        ({f"/{NAME}.sha256": 404}, r"sha256: the server answers 404"),
        ({f"/{NAME}.sha256": b"<html>not here</html>"}, "is no checksum file"),
        ({f"/{NAME}.sha256": f"{DIGEST}  other.tar.gz".encode()}, "it is for 'other.tar.gz'"),
        ({f"/{NAME}.sha256": ("0" * 64).encode()}, "the SHA-256 is .*, wanted is 0000"),
        ({f"/{NAME}": CONTENT[:100]}, "the SHA-256 is"),
        ({f"/{NAME}": (len(CONTENT), CONTENT[:100])}, "connection broke|the SHA-256 is"),
        ({f"/{NAME}": b"<!DOCTYPE html><html>"}, "It is no gzip archive, it starts with b'<!DOCTYPE"),
    ],
)
def test_every_misbehaviour_has_a_message(
    files: dict[str, Any], tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    files.update(changes)
    with pytest.raises(HostError, match=reason):
        fetch(files, tmp_path / "t")


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be fetched") as caught:
        find(open_url, "http://user:hunter2@127.0.0.1:1", NAME)
    assert "hunter2" not in str(caught.value)
