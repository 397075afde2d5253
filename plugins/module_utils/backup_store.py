# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder in which the backups of a cluster lie: one at a time at work in it, listed, chosen, sealed, thinned out.

A folder named ``<UTC time>-<version>`` is a complete backup; with ``.age`` or ``.gpg`` behind it, a sealed one. Names
that begin with a dot are work in progress, and ``failed-…`` is evidence.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_manifest, backup_seal, durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import SUFFIXES, Cipher

PARTIAL = ".partial-"
EVIDENCE = "failed-"

_LOCK = ".lock"
_OPENED = ".opened-"
_REMOVED = ".removed-"
_DRILL = ".drill-"

#: Kept free beyond what is written, so that logs and the journal of a running host still have room.
SPARE_BYTES = 32 << 20


class Backup(NamedTuple):
    """A backup that was just verified: its folder and its manifest (JSON-safe, no secret)."""

    path: str
    manifest: Dict[str, Any]


def newest_backup(directory: str, cluster: str, version: Optional[str] = None) -> str:
    """Return the newest backup of *cluster*, of Teleport *version* when given. Raises :class:`BackupError`."""
    backups = list_backups(directory, cluster)
    for backup in backups:
        if version in (None, backup.manifest["version"]):
            return backup.path
    there = ", ".join(sorted({backup.manifest["version"] for backup in backups})) or "none at all"
    wanted = f" of version {version}" if version else ""
    raise BackupError(
        f"{os.path.join(directory, cluster)}: holds no backup{wanted}; there are those of {there}. Name another path "
        "or version."
    )


def list_backups(directory: str, cluster: str) -> List[Backup]:
    """Return all complete backups of *cluster*, newest first, judged by their manifests alone."""
    home = os.path.join(directory, cluster)
    found = []
    for name in sorted(os.listdir(home) if os.path.isdir(home) else [], reverse=True):
        path = os.path.join(home, name)
        if not name.startswith((".", EVIDENCE)):
            with contextlib.suppress(BackupError):
                found.append(Backup(path, backup_manifest.read(path, cluster)))
    return found


def prune(
    directory: str, cluster: str, keep: int, discard: Callable[[Backup], None] = lambda _backup: None
) -> List[str]:
    """Remove all but the newest *keep* backups of *cluster* (0 keeps all) and return the folders removed.

    *discard* removes what a backup has outside of its folder. Evidence of failures and folders of other origin are
    never touched.
    """
    surplus = list_backups(directory, cluster)[keep:] if keep > 0 else []
    with plainly():
        for backup in surplus:
            discard(backup)
            durable.remove_folder(backup.path)
    return [backup.path for backup in surplus]


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Turn what the operating system says into a :class:`BackupError`."""
    try:
        yield
    except OSError as error:
        where = error.filename or "backup"
        raise BackupError(
            f"{where}: {error.strerror or error}. Check the path, its permissions and free space."
        ) from error


@contextlib.contextmanager
def held(home: str) -> Iterator[str]:
    """Be the only one at work in *home*, and give it without what killed runs left there.

    Raises :class:`BackupError` when another is at work.
    """
    with plainly():
        durable.private_folder(home)
        try:
            with durable.exclusive(os.path.join(home, _LOCK)):
                _clear_leftovers(home)
                yield home
        except BlockingIOError as error:
            raise BackupError(f"{home}: another backup or restore is at work. Wait until it ends.") from error


@contextlib.contextmanager
def opened(home: str, path: str, manifest: Mapping[str, Any], cipher: Optional[Cipher]) -> Iterator[Backup]:
    """Give the backup in *path* as plain files, those of a sealed one in *home* for as long as the block runs.

    The caller is alone at work in *home*. Nothing but sizes and hashes of sealed files has been compared yet.
    Raises :class:`BackupError`, also when there is no key for a sealed one.
    """
    if not backup_seal.is_sealed(manifest):
        yield Backup(path, dict(manifest))
        return
    backup_manifest.check_parts(path, manifest)
    require_room(home, sum(part.size for part in backup_manifest.parts(manifest).values()))
    place = os.path.join(home, _OPENED + os.path.basename(path))
    try:
        yield Backup(place, backup_seal.unseal(path, manifest, place, cipher))
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def scratch(home: str) -> Iterator[str]:
    """Give a private empty folder in *home* for as long as the block runs; the caller is alone at work there."""
    place = os.path.join(home, f"{_DRILL}{os.getpid()}")
    durable.private_folder(place)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def seal_backups(directory: str, cluster: str, cipher: Cipher) -> List[str]:
    """Encrypt every backup of the cluster that still lies there in plain; return the folders that came of it.

    Killed at any point, each backup is there in one of its forms, and a second call finishes the work. Raises
    :class:`BackupError` for the first that cannot be sealed; it stays as it is.
    """
    with held(os.path.join(directory, cluster)):
        plain = [one for one in list_backups(directory, cluster) if not backup_seal.is_sealed(one.manifest)]
        return [_seal_in_place(one, cipher) for one in plain]


def would_seal(directory: str, cluster: str, cipher: Cipher) -> List[str]:
    """Return the folders :func:`seal_backups` would return, having looked whether the program is there."""
    cipher.tools()
    found = list_backups(directory, cluster)
    return [backup_seal.sealed_path(one.path, cipher) for one in found if not backup_seal.is_sealed(one.manifest)]


def require_room(home: str, needed: int) -> None:
    """Raise :class:`BackupError` unless *needed* bytes, and some to spare, are free in *home*."""
    problem = durable.shortage(home, needed, "directory", SPARE_BYTES)
    if problem:
        raise BackupError(problem)


def free_name(path: str) -> str:
    """Return *path*, or it with a number behind, so that neither a plain nor a sealed backup has that name."""
    numbered = (f"{path}.{number}" for number in itertools.count(2))
    forms = ("", *SUFFIXES.values())
    return next(
        name for name in itertools.chain([path], numbered) if not any(os.path.lexists(name + form) for form in forms)
    )


def _seal_in_place(backup: Backup, cipher: Cipher) -> str:
    path = backup_seal.sealed_path(backup.path, cipher)
    if not _is_sealed_form(path, backup.manifest):
        backup_manifest.check_parts(backup.path, backup.manifest)
        require_room(os.path.dirname(path), sum(part.size for part in backup_manifest.parts(backup.manifest).values()))
        place = os.path.join(os.path.dirname(path), PARTIAL + os.path.basename(path))
        backup_seal.seal(backup.path, backup.manifest, place, cipher)
        os.rename(place, path)
        durable.sync_folder(os.path.dirname(path))
    durable.remove_folder(backup.path)
    return path


def _is_sealed_form(path: str, manifest: Mapping[str, Any]) -> bool:
    """Return whether a killed run got as far as sealing the backup of this *manifest* into *path*."""
    if not os.path.isdir(path):
        return False
    sealed = backup_manifest.read(path)
    backup_manifest.check_parts(path, sealed)
    return bool(sealed["parts"] == manifest["parts"])


def _clear_leftovers(home: str) -> None:
    """Remove what killed runs left; the caller holds the lock, so nobody is still writing there."""
    for name in os.listdir(home):
        if name.startswith((PARTIAL, _OPENED, _REMOVED, _DRILL)):
            shutil.rmtree(os.path.join(home, name), ignore_errors=True)
