# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of one Auth Service: taken, checked, put back and thinned out.

A backup is one folder ``<directory>/<cluster>/<UTC time>-<version>``. It holds the backend, the process state
(``proc``, with the last version Teleport recorded there), the files a reinstall would need, and ``manifest.json``.
A folder of that name is complete: it is written under another name, read back, and renamed as the last step.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_manifest, durable, trees
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import Backend, BackupError, Part, Saved
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import NO_CHOICE, NONE, Choice, Means
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.registry import (
    open_backend,
    public_storage,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_files import files_to_save
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

Clock = Callable[[], float]

PROC_PART = "proc.tar"

_LOCK = ".lock"
_PARTIAL = ".partial-"
_EVIDENCE = "failed-"

#: Kept free beyond what the backup itself needs, so that logs and the journal of a running host still have room.
_SPARE_BYTES = 32 << 20
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class BackupSpec:
    """Whose backup is meant, and where it lies.

    ``directory`` is the root of all backups on this host, ``cluster`` a name that can be a folder's. ``version`` and
    ``edition`` are those of the Teleport that wrote the data. ``storage`` is ``teleport.storage`` as
    :func:`~.backends.registry.open_backend` takes it. Backends that are saved by programs need ``host``; ``choice`` is
    how the user wants the backend saved, ``program`` Teleport's own.
    """

    directory: str
    cluster: str
    version: str
    edition: str
    storage: Mapping[str, Any]
    data_dir: str
    config_path: str
    unit_path: Optional[str] = None
    host: Optional[Host] = None
    choice: Choice = NO_CHOICE
    program: str = "teleport"

    @property
    def means(self) -> Means:
        """What the backend may use of this host."""
        return Means(self.host, self.config_path, self.program, self.cluster, self.version, self.choice)

    @property
    def home(self) -> str:
        """The folder that holds all backups of the cluster."""
        return os.path.join(self.directory, self.cluster)

    @property
    def proc(self) -> str:
        """The folder in which an Auth Service keeps its own identity and the last version it ran."""
        return os.path.join(self.data_dir, "proc")


class Backup(NamedTuple):
    """A backup that was just verified: its folder and its manifest (JSON-safe, no secret)."""

    path: str
    manifest: Dict[str, Any]


class Restored(NamedTuple):
    """What a restore did. ``evidence`` is the folder with the state found before, ``None`` when nothing changed."""

    changed: bool
    evidence: Optional[str]
    manifest: Dict[str, Any]


def spec_from_instance(
    instance: Mapping[str, Any],
    directory: str,
    cluster: Optional[str] = None,
    version: Optional[str] = None,
    host: Optional[Host] = None,
    choice: Choice = NO_CHOICE,
) -> BackupSpec:
    """Build the spec from what ``instance_info`` returned. Raises :class:`BackupError` when something is missing.

    *version* is what wrote the data as far as is known now; an observation from before an upgrade names an older one.
    *host* runs the programs that some backends are saved by; *choice* is how the user wants the backend saved.
    """
    config = instance["config"]
    name = cluster or instance.get("cluster") or config.get("cluster_name") or "main"
    if not _FILE_NAME.fullmatch(str(name)):
        raise BackupError(f"cluster {name!r} cannot name a folder; allowed are letters, digits, '.', '_' and '-'.")
    if not os.path.isabs(directory):
        raise BackupError(f"backup directory {directory!r} is not an absolute path.")
    return BackupSpec(
        directory=directory,
        cluster=str(name),
        version=str(version or instance.get("running_version") or instance.get("version") or "unknown"),
        edition=str(instance.get("edition") or "community"),
        storage=config.get("storage") or {},
        data_dir=str(config.get("data_dir") or "/var/lib/teleport"),
        config_path=str(config["path"]),
        unit_path=(instance.get("unit") or {}).get("fragment_path"),
        host=host,
        choice=choice,
        program=os.path.join(str(instance.get("bin_dir") or ""), "teleport"),
    )


def take_backup(
    spec: BackupSpec, serving: bool = False, now: Clock = time.time, extra: Optional[Mapping[str, bytes]] = None
) -> Backup:
    """Take a backup, read it back, and return it.

    Without *serving* the Auth Service must be stopped, and no process may hold the database open. *extra* are further
    files by name, kept as they are. Nothing old is removed: call :func:`prune_backups` when time does not matter.
    Raises :class:`BackupError`; then no new folder exists.
    """
    if serving:
        _require_online(spec)
    with _held(spec) as home:
        partial, manifest = _write(spec, serving, now, extra or {})
        path = _free_name(os.path.join(home, _stem(spec, manifest["created"])))
        os.rename(partial, path)
        durable.sync_folder(home)
    return Backup(path, manifest)


def check(spec: BackupSpec, serving: bool) -> None:
    """Raise :class:`BackupError` for what can be known to stop a backup without writing anything."""
    if serving:
        _require_online(spec)
    with _plainly():
        _require_space(spec)


def rehearse_backup(spec: BackupSpec, serving: bool = True, now: Clock = time.time) -> Dict[str, Any]:
    """Do all that :func:`take_backup` does, throw the result away, and return its manifest.

    Proves that the backend answers and is sound, that there is room and that what is written reads back, while
    nothing is at stake yet.
    """
    with _held(spec):
        partial, manifest = _write(spec, serving, now, {})
        shutil.rmtree(partial)
    return manifest


def verify_backup(path: str, cluster: Optional[str] = None, means: Means = NONE) -> Backup:
    """Return the backup in *path* after reading all of it; raise :class:`BackupError` with the reason otherwise.

    *cluster*, when given, is the only cluster whose backup is accepted. *means* is what to read it
    with.
    """
    with _plainly():
        manifest = backup_manifest.read(path, cluster)
        _prove(path, manifest, _backend_of(manifest, means))
    return Backup(path, manifest)


def restore_backup(path: str, spec: BackupSpec, now: Clock = time.time) -> Restored:
    """Make backend and process state what they were when the backup in *path* was taken.

    The Auth Service must be stopped. What is found before goes into ``failed-<UTC time>`` beside the backups. Killed
    at any point, a second call finishes the work. Changes nothing, and says so, when
    the state is the saved one already. Raises :class:`BackupError`.
    """
    backup = would_restore(path, spec)
    # What lies there now may be neither version's; where it lies, the version of the backup says.
    spec = replace(spec, version=backup.manifest["version"])
    with _held(spec):
        if _compare(backup, spec):
            return Restored(False, None, backup.manifest)
        evidence = _restore(backup, spec, now)
        if _compare(backup, spec) is False:
            raise BackupError(f"{path}: what was restored is not there; something else writes. Stop it and try again.")
    return Restored(True, evidence, backup.manifest)


def would_restore(path: str, spec: BackupSpec) -> Backup:
    """Return the verified backup in *path* when :func:`restore_backup` would take it; raises as that would."""
    backup = verify_backup(path, spec.cluster, spec.means)
    with _plainly():
        _backend_for(backup.manifest, spec).close()
    return backup


def is_restored(backup: Backup, spec: BackupSpec) -> bool:
    """Return whether backend and process state are known to be exactly those of *backup*."""
    return bool(_compare(backup, spec))


def choose_backup(spec: BackupSpec, version: Optional[str] = None) -> str:
    """Return the newest backup of the cluster, of Teleport *version* when given. Raises :class:`BackupError`."""
    backups = list_backups(spec.directory, spec.cluster)
    for backup in backups:
        if version in (None, backup.manifest["version"]):
            return backup.path
    there = ", ".join(sorted({backup.manifest["version"] for backup in backups})) or "none at all"
    wanted = f" of version {version}" if version else ""
    raise BackupError(
        f"{spec.home}: holds no backup{wanted}; there are those of {there}. Name another path or version."
    )


def list_backups(directory: str, cluster: str) -> List[Backup]:
    """Return all complete backups of *cluster*, newest first, judged by their manifests alone."""
    home = os.path.join(directory, cluster)
    found = []
    for name in sorted(os.listdir(home) if os.path.isdir(home) else [], reverse=True):
        path = os.path.join(home, name)
        if not name.startswith((".", _EVIDENCE)):
            with contextlib.suppress(BackupError):
                found.append(Backup(path, backup_manifest.read(path, cluster)))
    return found


def prune_backups(spec: BackupSpec, keep: int) -> List[str]:
    """Remove all but the newest *keep* backups of the cluster (0 keeps all) and return the folders removed.

    Evidence of failures and folders of other origin are never touched.
    """
    surplus = list_backups(spec.directory, spec.cluster)[keep:] if keep > 0 else []
    with _plainly():
        for backup in surplus:
            durable.remove_folder(backup.path)
    return [backup.path for backup in surplus]


def space_needed(spec: BackupSpec) -> int:
    """Return the bytes that must be free for a backup. Raises :class:`BackupError` when the backend cannot tell."""
    with contextlib.closing(open_backend(spec.storage, spec.data_dir, spec.version, spec.means)) as backend:
        of_backend = backend.size_bytes()
    others = files_to_save(spec.config_path, spec.unit_path, spec.data_dir)
    return of_backend + trees.size_of(spec.proc) + sum(map(os.path.getsize, others)) + _SPARE_BYTES


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or "backup"
        raise BackupError(
            f"{where}: {error.strerror or error}. Check the path, its permissions and free space."
        ) from error


@contextlib.contextmanager
def _held(spec: BackupSpec) -> Iterator[str]:
    with _plainly():
        durable.private_folder(spec.home)
        try:
            with durable.exclusive(os.path.join(spec.home, _LOCK)):
                yield spec.home
        except BlockingIOError as error:
            raise BackupError(f"{spec.home}: another backup or restore is at work. Wait until it ends.") from error


def _write(spec: BackupSpec, serving: bool, now: Clock, extra: Mapping[str, bytes]) -> Tuple[str, Dict[str, Any]]:
    _clear_leftovers(spec.home)
    _require_space(spec)
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now()))
    partial = os.path.join(spec.home, _PARTIAL + _stem(spec, created))
    durable.private_folder(partial)
    try:
        with contextlib.closing(open_backend(spec.storage, spec.data_dir, spec.version, spec.means)) as backend:
            saved = backend.save(partial, serving)
            others = [*_save_proc(spec, partial, serving), *_save_files(spec, partial), *_save_extra(partial, extra)]
            manifest = backup_manifest.write(partial, _manifest(spec, created, serving, backend, saved, others))
            _prove(partial, manifest, backend, durable.sync_tree)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return partial, manifest


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
        "edition": spec.edition,
        "created": created,
        "consistency": backup_manifest.ONLINE if serving else backup_manifest.STOPPED,
        "host": platform.node(),
        "host_uuid": _host_uuid(spec),
        "backend": {**entry, "storage": public_storage(spec.storage), "data_dir": spec.data_dir},
        "tools": {"python": platform.python_version()},
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
    if (backend.kind, backend.location) != (entry["kind"], entry["location"]):
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


