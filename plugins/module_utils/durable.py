# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are still there, whole and private, after the power was cut."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Iterator, NamedTuple

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

_CHUNK = 4 << 20


class Copied(NamedTuple):
    """What was read while copying: number of bytes and their SHA-256 in hex."""

    size: int
    sha256: str


def private_folder(path: str) -> None:
    """Make *path* readable by its owner alone, creating it, and likewise what is missing above it."""
    if not os.path.isdir(path):
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            private_folder(parent)
        os.mkdir(path, PRIVATE_FOLDER)
    os.chmod(path, PRIVATE_FOLDER)


def sync_folder(path: str) -> None:
    """Make creations, renames and removals inside *path* survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_file(source: str, target: str) -> Copied:
    """Copy *source* to the new private file *target* and wait until it is on disk. Needs *target* not to exist."""
    with open(source, "rb", buffering=0) as reader, _new_private_file(target) as writer:
        copied = _pump(reader, writer)
        os.fsync(writer.fileno())
    return copied


def hash_file(path: str) -> Copied:
    """Return size and SHA-256 of what *path* holds now."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb", buffering=0) as reader:
        for chunk in iter(lambda: reader.read(_CHUNK), b""):
            digest.update(chunk)
            size += len(chunk)
    return Copied(size, digest.hexdigest())


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Give a file to write to that takes the place of *path*, privately and atomically, when the block ends well."""
    temporary = f"{path}.part-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    try:
        with _new_private_file(temporary) as writer:
            yield writer
            writer.flush()
            os.fsync(writer.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(os.path.dirname(path) or ".")


def write_file(path: str, content: bytes) -> None:
    """Put *content* into the private file *path* in one atomic step, replacing what was there."""
    with replacing(path) as writer:
        writer.write(content)


def write_json(path: str, value: Any) -> None:
    """Like :func:`write_file` for a JSON value, readable by people."""
    write_file(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def remove_folder(path: str) -> None:
    """Remove a whole folder so that no half of it can be taken for the whole, even when killed in the middle."""
    grave = os.path.join(os.path.dirname(path), f".removed-{os.path.basename(path)}-{os.getpid()}")
    os.rename(path, grave)
    shutil.rmtree(grave)


def free_bytes(path: str) -> int:
    """Return the bytes a process may still write to the file system of *path*, or of its nearest existing parent."""
    while not os.path.isdir(path):
        path = os.path.dirname(path) or "/"
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


@contextlib.contextmanager
def exclusive(path: str) -> Iterator[None]:
    """Hold the lock file *path* for as long as the block runs. Raises :class:`BlockingIOError` when it is held."""
    with open(path, "a", opener=_private_opener) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def sync_file(path: str) -> None:
    """Make the content of *path*, written by someone else, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pump(reader: Any, writer: BinaryIO) -> Copied:
    digest = hashlib.sha256()
    size = 0
    # Hashing and writing both leave the interpreter lock alone, so the hash costs no wall time on a second core.
    with ThreadPoolExecutor(max_workers=1) as pool:
        hashed = pool.submit(digest.update, b"")
        for chunk in iter(lambda: reader.read(_CHUNK), b""):
            hashed.result()
            hashed = pool.submit(digest.update, chunk)
            writer.write(chunk)
            size += len(chunk)
        hashed.result()
    return Copied(size, digest.hexdigest())


def _new_private_file(path: str) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    return os.fdopen(descriptor, "wb", _CHUNK)


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)
