# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are still there, whole and private, after the power was cut."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from typing import Any, BinaryIO, Callable, Iterator, NamedTuple, Optional

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
#: What stays free of a disk that a release is brought to: what runs there goes on writing.
SPARE_BYTES = 64 << 20

#: Small enough to stay in a processor's cache between reading, hashing and writing.
_CHUNK = 1 << 20
_COPIED_AT_ONCE = 64 << 20
#: Seconds between two attempts at a lock.
_LOCK_PAUSE = 0.02


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


def copy_file(source: str, target: str, meanwhile: Optional[Callable[[str], None]] = None) -> Copied:
    """Copy *source* to the private file *target*, which must not exist, and return what *source* holds.

    The copy is not yet sure to be on disk, and has not been read. *meanwhile* is called with *target* once that is
    complete: hashing the source takes longer.
    """
    # The kernel copies while another core hashes: both cost less together than passing each byte through here twice.
    with ThreadPoolExecutor(max_workers=1) as pool:
        found = pool.submit(hash_file, source)
        copy_content(source, target)
        if meanwhile:
            meanwhile(target)
        return found.result()


def copy_content(source: str, target: str) -> None:
    """Copy *source* to the private file *target*, which must not exist, within the kernel.

    A true copy also where the file system could share the blocks: a backup that shares them with the data is none.
    """
    with open(source, "rb", buffering=0) as reader, os.fdopen(_create(target), "wb", buffering=0) as writer:
        offset = 0
        while True:
            sent = os.sendfile(writer.fileno(), reader.fileno(), offset, _COPIED_AT_ONCE)
            if not sent:
                return
            offset += sent


def link_or_copy(source: str, target: str) -> None:
    """Give the content of *source* the second name *target*; on another file system, or one without links, copy it.

    Only for a *source* that is about to be replaced: what is written to either would show under both names.
    """
    try:
        os.link(source, target)
    except OSError:
        copy_content(source, target)


def hash_file(path: str) -> Copied:
    """Return size and SHA-256 of what *path* holds now."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb", buffering=0) as reader:
        for chunk in _chunks(reader):
            digest.update(chunk)
            size += len(chunk)
    return Copied(size, digest.hexdigest())


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Give a file to write to that takes the place of *path*, privately and atomically, when the block ends well."""
    temporary = f"{path}.part-{os.getpid()}"
    sweep(f"{path}.part-")
    try:
        with os.fdopen(_create(temporary), "wb") as writer:
            yield writer
            writer.flush()
            os.fsync(writer.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(os.path.dirname(path) or ".")


def sweep(prefix: str) -> None:
    """Remove the temporary files *prefix*PID of this process and of those that have ended, killed half-way."""
    for path in glob.glob(glob.escape(prefix) + "*"):
        pid = path[len(prefix) :]
        if pid.isdigit() and (int(pid) == os.getpid() or not _is_alive(int(pid))):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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


def room(path: str) -> int:
    """Return the bytes that may be written to the file system of *path* so that ``SPARE_BYTES`` of it stay free."""
    return max(0, free_bytes(path) - SPARE_BYTES)


def shortage(path: str, needed: int, setting: str, spare: int = SPARE_BYTES) -> str:
    """Return what to tell when *path*, which *setting* names, has no room for *needed* bytes and some to *spare*.

    Empty when it has.
    """
    free, wanted = free_bytes(path), needed + spare
    if free >= wanted:
        return ""
    return (
        f"{path}: {free >> 20} MiB are free, {wanted >> 20} MiB are needed. Make room there, or name another {setting}."
    )


@contextlib.contextmanager
def exclusive(path: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock file *path* for as long as the block runs.

    Raises :class:`BlockingIOError` when somebody else holds it, after *patience* seconds.
    """
    end = time.monotonic() + patience
    while True:
        # Opened anew each time: whoever held it may have removed the file.
        with open(path, "a", opener=_private_opener) as handle:
            if _is_locked(handle.fileno()):
                yield
                return
        if time.monotonic() >= end:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), path)
        time.sleep(_LOCK_PAUSE)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_file(path: str) -> None:
    """Make the content of *path*, written by someone else, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: str) -> None:
    """Make all files and folders below *path*, and *path* itself, survive a power cut."""
    for folder, _folders, names in os.walk(path, topdown=False):
        for name in names:
            sync_file(os.path.join(folder, name))
        sync_folder(folder)


def _chunks(reader: FileIO) -> Iterator[memoryview]:
    """Yield the file in pieces, each valid until the next is taken. Fresh memory would double the cost."""
    buffer = memoryview(bytearray(_CHUNK))
    while True:
        size = reader.readinto(buffer)
        if not size:
            return
        yield buffer[:size]


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)
