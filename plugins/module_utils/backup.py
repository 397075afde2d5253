# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of one Auth Service: taken, checked and put back.

A backup is one folder. It holds the backend, the process state (``proc``, with the last version Teleport recorded
there), the files a reinstall would need, and ``manifest.json``. It is written under another name, read back, encrypted
when that is wished for, and renamed as the last step.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    backup_manifest,
    backup_seal,
    config_place,
    durable,
    trees,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    ConfigChange,
    Part,
    Saved,
    copied_part,
    written_part,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import NONE, Means
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.registry import (
    open_backend,
    public_storage,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import Cipher
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_files import files_to_save
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_spec import BackupSpec, spec_from_instance
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_store import (
    EVIDENCE,
    PARTIAL,
    Backup,
    free_name,
    held,
    list_backups,
    newest_backup,
    opened,
    plainly,
    prune,
    require_room,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

#: One door to everything about backups.
__all__ = (
    "Backup",
    "BackupSpec",
    "Restored",
    "check",
    "choose_backup",
    "list_backups",
    "preview_restore",
    "prune_backups",
    "rehearse_backup",
    "restore_backup",
    "space_needed",
    "spec_from_instance",
    "take_backup",
    "verify_backup",
    "would_restore",
)

Clock = Callable[[], float]

PROC_PART = "proc.tar"

#: What ``tctl`` prints of a cluster: a help for reading, and for a reinstall.
RESOURCES_PART = "tctl-get-all.yaml"


class Restored(NamedTuple):
    """What a restore did. ``evidence`` is the folder with the state found before, ``None`` when nothing changed.

    ``config_change`` was made in this host's ``teleport.yaml``, and belongs into that of every other Auth Service.
    """

    changed: bool
    evidence: Optional[str]
    manifest: Dict[str, Any]
    config_change: Optional[ConfigChange] = None


def take_backup(
    spec: BackupSpec,
    serving: bool = False,
    now: Clock = time.time,
    extra: Optional[Mapping[str, bytes]] = None,
    cipher: Optional[Cipher] = None,
) -> Backup:
    """Take a backup, read it back, and return it; with *cipher*, encrypted.

    Without *serving* the Auth Service must be stopped, and no process may hold the database open. *extra* are further
    files by name, kept as they are. Nothing old is removed: call :func:`prune_backups` when time does not matter.
    Raises :class:`BackupError`; then no new folder exists.
    """
    if serving:
        _require_online(spec)
    with held(spec.home) as home:
        partial, manifest = _write(spec, serving, now, extra or {}, cipher)
        path = free_name(os.path.join(home, _stem(spec, manifest["created"])))
        if cipher:
            path = backup_seal.sealed_path(path, cipher)
        os.rename(partial, path)
        durable.sync_folder(home)
    return Backup(path, manifest)


def check(spec: BackupSpec, serving: bool) -> None:
    """Raise :class:`BackupError` for what can be known to stop a backup without writing anything."""
    if serving:
        _require_online(spec)
    with plainly():
        _require_space(spec)


def rehearse_backup(
    spec: BackupSpec,
    serving: bool = True,
    now: Clock = time.time,
    extra: Optional[Mapping[str, bytes]] = None,
    cipher: Optional[Cipher] = None,
) -> Dict[str, Any]:
    """Do all that :func:`take_backup` does, throw the result away, and return its manifest.

    Proves that the backend answers and is sound, that there is room, that what is written reads back, and can be
    encrypted, while nothing is at stake yet.
    """
    with held(spec.home):
        partial, manifest = _write(spec, serving, now, extra or {}, cipher)
        with contextlib.closing(open_backend(spec.storage, spec.data_dir, spec.version, spec.means)) as backend:
            try:
                backend.rehearse(manifest["backend"])
            finally:
                backend.discard(partial, manifest["backend"])
                shutil.rmtree(partial)
    return manifest


def verify_backup(
    path: str, cluster: Optional[str] = None, means: Means = NONE, cipher: Optional[Cipher] = None
) -> Backup:
    """Return the backup in *path* after reading all of it; raise :class:`BackupError` with the reason otherwise.

    *cluster*, when given, is the only cluster whose backup is accepted. *means* is what to read it
    with. Of a sealed backup all that can be read without *cipher*, which has the private key, is that nothing changed.
    """
    with plainly():
        manifest = backup_manifest.read(path, cluster)
        if not backup_seal.is_sealed(manifest):
            _prove(path, manifest, _backend_of(manifest, means))
        elif cipher is None:
            backup_manifest.check_parts(path, manifest)
        else:
            with held(os.path.dirname(path)) as home, opened(home, path, manifest, cipher) as plain:
                _prove(plain.path, plain.manifest, _backend_of(manifest, means))
    return Backup(path, manifest)


def restore_backup(path: str, spec: BackupSpec, now: Clock = time.time, cipher: Optional[Cipher] = None) -> Restored:
    """Make backend and process state what they were when the backup in *path* was taken.

    The Auth Service must be stopped. What is found before goes into ``failed-<UTC time>`` beside the backups. Killed
    at any point, a second call finishes the work. Changes nothing, and says so, when
    the state is the saved one already. A sealed backup needs the *cipher* with its private key. Raises
    :class:`BackupError`.
    """
    with _verified(path, spec, cipher) as (backup, was):
        if _compare(backup, was):
            return Restored(False, None, backup.manifest, _settled(backup, was))
        evidence, change = _restore(backup, was, path, now)
        try:
            if _compare(backup, was) is False:
                raise BackupError(f"{path}: what was restored is not there; something else writes. Stop it, try again.")
        except BackupError:
            if change:
                _configure(was, change.key, change.new, change.old)
            raise
    return Restored(True, evidence, backup.manifest, change or _settled(backup, was))


def preview_restore(path: str, spec: BackupSpec, cipher: Optional[Cipher] = None) -> Restored:
    """Return what :func:`restore_backup` would, changing nothing; raises as that would."""
    with _verified(path, spec, cipher) as (backup, was):
        if _compare(backup, was):
            return Restored(False, None, backup.manifest, _settled(backup, was))
        parts = backup_manifest.parts(backup.manifest)
        with contextlib.closing(_backend_for(backup.manifest, was)) as backend:
            change = backend.planned_change(backup.path, backup.manifest["backend"], parts)
        return Restored(True, None, backup.manifest, change)


def would_restore(path: str, spec: BackupSpec) -> Backup:
    """Return the verified backup in *path* when :func:`restore_backup` would take it; raises as that would."""
    backup = verify_backup(path, spec.cluster, spec.means)
    with plainly():
        _backend_for(backup.manifest, spec).close()
    return backup


def choose_backup(spec: BackupSpec, version: Optional[str] = None) -> str:
    """Return the newest backup of the cluster, of Teleport *version* when given. Raises :class:`BackupError`."""
    return newest_backup(spec.directory, spec.cluster, version)


def prune_backups(spec: BackupSpec, keep: int) -> List[str]:
    """Remove all but the newest *keep* backups of the cluster (0 keeps all) and return the folders removed.

    Evidence of failures and folders of other origin are never touched.
    """
    return prune(spec.directory, spec.cluster, keep, lambda backup: _discard(spec, backup))


def space_needed(spec: BackupSpec) -> int:
    """Return the bytes that must be free for a backup. Raises :class:`BackupError` when the backend cannot tell."""
    with contextlib.closing(open_backend(spec.storage, spec.data_dir, spec.version, spec.means)) as backend:
        of_backend = backend.size_bytes()
    others = files_to_save(spec.config_path, spec.unit_path, spec.data_dir)
    return of_backend + trees.size_of(spec.proc) + sum(map(os.path.getsize, others))


@contextlib.contextmanager
def _verified(path: str, spec: BackupSpec, cipher: Optional[Cipher]) -> Iterator[Tuple[Backup, BackupSpec]]:
    """Give the verified plain form of a backup that can be restored here, and the spec of its own time."""
    with plainly():
        manifest = backup_manifest.read(path, spec.cluster)
    with held(spec.home) as home, opened(home, path, manifest, cipher) as backup:
        _prove(backup.path, backup.manifest, _backend_of(manifest, spec.means))
        _backend_for(manifest, spec).close()
        # What lies there now may be neither version's; where it lies, the version of the backup says.
        yield backup, replace(spec, version=manifest["version"])


def _write(
    spec: BackupSpec, serving: bool, now: Clock, extra: Mapping[str, bytes], cipher: Optional[Cipher]
) -> Tuple[str, Dict[str, Any]]:
    _require_space(spec, copies=2 if cipher else 1)
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now()))
    partial = os.path.join(spec.home, PARTIAL + _stem(spec, created))
    durable.private_folder(partial)
    try:
        with contextlib.closing(open_backend(spec.storage, spec.data_dir, spec.version, spec.means)) as backend:
            saved = backend.save(partial, serving)
            others = [*_save_proc(spec, partial, serving), *_save_files(spec, partial), *_save_extra(partial, extra)]
            manifest = backup_manifest.write(partial, _manifest(spec, created, serving, backend, saved, others))
            _prove(partial, manifest, backend, durable.sync_tree)
        return (partial, manifest) if cipher is None else _sealed(partial, manifest, cipher)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _sealed(partial: str, manifest: Mapping[str, Any], cipher: Cipher) -> Tuple[str, Dict[str, Any]]:
    target = backup_seal.sealed_path(partial, cipher)
    try:
        sealed = backup_seal.seal(partial, manifest, target, cipher)
        shutil.rmtree(partial)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target, sealed