def _restore(backup: Backup, spec: BackupSpec, now: Clock) -> str:
    parts = backup_manifest.parts(backup.manifest)
    with contextlib.closing(_backend_for(backup.manifest, spec)) as backend:
        evidence = _evidence(backup.path, spec, backend, now)
        backend.restore(backup.path, backup.manifest["backend"], parts)
    if PROC_PART in parts:
        trees.unpack(os.path.join(backup.path, PROC_PART), spec.proc, parts[PROC_PART])
    _restore_identity(backup.path, spec, backup.manifest, parts)
    return evidence


def _evidence(path: str, spec: BackupSpec, backend: Backend, now: Clock) -> str:
    """Keep the state found; also what a killed restore left is kept, because a start may have changed it since."""
    _require_space(spec)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now()))
    folder = _free_name(os.path.join(spec.home, _EVIDENCE + stamp))
    partial = os.path.join(spec.home, _PARTIAL + os.path.basename(folder))
    _clear_leftovers(spec.home)
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
    with _plainly(), contextlib.closing(_backend_for(backup.manifest, spec)) as backend:
        if not _proc_matches(backup.path, spec, parts.get(PROC_PART)):
            return False
        return backend.matches(backup.path, saved, parts)


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
    copied = durable.copy_file(path, target)
    found = os.stat(path)
    return Part(name, copied.size, copied.sha256, path, found.st_mode & 0o777, found.st_uid, found.st_gid)


