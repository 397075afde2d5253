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
import time
from typing import Any, Callable, Dict, Iterator, Mapping, NamedTuple, Tuple
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit

from ansible_collections.lockstep.teleport.plugins.module_utils import deadline
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import printable, without_login
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY, FIPS

#: Takes a URL and the keywords ``method``, ``timeout``, ``follow_redirects`` and ``decompress``; returns an open answer
#: or raises ``OSError``.
Opener = Callable[..., Any]

#: The largest release has some 250 MB; what sends more is none.
MOST_BYTES = 2 << 30
#: What a tarball is taken for whose size nobody tells.
LIKELY_BYTES = 200 << 20
#: Begins the names of tarballs that are not whole yet. They outlive a run that breaks off, for the next to continue.
PARTIAL = ".partial-"
#: Seconds to wait for the next byte, and for the whole head of an answer.
_SECONDS = 30
_HEAD_SECONDS = 90
#: Bytes per second that a download has to reach on average once it has had its first seconds.
SLOWEST = 16 << 10
PATIENCE = 60.0
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 20
_LARGEST_CHECKSUM_FILE = 4096
_GZIP_MAGIC = b"\x1f\x8b"
_URL_RE = re.compile(r"https?://\S+")
_SHA256_RE = re.compile(r"\s*([0-9a-fA-F]{64})(?:\s+\*?(\S+))?\s*")
_LENGTH_RE = re.compile(r"[0-9]{1,15}")
_NOT_FOUND = 404
_PARTIAL_CONTENT = 206


class Offer(NamedTuple):
    """An artefact that can be had: where, its SHA-256 in hex, and its size in bytes (0 when the server does not
    tell)."""

    url: str
    sha256: str
    size: int


def is_url(source: str) -> bool:
    """Whether hosts can fetch from there themselves."""
    return bool(_URL_RE.fullmatch(source))


def artifact_name(version: str, edition: str, architecture: str) -> str:
    """Name of the release tarball."""
    product = "teleport" if edition == COMMUNITY else "teleport-ent"
    return "{}-v{}-linux-{}{}-bin.tar.gz".format(product, version, architecture, "-fips" if edition == FIPS else "")


def parse_checksum(text: str, name: str) -> str:
    """Read a ``.sha256`` file: one digest, alone or before the name of the file it is for.

    :raises ValueError: when it is something else (a web page, say), or for another file.
    """
    match = _SHA256_RE.fullmatch(text)
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
        size = parse_length(answer.headers.get("Content-Length"))
    if size > MOST_BYTES:
        raise HostError(
            f"{_shown(url)}: the server announces {size} bytes, allowed are {MOST_BYTES}. Check artifact_url."
        )
    return Offer(url, checksum.lower() or published(opener, base_url, name), size)


def published(opener: Opener, base_url: str, name: str) -> str:
    """Return the SHA-256 that stands in the ``.sha256`` file of an artefact.

    :raises HostError: when there is none, or it is unusable.
    """
    url = "{}/{}".format(base_url.rstrip("/"), name)
    try:
        return parse_checksum(_small_text(opener, url + ".sha256"), name)
    except ValueError as problem:
        raise HostError(
            f"{_shown(url)}.sha256 is no checksum file: {problem}. Put '<sha256>  {name}' there, or set checksum."
        ) from None


def _small_text(opener: Opener, url: str) -> str:
    found = b""
    with _opened(opener, url, "GET") as answer, deadline.within(_HEAD_SECONDS, "the answer"):
        for piece in _pieces(answer, url):
            found += piece
            if len(found) > _LARGEST_CHECKSUM_FILE:
                break
    return found[:_LARGEST_CHECKSUM_FILE].decode("utf-8", "replace")


def parse_length(text: object) -> int:
    """Read a ``Content-Length``: bytes; 0 when there is none, or something else stands there."""
    found = str(text or "").strip()
    return int(found) if _LENGTH_RE.fullmatch(found) else 0