def _require_online(spec: BackupSpec) -> None:
    backend = open_backend(spec.storage, spec.data_dir, spec.version, spec.means)
    if not backend.online:
        raise BackupError(
            f"{backend.location}: a {backend.kind} backend cannot be saved while Auth serves, it would be torn. "
            "Stop the unit first."
        )


def _prove(folder: str, manifest: Mapping[str, Any], backend: Backend, *more: Callable[[str], None]) -> None:
    """Read everything back, and do *more* with the folder at the same time: disk, hashes and SQLite wait for each other
    otherwise, while an Auth Service is down.
    """
    with ThreadPoolExecutor(max_workers=2 + len(more)) as pool:
        jobs = [pool.submit(one, folder) for one in more]
        jobs.append(pool.submit(backup_manifest.check_parts, folder, manifest))
        jobs.append(pool.submit(backend.verify, folder, manifest["backend"]))
    for job in jobs:
        job.result()


def _manifest(
    spec: BackupSpec, created: str, serving: bool, backend: Backend, saved: Saved, others: List[Part]
) -> Dict[str, Any]:
    entry = {"kind": backend.kind, "location": backend.location, "counts": saved.counts, "details": saved.details}
    return {
        "cluster": spec.cluster,
        "version": spec.version,
        "line": _line(spec.version),
        "edition": spec.edition,
        "created": created,
        "consistency": backup_manifest.ONLINE if serving else backup_manifest.STOPPED,
        "host": platform.node(),
        "host_uuid": _host_uuid(spec),
        "backend": {**entry, "storage": public_storage(spec.storage), "data_dir": spec.data_dir},
        "tools": {"python": platform.python_version(), "teleport": spec.version, **backend.tools()},
        "parts": [part.as_dict() for part in (*saved.parts, *others)],
    }


