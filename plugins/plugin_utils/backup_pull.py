# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a backup from a host to the controller: complete or not at all, and where the last attempt ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_manifest, durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, Part
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_spec import check_cluster_name
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_store import Backup, plainly, require_room

#: Reads a piece of a part from the host: its name and the offset to begin at; empty at the end.
Read = Callable[[str, int], bytes]
#: Copies a whole part from the host to a path here.
Copy = Callable[[str, str], None]

_LOCK = ".lock"
_FETCHING = ".fetching-"


@dataclass(frozen=True)
class Pull:
    """A backup on a host, told by what it says of itself, and where it goes.

    :param directory: folder on the controller for the backups of all clusters.
    :param name: name of the backup's folder.
    """

    directory: str
    name: str
    manifest: Mapping[str, Any]

    @property
    def home(self) -> str:
        """The folder for the backups of the cluster."""
        return os.path.join(self.directory, str(self.manifest["cluster"]))

    @property
    def path(self) -> str:
        """Where the backup will lie."""
        return os.path.join(self.home, self.name)

    @property
    def partial(self) -> str:
        """Where it is put together; found again by the next attempt."""
        return os.path.join(self.home, _FETCHING + self.name)


def plan(directory: str, name: str, manifest: Mapping[str, Any]) -> Pull:
    """Return what is to be pulled. A host has no say in where files go here: raises :class:`BackupError`."""
    plain: dict[str, Any] = json.loads(json.dumps(manifest))
    check_cluster_name(str(plain.get("cluster")))
    try:
        check_cluster_name(name)
        backup_manifest.check(name, plain)
    except BackupError as error:
        raise BackupError(f"the host offers {name!r} as a backup: {error}") from error
    return Pull(directory, name, plain)


def is_here(wanted: Pull) -> bool:
    """Return whether the backup lies here, whole. Raises :class:`BackupError` when something else has its place."""
    with plainly():
        if not os.path.lexists(wanted.path):
            return False
        found = backup_manifest.read(wanted.path, str(wanted.manifest["cluster"]))
        if found["digest"] != wanted.manifest["digest"]:
            raise BackupError(f"{wanted.path}: is another backup than the host's. Move it away and run again.")
        backup_manifest.check_parts(wanted.path, found)
    return True


def pull(wanted: Pull, read: Read, copy: Copy | None = None) -> Backup:
    """Bring the backup here, read it back, and return it; *copy*, when given, is the quicker way for a whole part.

    What an attempt that was cut off has brought stays, privately, and is not brought again. Raises
    :class:`BackupError`; then no folder of that name exists.
    """
    with _alone(wanted.home):
        if not is_here(wanted):
            durable.private_folder(wanted.partial)
            parts = backup_manifest.stored_parts(wanted.manifest)
            missing = sum(part.size for part in parts.values()) - _bytes_below(wanted.partial)
            require_room(wanted.home, max(0, missing))
            for part in parts.values():
                _bring(os.path.join(wanted.partial, part.name), part, read, copy)
            _finish(wanted)
        _forget_others(wanted)
    return Backup(wanted.path, dict(wanted.manifest))


def _finish(wanted: Pull) -> None:
    _drop_unlisted(wanted)
    bare = {key: value for key, value in wanted.manifest.items() if key not in ("kind", "format", "digest")}
    backup_manifest.check_parts(wanted.partial, backup_manifest.write(wanted.partial, bare))
    durable.sync_tree(wanted.partial)
    os.rename(wanted.partial, wanted.path)
    durable.sync_folder(wanted.home)


def _bring(path: str, part: Part, read: Read, copy: Copy | None) -> None:
    durable.private_folder(os.path.dirname(path))
    found = os.path.getsize(path) if os.path.exists(path) else 0
    if found == part.size and found and durable.hash_file(path).sha256 == part.sha256:
        return
    if copy is not None:
        copy(part.name, path)
        os.chmod(path, durable.PRIVATE_FILE)
    else:
        _read_on(path, part, found if found < part.size else 0, read)
    if os.path.getsize(path) != part.size or durable.hash_file(path).sha256 != part.sha256:
        os.unlink(path)
        raise BackupError(f"{path}: did not arrive as it was saved. Run again; the part is brought anew.")


def _read_on(path: str, part: Part, offset: int, read: Read) -> None:
    with open(path, "r+b" if offset else "wb") as writer:
        os.chmod(path, durable.PRIVATE_FILE)
        writer.seek(offset)
        while offset < part.size:
            piece = read(part.name, offset)
            if not piece:
                break
            writer.write(piece)
            offset += len(piece)


@contextlib.contextmanager
def _alone(home: str) -> Iterator[None]:
    with plainly():
        durable.private_folder(home)
        try:
            with durable.exclusive(os.path.join(home, _LOCK)):
                yield
        except BlockingIOError as error:
            raise BackupError(f"{home}: another run brings a backup here. Wait until it ends.") from error


def _drop_unlisted(wanted: Pull) -> None:
    """Remove what an attempt for another backup of that name has left."""
    listed = backup_manifest.stored_parts(wanted.manifest)
    for where, _folders, names in os.walk(wanted.partial):
        for name in names:
            if os.path.relpath(os.path.join(where, name), wanted.partial) not in listed:
                os.unlink(os.path.join(where, name))


def _forget_others(wanted: Pull) -> None:
    """Remove attempts at other backups of the cluster: they hold secrets, and nobody will come back for them."""
    for name in os.listdir(wanted.home):
        if name.startswith(_FETCHING):
            shutil.rmtree(os.path.join(wanted.home, name))


def _bytes_below(folder: str) -> int:
    return sum(
        os.path.getsize(os.path.join(where, name)) for where, _folders, names in os.walk(folder) for name in names
    )
