# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a release from servers that lie about who they are, point elsewhere, or never come to an end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.urls import open_url

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.url_opener import url_opener
from ansible_collections.lockstep.teleport.tests.security.servers import (
    Server,
    certificate,
    drip,
    flood,
    guarded,
    redirect,
    serving,
)

NAME = "teleport-v17.7.20-linux-amd64-bin.tar.gz"
CONTENT = b"\x1f\x8b" + b"release" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def filled(server: Server) -> Server:
    server.files.update({f"/{NAME}": CONTENT, f"/{NAME}.sha256": f"{DIGEST}  {NAME}\n".encode()})
    return server


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls") / "own")


@pytest.fixture
def secure(pem: Path) -> Iterator[Server]:
    """Serves over HTTPS with a certificate that no public authority has signed."""
    with serving(filled(Server(pem))) as server:
        yield server


@pytest.fixture
def plain() -> Iterator[Server]:
    """Serves over HTTP."""
    with serving(filled(Server())) as server:
        yield server


def fetch(server: Server, target: Path, authority: Path | None = None, most: int = artifact.MOST_BYTES) -> bytes:
    opener = url_opener(f"{authority}.crt" if authority else None)
    artifact.download(opener, artifact.find(opener, server.url, NAME), str(target), most)
    return target.read_bytes()


def test_an_unknown_certificate_is_refused(secure: Server, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be fetched: .*(?i:certificate)"):
        fetch(secure, tmp_path / "t")
    assert secure.asked == []


def test_an_own_authority_is_trusted_when_it_is_named(secure: Server, pem: Path, tmp_path: Path) -> None:
    assert fetch(secure, tmp_path / "t", pem) == CONTENT


def test_another_authority_is_not(secure: Server, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="(?i:certificate)"):
        fetch(secure, tmp_path / "t", certificate(tmp_path / "other"))
    assert secure.asked == []


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    wrong = certificate(tmp_path / "wrong", address="127.0.0.9")
    with serving(filled(Server(wrong))) as server, pytest.raises(HostError, match="(?i:certificate)"):
        fetch(server, tmp_path / "t", wrong)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("what", [NAME, NAME + ".sha256"])
def test_a_redirect_from_https_to_http_is_refused(
    secure: Server, plain: Server, pem: Path, tmp_path: Path, code: int, what: str
) -> None:
    secure.files[f"/{what}"] = redirect(f"{plain.url}/{what}", code)
    with pytest.raises(HostError, match="points to http://.*not protected as https is. Not followed"):
        fetch(secure, tmp_path / "t", pem)
    assert plain.asked == []


@pytest.mark.parametrize("place", ["file:///etc/shadow", "ftp://127.0.0.1/x", "http://[", "javascript:1", "//[::1"])
def test_redirects_to_anything_else_are_refused(plain: Server, tmp_path: Path, place: str) -> None:
    plain.files[f"/{NAME}"] = redirect(place)
    with pytest.raises(HostError, match="the server points to|no URL|cannot be fetched"):
        fetch(plain, tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_redirects_within_https_are_followed(secure: Server, pem: Path, tmp_path: Path) -> None:
    with serving(Server(pem)) as first:
        for name in (NAME, NAME + ".sha256"):
            first.files[f"/{name}"] = redirect(f"{secure.url}/{name}")
        assert fetch(first, tmp_path / "t", pem) == CONTENT


def test_redirects_in_a_circle_end(plain: Server, tmp_path: Path) -> None:
    plain.files[f"/{NAME}"] = redirect(f"/{NAME}")
    with pytest.raises(HostError, match="points on more than 5 times"):
        fetch(plain, tmp_path / "t")


def test_the_login_in_a_url_does_not_go_along_with_a_redirect(plain: Server) -> None:
    with serving(Server()) as first:
        first.files[f"/{NAME}"] = guarded(redirect(f"{plain.url}/{NAME}"))
        base = first.url.replace("://", "://user:hunter2@")
        artifact.find(open_url, base, NAME, DIGEST)
        assert any(login for _method, _path, login in first.asked)
        assert [login for _method, _path, login in plain.asked] == [None]


def test_the_head_of_an_answer_must_come_to_an_end(
    plain: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact, "_HEAD_SECONDS", 1.0)
    plain.files[f"/{NAME}"] = drip(b"HTTP/1.1 200 OK\r\nX-Padding: ", b"a", 0.05)
    began = time.monotonic()
    with pytest.raises(HostError, match="the answer took longer than 1 s"):
        fetch(plain, tmp_path / "t")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("what", [NAME, NAME + ".sha256"])
def test_a_body_that_only_drips_is_given_up(
    plain: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(artifact, "PATIENCE", 1.0)
    monkeypatch.setattr(artifact, "_HEAD_SECONDS", 1.0)
    plain.files[f"/{what}"] = drip(b"", b"\x1f", 0.05, announced=4000)
    began = time.monotonic()
    with pytest.raises(HostError, match="fewer than 16384 a second|took longer than 1 s"):
        fetch(plain, tmp_path / "t")
    assert time.monotonic() - began < 5


def test_more_than_the_disk_can_bear_is_not_written(plain: Server, tmp_path: Path) -> None:
    plain.files[f"/{NAME}"] = flood(64 << 20)
    with pytest.raises(HostError, match="more than the 4194304 bytes there is room for"):
        fetch(plain, tmp_path / "t", most=4 << 20)
    assert (tmp_path / "t").stat().st_size <= 4 << 20


def test_an_artefact_larger_than_any_release_is_refused_unread(plain: Server, tmp_path: Path) -> None:
    plain.files[f"/{NAME}"] = drip(b"", b"", 9, announced=3 << 30)
    with pytest.raises(HostError, match="announces 3221225472 bytes"):
        fetch(plain, tmp_path / "t")


def test_an_endless_checksum_file_is_cut(plain: Server, tmp_path: Path) -> None:
    plain.files[f"/{NAME}.sha256"] = flood(64 << 20)
    with pytest.raises(HostError, match="is no checksum file"):
        fetch(plain, tmp_path / "t")
