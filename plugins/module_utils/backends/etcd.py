# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The etcd backend: one range of keys in a store that others may use too."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import etcd_scratch
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    Drilled,
    Part,
    Saved,
    written_part,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import (
    TXN_BYTES,
    TXN_OPS,
    Access,
    Compacted,
    EtcdClient,
    KeyValue,
    peer_url,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version

PART = "etcd.jsonl"

#: Teleport's default, and the only place it used before 4.3 whatever ``prefix`` said (issue 2883 of Teleport).
DEFAULT_PREFIX = "/teleport"
_PREFIX_SINCE = Version.parse("4.3.0-0")

_SAVE_ATTEMPTS = 3
_LEASE_THREADS = 4

#: A key this close to its end may be gone already: leases are granted in whole seconds and etcd is free to be late.
_EXPIRY_SLACK = 5.0


class Entry(NamedTuple):
    """One saved key. ``expires`` is when its lease ends, in seconds since the epoch, ``None`` for keys without one."""

    key: bytes
    value: bytes
    lease: int
    expires: Optional[float]


class EtcdBackend(Backend):
    """All keys below ``<prefix>/``, read at one revision, so a backup is consistent also while Auth serves."""

    kind = "etcd"
    online = True
    shared = True

    def __init__(self, prefix: str, client: EtcdClient, clock: Callable[[], float] = time.time) -> None:
        # Teleport joins prefix and key, and every key begins with a slash.
        self._start = prefix.encode() + b"/"
        self._end = prefix.encode() + b"0"
        self._client = client
        self._clock = clock
        self.location = f"{prefix}/"

    @classmethod
    def from_storage(cls, storage: Mapping[str, Any], version: Optional[Version]) -> EtcdBackend:
        """Read ``teleport.storage``; *version* is the Teleport that wrote the data. Opens no file, no connection."""
        peers = [str(peer) for peer in storage.get("peers") or []]
        if not peers:
            raise BackupError("storage.peers in teleport.yaml names no etcd server.")
        access = Access(
            peers=[peer_url(peer, bool(storage.get("insecure"))) for peer in peers],
            ca_file=storage.get("tls_ca_file"),
            cert_file=storage.get("tls_cert_file"),
            key_file=storage.get("tls_key_file"),
            username=storage.get("username"),
            password_file=storage.get("password_file"),
        )
        return cls(key_prefix(storage.get("prefix"), version), EtcdClient(access))

    def size_bytes(self) -> int:
        """Estimate the saved size from the number of keys and the first page of them."""
        sample = next(self._client.pages(self._start, self._end, self._revision()), [])
        if not sample:
            return 0
        mean = sum(len(_line(entry, 0.0)) for entry in sample) // len(sample)
        return 2 * mean * self._client.count(self._start, self._end)

    def save(self, folder: str, serving: bool) -> Saved:
        """Write all keys as JSON lines. One revision is consistent whether or not Auth serves, so *serving* is moot."""
        del serving
        path = os.path.join(folder, PART)
        for _attempt in range(_SAVE_ATTEMPTS - 1):
            with contextlib.suppress(Compacted):
                return self._save(path)
        return self._save(path)

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Decode every line, and check order, range and number of the keys."""
        path = os.path.join(folder, PART)
        last, counts = b"", {"keys": 0, "leased_keys": 0}
        for entry in read_entries(path):
            if not (self._start <= entry.key < self._end and entry.key > last):
                raise BackupError(f"{path}: key {entry.key!r} is out of order or not below {self.location}.")
            last = entry.key
            counts["keys"] += 1
            counts["leased_keys"] += entry.expires is not None
        if counts != dict(saved["counts"]):
            raise BackupError(f"{path}: holds {counts}, the manifest says {dict(saved['counts'])}.")

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        """Return whether etcd holds exactly the saved keys, expired ones apart."""
        del saved, parts
        found = {entry.key: (_digest(entry.value), entry.lease != 0) for entry in self._read(self._revision())}
        now = self._clock()
        for entry in read_entries(os.path.join(folder, PART)):
            here = found.pop(entry.key, None)
            if here is None:
                if entry.expires is None or entry.expires > now + _EXPIRY_SLACK:
                    return False
            elif here != (_digest(entry.value), entry.expires is not None):
                return False
        return not found

    def preserve(self, folder: str) -> None:
        """Write the keys found now, as :meth:`save` does; an empty range is evidence too."""
        self._save(os.path.join(folder, PART), may_be_empty=True)

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Empty the range and write the saved keys, those that expire with the time they have left."""
        del saved, parts
        path = os.path.join(folder, PART)
        leases = self._grant(read_entries(path))
        self._client.delete(self._start, self._end)
        alive = (entry for entry in read_entries(path) if entry.expires is None or entry.lease in leases)
        for batch in batches(KeyValue(entry.key, entry.value, leases.get(entry.lease, 0)) for entry in alive):
            self._client.put(batch)

    def drill(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part], scratch: str, host: Host
    ) -> Drilled:
        """Write the saved keys into an etcd of our own, and compare; where there is none, read the file back."""
        if etcd_scratch.program() is None:
            drilled = super().drill(folder, saved, parts, scratch, host)
            return drilled._replace(proven=f"{drilled.proven} Install etcd on this host to have them restored.")
        self.verify(folder, saved)
        with etcd_scratch.scratch_etcd(scratch, host) as client:
            elsewhere = EtcdBackend(self.location[:-1], client, self._clock)
            elsewhere.restore(folder, saved, parts)
            if not elsewhere.matches(folder, saved, parts):
                raise BackupError(f"{folder}: the keys in the scratch etcd are not those that were saved.")
            found = client.count(self._start, self._end)
        proven = f"The keys were restored into a scratch etcd {client.version}, read again and compared."
        return Drilled(True, proven, {"keys": found})

    def peek(self, key: str) -> Optional[bytes]:
        """Return what stands under *key* now."""
        wanted = self._start + key.lstrip("/").encode()
        page = next(self._client.pages(wanted, wanted + b"\0", self._revision()), [])
        return page[0].value if page else None

    def names(self, start: str) -> List[str]:
        """Return the keys that begin with *start*."""
        first = self._start + start.lstrip("/").encode()
        # The first key behind all that begin so. No key of Teleport has the byte ff in it.
        return [key[len(self._start) - 1 :].decode() for key in self._client.keys(first, first + b"\xff")]

    def tools(self) -> Dict[str, str]:
        """Return the version of the server that was asked."""
        return {"etcd": self._client.version}

    def close(self) -> None:
        """Close the connections to etcd."""
        self._client.close()

    def _save(self, path: str, may_be_empty: bool = False) -> Saved:
        revision = self._revision()
        counts = {"keys": 0, "leased_keys": 0}
        expires: Dict[int, float] = {}
        with durable.replacing(path) as writer:
            for page in _ahead(self._client.pages(self._start, self._end, revision)):
                expires.update(self._expiries({entry.lease for entry in page if entry.lease} - set(expires)))
                writer.writelines(_line(entry, expires.get(entry.lease)) for entry in page)
                counts["keys"] += len(page)
                counts["leased_keys"] += sum(entry.lease != 0 for entry in page)
        if not counts["keys"] and not may_be_empty:
            raise BackupError(
                f"etcd holds no key below {self.location}. Check storage.prefix in teleport.yaml; "
                "before its first start a cluster has nothing to back up."
            )
        return Saved([written_part(os.path.dirname(path), PART, self.location)], counts, {"revision": revision})

    def _revision(self) -> int:
        return self._client.revision(self._start)

    def _read(self, revision: int) -> Iterator[KeyValue]:
        return chain.from_iterable(self._client.pages(self._start, self._end, revision))

    def _expiries(self, leases: Iterable[int]) -> Dict[int, float]:
        # One question per lease is all the gateway offers, and old Teleports have one lease per heartbeat.
        with ThreadPoolExecutor(max_workers=_LEASE_THREADS) as pool:
            return dict(pool.map(lambda lease: (lease, self._clock() + self._client.time_to_live(lease)), leases))

    def _grant(self, entries: Iterable[Entry]) -> Dict[int, int]:
        """Map every saved lease that has a second left to a new one."""
        left = {entry.lease: entry.expires - self._clock() for entry in entries if entry.expires is not None}
        with ThreadPoolExecutor(max_workers=_LEASE_THREADS) as pool:
            alive = [(lease, int(seconds)) for lease, seconds in left.items() if seconds >= 1]
            return dict(pool.map(lambda pair: (pair[0], self._client.grant(pair[1])), alive))