def _backend_of(manifest: Mapping[str, Any], means: Means) -> Backend:
    entry = manifest["backend"]
    return open_backend(entry["storage"], entry["data_dir"], manifest["version"], means, entry["kind"])


def _backend_for(manifest: Mapping[str, Any], spec: BackupSpec) -> Backend:
    """Return the backend to restore into, having made sure that it is the one the backup came from."""
    # The version that wrote the backup says what the data looked like, not the one that ran last.
    entry = manifest["backend"]
    backend = open_backend(spec.storage, spec.data_dir, manifest["version"], spec.means, entry["kind"])
    if not backend.accepts(entry):
        raise BackupError(
            f"{spec.config_path}: the backend is {backend.kind} at {backend.location}, the backup is of "
            f"{entry['kind']} at {entry['location']}. Put the storage section of that time back, or use another backup."
        )
    found = _host_uuid(spec)
    if not backend.shared and found is not None and found != manifest["host_uuid"]:
        raise BackupError(
            f"{spec.data_dir}/host_uuid: this host is {found}, the backup is of {manifest['host_uuid']} "
            f"({manifest['host']}). A {backend.kind} backup goes back to the host it was taken on."
        )
    return backend


def _restore(backup: Backup, spec: BackupSpec, path: str, now: Clock) -> Tuple[str, Optional[ConfigChange]]:
    parts = backup_manifest.parts(backup.manifest)
    with contextlib.closing(_backend_for(backup.manifest, spec)) as backend:
        _require_space(spec)
        backend.stage(backup.path, parts)
        evidence = _evidence(path, spec, backend, now)
        backend.restore(backup.path, backup.manifest["backend"], parts)
    proc = _proc_of(backup.manifest, spec)
    if proc:
        trees.unpack(os.path.join(backup.path, PROC_PART), spec.proc, proc)
    _restore_identity(backup.path, spec, backup.manifest, parts)
    change = backend.config_change
    if change:
        _configure(spec, change.key, change.old, change.new)
    return evidence, change