def _save_extra(partial: str, extra: Mapping[str, bytes]) -> List[Part]:
    parts = []
    for name, content in sorted(extra.items()):
        target = os.path.join(partial, name)
        durable.write_file(target, content)
        copied = durable.hash_file(target)
        parts.append(Part(name, copied.size, copied.sha256, "", durable.PRIVATE_FILE, os.getuid(), os.getgid()))
    return parts


def _host_uuid(spec: BackupSpec) -> Optional[str]:
    try:
        with open(os.path.join(spec.data_dir, "host_uuid"), encoding="ascii", errors="replace") as handle:
            return handle.read().strip() or None
    except OSError:
        return None


def _require_space(spec: BackupSpec) -> None:
    needed, free = space_needed(spec), durable.free_bytes(spec.home)
    if free < needed:
        raise BackupError(
            f"{spec.directory}: {free >> 20} MiB are free, a backup needs {needed >> 20} MiB. "
            "Make room there or name another directory."
        )


def _clear_leftovers(home: str) -> None:
    """Remove what killed runs left; the caller holds the lock, so nobody is still writing there."""
    for name in os.listdir(home):
        if name.startswith((_PARTIAL, ".removed-")):
            shutil.rmtree(os.path.join(home, name), ignore_errors=True)


def _stem(spec: BackupSpec, created: str) -> str:
    return f"{created.replace('-', '').replace(':', '')}-{spec.version}"


def _free_name(path: str) -> str:
    numbered = (f"{path}.{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([path], numbered) if not os.path.lexists(name))
