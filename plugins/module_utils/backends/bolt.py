# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bolt backend of Teleport 2.x and 3.x: ``keys.db`` and whatever else of its kind lies in the data directory.

A Bolt file is two meta pages and a tree of pages (https://github.com/etcd-io/bbolt, ``page.go`` and ``db.go``). No
program on a host can read it, so a copy is proved by what makes Bolt itself accept a file: a valid meta page, and all
pages that it counts.
"""

from __future__ import annotations

import os
import struct
from typing import Any, Iterator, List, Mapping, NamedTuple

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    Part,
    Saved,
    copied_part,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.open_files import processes_holding

_SUFFIX = ".db"
_MAIN = "keys.db"
_MAGIC = 0xED0CDAED
_FORMAT = 2
_HEADER = 16
#: magic, version, page size, flags, root bucket (page, sequence), free list, pages in use, transaction, checksum.
_META = struct.Struct("<IIIIQQQQQQ")
_CHECKSUM_BYTES = 8
_PAGE_SIZES = (4096, 16384, 65536)


class _Meta(NamedTuple):
    page_size: int
    pages: int
    transaction: int


class BoltBackend(Backend):
    """The Bolt files of a data directory, copied while nobody has them open."""

    kind = "bolt"
    online = False
    shared = False

    def __init__(self, folder: str) -> None:
        self.location = folder

    def size_bytes(self) -> int:
        """Return the size of all Bolt files."""
        return sum(os.path.getsize(path) for path in self._files())

    def save(self, folder: str, serving: bool) -> Saved:
        """Copy the files; while Auth serves the copy is only good for a rehearsal."""
        found = self._files()
        if not found:
            raise BackupError(f"{self.location}: holds no Bolt file. Check storage.path and data_dir in teleport.yaml.")
        if not serving:
            self._refuse_if_open()
        parts = [_copy(path, folder) for path in found]
        return Saved(parts, {part.name: _pages(os.path.join(folder, part.name), serving) for part in parts}, {})

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Find a valid meta page in every file, and as many pages as it counts."""
        for name, pages in saved["counts"].items():
            found = _pages(os.path.join(folder, name), torn=pages == 0)
            if found != pages:
                raise BackupError(f"{os.path.join(folder, name)}: has {found} pages, the manifest says {pages}.")

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        """Return whether the files are the saved ones, byte by byte, and no others."""
        del folder
        wanted = {part.source: part for part in _chosen(saved, parts)}
        return sorted(wanted) == self._files() and all(_same(path, part) for path, part in wanted.items())

    def preserve(self, folder: str) -> None:
        """Copy the files as they are."""
        self._refuse_if_open()
        for path in self._files():
            durable.copy_file(path, os.path.join(folder, os.path.basename(path)))

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Put the saved files in place, each in one step, and take away files that were not there."""
        self._refuse_if_open()
        wanted = {part.source: part for part in _chosen(saved, parts)}
        for path, part in wanted.items():
            staged = f"{path}.lockstep-restore"
            if os.path.exists(staged):
                os.unlink(staged)
            durable.copy_file(os.path.join(folder, part.name), staged)
            os.chown(staged, part.uid, part.gid)
            os.chmod(staged, part.mode)
            durable.sync_file(staged)
            os.rename(staged, path)
        for path in set(self._files()) - set(wanted):
            os.unlink(path)
        durable.sync_folder(self.location)

    def _files(self) -> List[str]:
        try:
            names = sorted(os.listdir(self.location))
        except FileNotFoundError:
            return []
        paths = [os.path.join(self.location, name) for name in names if name.endswith(_SUFFIX)]
        return [path for path in paths if os.path.isfile(path) and _is_bolt(path)]

    def _refuse_if_open(self) -> None:
        holders = processes_holding(self._files())
        if holders:
            raise BackupError(
                f"{self.location}: its Bolt files are open in {', '.join(holders)}. Stop every process that uses them."
            )


def _chosen(saved: Mapping[str, Any], parts: Mapping[str, Part]) -> List[Part]:
    return [parts[name] for name in saved["counts"]]


def _copy(path: str, folder: str) -> Part:
    name = os.path.basename(path)
    return copied_part(name, durable.copy_file(path, os.path.join(folder, name)), path)


def _same(path: str, part: Part) -> bool:
    return os.path.getsize(path) == part.size and durable.hash_file(path).sha256 == part.sha256


def _is_bolt(path: str) -> bool:
    if os.path.basename(path) == _MAIN:
        return True
    with open(path, "rb") as handle:
        start = handle.read(_HEADER + _META.size)
    return len(start) == _HEADER + _META.size and _META.unpack_from(start, _HEADER)[0] == _MAGIC


def _pages(path: str, torn: bool) -> int:
    """Return how many pages the newest valid meta page counts; 0 for a copy that may be *torn*, and is."""
    newest = max(_metas(path), key=lambda meta: meta.transaction, default=None)
    if newest is not None and newest.pages * newest.page_size <= os.path.getsize(path):
        return newest.pages
    if torn:
        return 0
    raise BackupError(f"{path}: no valid meta page of Bolt, or fewer pages than it counts: the file is damaged.")


def _metas(path: str) -> Iterator[_Meta]:
    """Yield the valid meta pages: the first two pages, whose size only they tell."""
    with open(path, "rb") as handle:
        for offset in (0, *_PAGE_SIZES):
            handle.seek(offset + _HEADER)
            raw = handle.read(_META.size)
            if len(raw) == _META.size:
                magic, form, size, _flags, _root, _sequence, _free, pages, transaction, checksum = _META.unpack(raw)
                known = (magic, form) == (_MAGIC, _FORMAT) and offset in (0, size)
                if known and checksum == _fnv(raw[:-_CHECKSUM_BYTES]):
                    yield _Meta(size, pages, transaction)


def _fnv(data: bytes) -> int:
    """Return the FNV-1a hash of 64 bits, with which Bolt seals a meta page."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