def download(
    opener: Opener, offer: Offer, target: str, most: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic
) -> None:
    """Fetch an artefact into the new file *target* and check it against its SHA-256.

    :param most: bytes to take at most: more than the disk can bear must not be written before the checksum is known.
    :raises HostError: when it cannot be fetched, or is not what its checksum says; *target* may then exist in part.
    """
    digest = hashlib.sha256()
    start = b""
    with _opened(opener, offer.url, "GET") as answer, open(target, "xb") as file:
        for chunk in _chunks(answer, offer.url, most, clock):
            start = start or chunk[:64]
            digest.update(chunk)
            file.write(chunk)
    check(_shown(offer.url), start, digest.hexdigest(), offer.sha256)


def resume(
    opener: Opener,
    offer: Offer,
    target: str,
    most: int = MOST_BYTES,
    pace: Callable[[int], None] = lambda _bytes: None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Fetch what the file *target* still lacks of an artefact, and check the whole; return the bytes fetched.

    A server that cannot continue sends it from the beginning. What arrived of a fetch that broke off stays in *target*.

    :param most: bytes to take at most, as for `download`.
    :param pace: is told of the bytes that came, and may wait before more are taken.
    :raises HostError: as `download`. What is not what its checksum says is removed.
    """
    begun = os.path.getsize(target) if os.path.exists(target) else 0
    fetched = 0
    if begun == 0 or begun != offer.size:
        begin = begun if begun < offer.size else 0
        with _opened(opener, offer.url, "GET", begin) as answer:
            continues = begin > 0 and answer.status == _PARTIAL_CONTENT
            with open(target, "ab" if continues else "wb") as file:
                for chunk in _chunks(answer, offer.url, most, clock):
                    file.write(chunk)
                    fetched += len(chunk)
                    pace(len(chunk))
    # An answer that ends early is no error to the library.
    if os.path.getsize(target) < offer.size:
        raise _broken(offer.url, f"{os.path.getsize(target)} of {offer.size} bytes are here")
    try:
        check_file(target, offer.sha256, _shown(offer.url))
    except HostError:
        os.unlink(target)
        raise
    return fetched


def paced(rate: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> Callable[[int], None]:
    """Return what `resume` can tell of bytes, and which waits when they come faster than *rate* a second on average.

    :param rate: bytes per second; 0 for as fast as it goes.
    """
    began = clock()
    come = 0

    def wait(count: int) -> None:
        nonlocal come
        come += count
        ahead = come / rate - (clock() - began) if rate else 0.0
        if ahead > 0:
            sleep(ahead)

    return wait


def check_file(path: str, checksum: str, where: str = "") -> None:
    """Check an artefact that is on this host already, come from *where* if not *path*. Raises as `download`."""
    digest = hashlib.sha256()
    start = b""
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            start = start or chunk[:64]
            digest.update(chunk)
    check(where or path, start, digest.hexdigest(), checksum)


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


def _chunks(answer: Any, url: str, most: int, clock: Callable[[], float]) -> Iterator[bytes]:
    began = clock()
    total = 0
    for chunk in _pieces(answer, url):
        total += len(chunk)
        seconds = clock() - began
        if total > most:
            raise HostError(f"{_shown(url)}: the server sends more than the {most} bytes there is room for. Stopped.")
        if seconds > PATIENCE and total < SLOWEST * seconds:
            raise HostError(
                f"{_shown(url)}: {total} bytes came in {seconds:.0f} s, fewer than {SLOWEST} a second. Stopped; mend "
                "the connection, or put the artefact on the controller and name that directory in artifact_url."
            )
        yield chunk


def _pieces(answer: Any, url: str) -> Iterator[bytes]:
    # As it comes, where the answer can: a full chunk of a slow server would take for ever to come together.
    read = getattr(answer, "read1", answer.read)
    try:
        yield from iter(lambda: read(_CHUNK), b"")
    except Exception as problem:
        # http.client raises what is no OSError when a connection breaks.
        if isinstance(problem, HostError):
            raise
        raise _broken(url, problem) from None


def _broken(url: str, problem: object) -> HostError:
    return HostError(f"{_shown(url)}: the connection broke: {problem}. Run again.")


def _opened(opener: Opener, url: str, method: str, begin: int = 0) -> Any:
    """Ask for *url* from byte *begin* on, going where the server points to, but never from https to anything else.

    Redirects are followed here and not by the library, which goes from https to http without a word.
    """
    for _redirect in range(_MOST_REDIRECTS + 1):
        answer, place = _asked(opener, url, method, begin)
        if answer is not None:
            return answer
        if urlsplit(place).scheme not in _allowed_schemes(url):
            raise HostError(
                f"{_shown(url)}: the server points to {_shown(place)[:200]}, which is not protected as {_scheme(url)} "
                "is. Not followed. Name the place itself in artifact_url if it is right."
            )
        url = place
    raise HostError(f"{_shown(url)}: the server points on more than {_MOST_REDIRECTS} times. Check artifact_url.")


def _allowed_schemes(url: str) -> Tuple[str, ...]:
    return ("https",) if _scheme(url) == "https" else ("http", "https")


def _scheme(url: str) -> str:
    return urlsplit(url).scheme


def _asked(opener: Opener, url: str, method: str, begin: int) -> Tuple[Any, str]:
    """Return the answer, or None and where the server points to."""
    options: Dict[str, Any] = {"timeout": _SECONDS, "follow_redirects": "none", "decompress": False}
    if begin:
        options["headers"] = {"Range": f"bytes={begin}-"}
    try:
        with deadline.within(_HEAD_SECONDS, "the answer"):
            return opener(url, method=method, **options), ""
    except HTTPError as problem:
        place = problem.headers.get("Location") if problem.headers else None
        if problem.code in _REDIRECTS and place:
            return None, _joined(url, place)
        hint = (
            "Check the version, the edition and artifact_url." if problem.code == _NOT_FOUND else "Check artifact_url."
        )
        raise HostError(f"{_shown(url)}: the server answers {problem.code} {problem.reason}. {hint}") from None
    except Exception as problem:  # noqa: BLE001 - http.client and TLS raise what is no OSError
        raise HostError(f"{_shown(url)}: cannot be fetched: {problem}. Check artifact_url.") from None


def _joined(url: str, place: str) -> str:
    try:
        joined = urljoin(url, place)
        urlsplit(joined)
    except ValueError:
        raise HostError(f"{_shown(url)}: the server points to {place[:200]!r}, which is no URL.") from None
    # The library takes what stands before an @ for a login; where a server points to, that is none of ours.
    return without_login(joined)


def pinned(checksums: Mapping[str, Any], name: str, version: str, architecture: str) -> str:
    """Return the SHA-256 that is pinned for an artefact: by its file name, or by version and architecture.

    :param checksums: ``{"teleport-v…-bin.tar.gz": "<hex>"}`` or ``{"17.7.20": {"amd64": "<hex>"}}``, also mixed; empty
        when nothing is pinned.
    :returns: the digest; empty when *checksums* is empty.
    :raises ValueError: when *checksums* has none for this artefact, or one that is no SHA-256. What is not pinned by a
        list of pins must not pass for pinned.
    """
    if not checksums:
        return ""
    by_version = checksums.get(version) or checksums.get("v" + version)
    by_architecture = by_version.get(architecture) if isinstance(by_version, Mapping) else None
    found = checksums.get(name) or by_architecture
    if found is None:
        raise ValueError(
            f"no digest is pinned for {name}; add it by this name, or as {{'{version}': {{{architecture}: …}}}}"
        )
    digest = _SHA256_RE.fullmatch(str(found))
    if digest is None or digest.group(2):
        raise ValueError(f"the digest pinned for {name} is {str(found)[:80]!r}; allowed are 64 hexadecimal digits")
    return digest.group(1).lower()


def _shown(url: str) -> str:
    """A URL without the password that may stand in it, fit for a terminal."""
    return printable(without_login(url))
