# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release artefacts: what they are called, and fetching one so that nothing but the real one is kept.

Name and checksum file are as Teleport publishes them: ``teleport[-ent]-vX.Y.Z-linux-ARCH[-fips]-bin.tar.gz`` and,
beside it, ``<the same>.sha256`` with ``<hex>  <file name>`` in it.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any, Callable, NamedTuple
from urllib.error import HTTPError

from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY, FIPS

#: Takes a URL and the keywords ``method`` and ``timeout``; returns an open answer or raises ``OSError``.
Opener = Callable[..., Any]

_SECONDS = 30
_CHUNK = 1 << 20
_LARGEST_CHECKSUM_FILE = 4096
_GZIP_MAGIC = b"\x1f\x8b"
_SHA256_RE = re.compile(r"\A\s*([0-9a-fA-F]{64})(?:\s+\*?(\S+))?\s*\Z")
_USERINFO_RE = re.compile(r"(?<=://)[^/@\s]*@")
_NOT_FOUND = 404


class Offer(NamedTuple):
    """An artefact that can be had: where, its SHA-256 in hex, and its size in bytes (0 when the server does not
    tell)."""

    url: str
    sha256: str
    size: int


def artifact_name(version: str, edition: str, architecture: str) -> str:
    """Name of the release tarball."""
    product = "teleport" if edition == COMMUNITY else "teleport-ent"
    return "{}-v{}-linux-{}{}-bin.tar.gz".format(product, version, architecture, "-fips" if edition == FIPS else "")


def parse_checksum(text: str, name: str) -> str:
    """Read a ``.sha256`` file: one digest, alone or before the name of the file it is for.

    :raises ValueError: when it is something else (a web page, say), or for another file.
    """
    match = _SHA256_RE.match(text)
    if match is None:
        raise ValueError(f"it holds no single SHA-256 but starts with {text.strip()[:60]!r}")
    if match.group(2) and os.path.basename(match.group(2)) != name:
        raise ValueError(f"it is for {os.path.basename(match.group(2))!r}")
    return match.group(1).lower()


def find(opener: Opener, base_url: str, name: str, checksum: str = "") -> Offer:
    """Make sure that an artefact is there, and learn its checksum, without fetching it.

    :param checksum: SHA-256 in hex that is already known; the ``.sha256`` file is not asked for then.
    :raises HostError: when artefact or checksum are missing or unusable.
    """
    url = "{}/{}".format(base_url.rstrip("/"), name)
    with _opened(opener, url, "HEAD") as answer:
        length = str(answer.headers.get("Content-Length") or "")
    if checksum:
        return Offer(url, checksum.lower(), int(length) if length.isdigit() else 0)
    try:
        with _opened(opener, url + ".sha256", "GET") as answer:
            text = answer.read(_LARGEST_CHECKSUM_FILE).decode("utf-8", "replace")
        return Offer(url, parse_checksum(text, name), int(length) if length.isdigit() else 0)
    except ValueError as problem:
        raise HostError(
            f"{_shown(url)}.sha256 is no checksum file: {problem}. Put '<sha256>  {name}' there, or set checksum."
        ) from None


def download(opener: Opener, offer: Offer, target: str) -> None:
    """Fetch an artefact into the new file *target* and check it against its SHA-256.

    :raises HostError: when it cannot be fetched, or is not what its checksum says; *target* may then exist in part.
    """
    digest = hashlib.sha256()
    start = b""
    with _opened(opener, offer.url, "GET") as answer, open(target, "xb") as file:
        for chunk in _chunks(answer, offer.url):
            start = start or chunk[:64]
            digest.update(chunk)
            file.write(chunk)
    check(_shown(offer.url), start, digest.hexdigest(), offer.sha256)


def check_file(path: str, checksum: str) -> None:
    """Check an artefact that is on this host already. Raises as `download` does."""
    digest = hashlib.sha256()
    start = b""
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            start = start or chunk[:64]
            digest.update(chunk)
    check(path, start, digest.hexdigest(), checksum)


def check(where: str, start: bytes, found: str, wanted: str) -> None:
    """Compare checksums; say it when the thing is no archive at all.

    :raises HostError: when they differ.
    """
    if found == wanted.lower():
        return
    what = "" if start.startswith(_GZIP_MAGIC) else f" It is no gzip archive, it starts with {start[:24]!r}."
    raise HostError(
        f"{where}: the SHA-256 is {found}, wanted is {wanted.lower()}.{what} Nothing was installed. Fetch it anew and "
        "compare it with the publisher's checksum."
    )


def _chunks(answer: Any, url: str) -> Any:
    try:
        yield from iter(lambda: answer.read(_CHUNK), b"")
    except Exception as problem:  # noqa: BLE001 - http.client raises what is no OSError when a connection breaks
        raise HostError(f"{_shown(url)}: the connection broke: {problem}. Run again.") from None


def _opened(opener: Opener, url: str, method: str) -> Any:
    try:
        return opener(url, method=method, timeout=_SECONDS)
    except HTTPError as problem:
        hint = (
            "Check the version, the edition and artifact_url." if problem.code == _NOT_FOUND else "Check artifact_url."
        )
        raise HostError(f"{_shown(url)}: the server answers {problem.code} {problem.reason}. {hint}") from None
    except (OSError, ValueError) as problem:
        raise HostError(f"{_shown(url)}: cannot be fetched: {problem}. Check artifact_url.") from None


def _shown(url: str) -> str:
    """A URL without the password that may stand in it."""
    return _USERINFO_RE.sub("", url)