def key_prefix(configured: Any, version: Optional[Version]) -> str:
    """Return what Teleport of *version* puts before its keys, which begin with a slash themselves.

    Since 4.3 that is ``prefix`` with a leading slash added when it lacks one, and nothing taken away: a prefix that
    ends in a slash makes keys with two. Before 4.3 it was ``/teleport`` whatever the configuration said
    (lib/backend/etcdbk of Teleport, issue 2883).
    """
    if version is not None and version < _PREFIX_SINCE:
        return DEFAULT_PREFIX
    prefix = str(configured or DEFAULT_PREFIX)
    return prefix if prefix.startswith("/") else f"/{prefix}"


def batches(entries: Iterable[KeyValue]) -> Iterator[List[KeyValue]]:
    """Cut *entries* into transactions that etcd takes with its default limits."""
    batch: List[KeyValue] = []
    size = 0
    for entry in entries:
        weight = len(entry.key) + len(entry.value)
        if batch and (len(batch) == TXN_OPS or size + weight > TXN_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += weight
    if batch:
        yield batch


def _ahead(pages: Iterator[List[KeyValue]]) -> Iterator[List[KeyValue]]:
    """Yield the pages, with the next one on its way: server and writer take about as long."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, pages, None)
        while True:
            page = coming.result()
            if page is None:
                return
            coming = pool.submit(next, pages, None)
            yield page


def read_entries(path: str) -> Iterator[Entry]:
    """Yield the saved keys of the file *path*. Raises :class:`BackupError` for a line that is none."""
    with open(path, "rb") as handle:
        for number, line in enumerate(handle, 1):
            try:
                row = foreign_file.parse_json(line)
                yield Entry(b64decode(row["k"], validate=True), b64decode(row["v"], validate=True), *_lease(row))
            except (ValueError, KeyError, TypeError) as error:
                raise BackupError(f"{path}: line {number} is no saved key ({error}). Use another backup.") from error


def _lease(row: Mapping[str, Any]) -> Tuple[int, Optional[float]]:
    return (int(row["l"]), float(row["x"])) if "l" in row else (0, None)


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _line(entry: KeyValue, expires: Optional[float]) -> bytes:
    # Base64 needs no escapes; json.dumps would take more time than everything else that is done with a key.
    pair = b'"k": "%b", "v": "%b"' % (b64encode(entry.key), b64encode(entry.value))
    if not entry.lease:
        return b"{%b}\n" % pair
    return b"{%b, %b\n" % (pair, json.dumps({"l": entry.lease, "x": expires}).encode()[1:])
