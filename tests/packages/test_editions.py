# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tarballs of all editions, fetched by their official names and run; no edition passes for another."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.urls import open_url

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact, installation, process, release
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.tests.packages.conftest import DOUBLE, QuietHandler

VERSION = "17.7.20"
EDITIONS = {"community": "", "enterprise": "-ent", "fips": "-ent-fips"}


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One version in all editions."""
    folder = tmp_path_factory.mktemp("editions")
    build = [sys.executable, str(DOUBLE / "build.py"), "--launcher", "script", "--broken", "--out", str(folder)]
    subprocess.run(
        [*build, "--versions", *(VERSION + end for end in EDITIONS.values())], check=True, capture_output=True
    )
    return folder


@pytest.fixture
def url(artefacts: Path) -> Iterator[str]:
    """Where they are served."""
    handler = functools.partial(QuietHandler, directory=str(artefacts))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def layout(tmp_path: Path) -> installation.Layout:
    """An empty versions folder."""
    (tmp_path / "versions").mkdir()
    return installation.Layout(str(tmp_path / "versions"), str(tmp_path / "bin"))


@pytest.mark.parametrize("edition", EDITIONS)
def test_each_edition_comes_by_its_own_name(host: Host, layout: installation.Layout, url: str, edition: str) -> None:
    wanted = release.Release(VERSION, edition, "amd64", base_url=url)
    assert release.stage(host, layout, wanted, open_url)
    assert os.listdir(layout.versions_dir) == [VERSION + EDITIONS[edition]]
    answer = process.ask_version(host, os.path.join(layout.folder(wanted.folder), "teleport"))
    assert answer.output is not None
    assert (str(answer.output.release), answer.output.edition) == (VERSION, edition)


@pytest.mark.parametrize(
    ("inside", "named"),
    [("community", "enterprise"), ("enterprise", "community"), ("fips", "enterprise"), ("community", "fips")],
)
def test_no_edition_passes_for_another(
    host: Host, layout: installation.Layout, artefacts: Path, tmp_path: Path, inside: str, named: str
) -> None:
    """A tarball under the name of another edition, with a checksum that is right for it."""
    content = (artefacts / artifact.artifact_name(VERSION, inside, "amd64")).read_bytes()
    path = tmp_path / artifact.artifact_name(VERSION, named, "amd64")
    path.write_bytes(content)
    wanted = release.Release(VERSION, named, "amd64", file=str(path), checksum=hashlib.sha256(content).hexdigest())
    with pytest.raises(HostError, match=rf"is 17\.7\.20 \({inside}\), wanted is 17\.7\.20 \({named}\)"):
        release.stage(host, layout, wanted, open_url)
    assert os.listdir(layout.versions_dir) == []
