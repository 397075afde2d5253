# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of small files saved as one tar file, compared with it and put back from it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from typing import Dict, Iterator, List

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, Part, copied_part
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.sqlite import online_copy

_SQLITE_MAGIC = b"SQLite format 3\x00"
_SQLITE_SIDE_FILES = (".db-wal", ".db-shm", ".db-journal")


def pack(tree: str, folder: str, name: str, serving: bool) -> Part:
    """Save every regular file below *tree* as the tar file *name* in *folder* and return it as a part.

    With *serving*, a SQLite database in it is copied online and its journals are left out. Raises
    :class:`BackupError`.
    """
    path = os.path.join(folder, name)
    with open(path, "xb") as handle:
        os.chmod(path, durable.PRIVATE_FILE)
        with tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for relative in files_below(tree):
                if not (serving and relative.endswith(_SQLITE_SIDE_FILES)):
                    _add(archive, os.path.join(tree, relative), relative, serving)
    return copied_part(name, durable.hash_file(path), tree)


def content(path: str) -> Dict[str, str]:
    """Return the SHA-256 of each file in the tar file *path* by its relative name. Raises :class:`BackupError`."""
    with _archive(path) as archive:
        return {member.name: _digest(_bytes(archive, member)) for member in _members(path, archive)}


def matches(path: str, tree: str) -> bool:
    """Return whether *tree* holds exactly the files of the tar file *path*."""
    found = {name: durable.hash_file(os.path.join(tree, name)).sha256 for name in files_below(tree)}
    return found == content(path)


def extract(path: str, tree: str) -> int:
    """Write the files of the tar file *path* into the new private folder *tree*, as our own; return how many."""
    with _archive(path) as archive:
        members = _members(path, archive)
        for member in members:
            place = os.path.join(tree, member.name)
            durable.private_folder(os.path.dirname(place))
            durable.write_file(place, _bytes(archive, member))
    return len(members)


def unpack(path: str, tree: str, part: Part) -> None:
    """Make *tree* hold exactly the files of the tar file *path*, with their owners and modes.

    Works in place, because the folder may be a mount point. Each file appears whole or not at all; killed in the
    middle, a second call finishes the work.
    """
    if not os.path.isdir(tree):
        os.makedirs(tree)
        os.chmod(tree, part.mode)
        os.chown(tree, part.uid, part.gid)
    with _archive(path) as archive:
        members = _members(path, archive)
        for member in members:
            _put(os.path.join(tree, member.name), archive, member)
    wanted = {member.name for member in members}
    for relative in files_below(tree):
        if relative not in wanted:
            os.unlink(os.path.join(tree, relative))
    durable.sync_folder(tree)


def copy_tree(tree: str, target: str) -> None:
    """Copy *tree* as it is to the new private folder *target*, as evidence."""
    durable.private_folder(target)
    for relative in files_below(tree):
        place = os.path.join(target, relative)
        durable.private_folder(os.path.dirname(place))
        durable.copy_file(os.path.join(tree, relative), place)


def size_of(tree: str) -> int:
    """Return the bytes of all files below *tree*, with the overhead a tar file adds to each."""
    return sum(os.path.getsize(os.path.join(tree, name)) + 3 * tarfile.BLOCKSIZE for name in files_below(tree))


def files_below(tree: str) -> List[str]:
    """Return the relative names of all regular files below *tree*, sorted; none when there is no such folder."""
    found: List[str] = []
    for folder, _folders, names in os.walk(tree):
        paths = (os.path.join(folder, name) for name in names)
        found.extend(os.path.relpath(path, tree) for path in paths if os.path.isfile(path) and not os.path.islink(path))
    return sorted(found)


def _add(archive: tarfile.TarFile, path: str, name: str, serving: bool) -> None:
    source = path
    with tempfile.TemporaryDirectory(prefix="lockstep-") as scratch:
        if serving and _is_sqlite(path):
            source = os.path.join(scratch, "copy")
            online_copy(path, source)
        with open(source, "rb") as handle:
            info = archive.gettarinfo(path, arcname=name)
            info.size = os.fstat(handle.fileno()).st_size
            archive.addfile(info, handle)


def _is_sqlite(path: str) -> bool:
    with open(path, "rb") as handle:
        return handle.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC


@contextlib.contextmanager
def _archive(path: str) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:") as archive:
            yield archive
    except tarfile.TarError as error:
        raise BackupError(f"{path}: not a readable tar file: {error}.") from error


def _members(path: str, archive: tarfile.TarFile) -> List[tarfile.TarInfo]:
    members = archive.getmembers()
    bad = [m.name for m in members if not m.isfile() or m.name.startswith("/") or ".." in m.name.split("/")]
    if bad:
        raise BackupError(f"{path}: holds {bad[0]!r}; a backup holds plain files below its folder only.")
    return members


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    handle = archive.extractfile(member)
    return (handle or io.BytesIO()).read()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _put(place: str, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    os.makedirs(os.path.dirname(place), mode=durable.PRIVATE_FOLDER, exist_ok=True)
    if os.path.isdir(place):
        shutil.rmtree(place)
    staged = f"{place}.lockstep-restore"
    durable.write_file(staged, _bytes(archive, member))
    os.chown(staged, member.uid, member.gid)
    os.chmod(staged, member.mode & 0o777)
    os.rename(staged, place)