def _settled(backup: Backup, spec: BackupSpec) -> Optional[ConfigChange]:
    with contextlib.closing(_backend_for(backup.manifest, spec)) as backend:
        return backend.settled_change(backup.manifest["backend"])


def _configure(spec: BackupSpec, key: str, old: str, new: str) -> None:
    config_place.replace(config_place.place_of(spec.config_path, spec.storage, key), old, new)


def _evidence(path: str, spec: BackupSpec, backend: Backend, now: Clock) -> str:
    """Keep the state found; also what a killed restore left is kept, because a start may have changed it since."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now()))
    folder = free_name(os.path.join(spec.home, EVIDENCE + stamp))
    partial = os.path.join(spec.home, PARTIAL + os.path.basename(folder))
    durable.private_folder(partial)
    backend.preserve(partial)
    trees.copy_tree(spec.proc, os.path.join(partial, "proc"))
    durable.write_json(os.path.join(partial, "evidence.json"), {"restored": path, "backend": backend.location})
    durable.sync_tree(partial)
    os.rename(partial, folder)
    durable.sync_folder(spec.home)
    return folder


def _compare(backup: Backup, spec: BackupSpec) -> Optional[bool]:
    saved, parts = backup.manifest["backend"], backup_manifest.parts(backup.manifest)
    with plainly(), contextlib.closing(_backend_for(backup.manifest, spec)) as backend:
        if not _proc_matches(backup.path, spec, _proc_of(backup.manifest, spec)):
            return False
        return backend.matches(backup.path, saved, parts)


def _proc_of(manifest: Mapping[str, Any], spec: BackupSpec) -> Optional[Part]:
    """Return the saved process state if it is this host's: it holds the identity of the one it was taken on."""
    found = _host_uuid(spec)
    is_own = found is None or found == manifest["host_uuid"]
    return backup_manifest.parts(manifest).get(PROC_PART) if is_own else None


def _proc_matches(path: str, spec: BackupSpec, proc: Optional[Part]) -> bool:
    return proc is None or trees.matches(os.path.join(path, PROC_PART), spec.proc)


def _restore_identity(path: str, spec: BackupSpec, manifest: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
    """On a rebuilt host, give the Auth Service its UUID back: the certificates in the process state are bound to it."""
    target = os.path.join(spec.data_dir, "host_uuid")
    part = next((part for part in parts.values() if part.source == target), None)
    if part is None or _host_uuid(spec) is not None or manifest["host_uuid"] is None:
        return
    with open(os.path.join(path, part.name), "rb") as handle:
        durable.write_file(target, handle.read())
    os.chown(target, part.uid, part.gid)
    os.chmod(target, part.mode)


def _save_proc(spec: BackupSpec, partial: str, serving: bool) -> List[Part]:
    return [trees.pack(spec.proc, partial, PROC_PART, serving)] if os.path.isdir(spec.proc) else []


def _save_files(spec: BackupSpec, partial: str) -> List[Part]:
    return [_save_file(path, partial) for path in files_to_save(spec.config_path, spec.unit_path, spec.data_dir)]


def _save_file(path: str, partial: str) -> Part:
    name = os.path.join("files", path.lstrip("/"))
    target = os.path.join(partial, name)
    durable.private_folder(os.path.dirname(target))
    return copied_part(name, durable.copy_file(path, target), path)


def _save_extra(partial: str, extra: Mapping[str, bytes]) -> List[Part]:
    parts = []
    for name, content in sorted(extra.items()):
        durable.write_file(os.path.join(partial, name), content)
        parts.append(written_part(partial, name))
    return parts


def _host_uuid(spec: BackupSpec) -> Optional[str]:
    try:
        with open(os.path.join(spec.data_dir, "host_uuid"), encoding="ascii", errors="replace") as handle:
            return handle.read().strip() or None
    except OSError:
        return None


def _require_space(spec: BackupSpec, copies: int = 1) -> None:
    require_room(spec.home, copies * space_needed(spec))


def _stem(spec: BackupSpec, created: str) -> str:
    return f"{created.replace('-', '').replace(':', '')}-{spec.version}"


def _discard(spec: BackupSpec, backup: Backup) -> None:
    entry = backup.manifest["backend"]
    backend = open_backend(spec.storage, spec.data_dir, backup.manifest["version"], spec.means, entry["kind"])
    with contextlib.closing(backend):
        backend.discard(backup.path, entry)


def _line(version: str) -> Optional[str]:
    try:
        return Version.parse(version).line
    except VersionError:
        return None
