# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder's tarballs, good and broken, and the artefact server."""

from __future__ import annotations

import hashlib
import json
import tarfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

import build
import pytest
import serve

GOOD = build.Release("17.7.20", "fips")
SMALL = build.Release("5.2.5", "community")


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two releases and the broken ones."""
    out = tmp_path_factory.mktemp("artefacts")
    build.build(out, [GOOD, SMALL], [SMALL], "script")
    return out


def sound(folder: Path, name: str) -> bool:
    """True when the file matches its checksum file."""
    digest, _blanks, named = (folder / f"{name}.sha256").read_text().strip().partition("  ")
    return named == name and hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_tarballs_look_official(artefacts: Path) -> None:
    name = "teleport-ent-v17.7.20-linux-amd64-fips-bin.tar.gz"
    assert sound(artefacts, name)
    with tarfile.open(artefacts / name) as tar:
        members = {member.name: member.mode for member in tar.getmembers()}
        stream = tar.extractfile("teleport-ent/VERSION")
        assert stream is not None
        assert stream.read() == b"v17.7.20\n"
    assert {f"teleport-ent/{tool}" for tool in ("teleport", "tctl", "tsh", "tbot", "install")} <= set(members)
    assert members["teleport-ent/teleport"] == 0o755


def test_every_defect_is_one(artefacts: Path) -> None:
    name, broken = SMALL.file_name, artefacts / "broken"
    assert not sound(broken / "wrong-checksum", name)
    assert not (broken / "no-checksum" / f"{name}.sha256").exists()
    for defect in ("truncated", "html", "path-traversal", "wrong-version", "not-executable", "not-a-program"):
        assert sound(broken / defect, name), "only what is inside is wrong"
    for defect in ("truncated", "html"):
        with pytest.raises((tarfile.TarError, EOFError)), tarfile.open(broken / defect / name) as tar:
            tar.getmembers()
    with tarfile.open(broken / "path-traversal" / name) as tar:
        assert "../escaped" in tar.getnames()
    with tarfile.open(broken / "not-executable" / name) as tar:
        assert {member.mode for member in tar.getmembers()} == {0o644}


def test_the_server_gives_files_and_writes_down_who_asked(artefacts: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        server = serve.make_server(artefacts, "127.0.0.1", 0, stream)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        with urllib.request.urlopen(f"{base}/{SMALL.file_name}.sha256", timeout=5) as response:
            assert response.read().decode().endswith(f"  {SMALL.file_name}\n")
        for path in ("/", "/nothing"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(base + path, timeout=5)
            caught.value.close()
        server.shutdown()
        server.server_close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["status"] for line in lines] == [200, 404, 404]
