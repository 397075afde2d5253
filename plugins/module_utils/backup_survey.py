# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backups of a cluster lie on a host, and what speaks against putting a certain one back. Changes nothing."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, backup_manifest, backup_seal
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backup import Backup, BackupSpec
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import Cipher
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

#: What can speak against a backup.
UNUSABLE = "unusable"
FOREIGN = "foreign"
ELSEWHERE = "elsewhere"

_SHOWN = ("cluster", "version", "edition", "created", "consistency", "host", "digest")


class Wanted(NamedTuple):
    """Which backup is meant. The first of these that is given decides; with none of them, no backup is looked at.

    :param path: its folder.
    :param name: the name of its folder.
    :param version: the version of Teleport it is of; the newest such backup is meant.
    :param before: a version of Teleport; the newest backup of an older release line is meant.
    """

    path: Optional[str] = None
    name: Optional[str] = None
    version: Optional[str] = None
    before: Optional[str] = None


def survey(spec: BackupSpec, wanted: Wanted, serving: bool, cipher: Optional[Cipher] = None) -> Dict[str, Any]:
    """Return ``backups``, all of the cluster's on this host, newest first, and ``chosen``, the one that is wanted.

    ``chosen`` is None when there is none such; else it has ``problems``, each with ``code`` and ``message``, and
    ``restored``: whether backend and process state are as saved already, None while an Auth Service may change them
    (*serving*) or when there are problems. An encrypted backup is read with *cipher*; its name is that without suffix.
    """
    backups = backup.list_backups(spec.directory, spec.cluster)
    path = choose(backups, wanted)
    chosen = None if path is None else _look(path, spec, serving, cipher)
    return {"backups": [_entry(one) for one in backups], "chosen": chosen}


def choose(backups: List[Backup], wanted: Wanted) -> Optional[str]:
    """Return the path of the backup that is wanted among *backups* (newest first); None when it is not there."""
    if wanted.path:
        return os.path.normpath(wanted.path) if os.path.isdir(wanted.path) else None
    for one in backups:
        if wanted.name or wanted.version:
            fits = one.manifest["version"] == wanted.version if not wanted.name else _name(one.path) == wanted.name
        else:
            fits = wanted.before is not None and _is_of_older_line(one.manifest["version"], wanted.before)
        if fits:
            return one.path
    return None


def _is_of_older_line(version: str, than: str) -> bool:
    try:
        own, other = Version.parse(version), Version.parse(than)
    except VersionError:
        return False
    return own < other and own.line != other.line


def _look(path: str, spec: BackupSpec, serving: bool, cipher: Optional[Cipher]) -> Dict[str, Any]:
    found: Dict[str, Any] = {"name": _name(path), "path": path, "problems": [], "restored": None}
    try:
        manifest = backup_manifest.read(path)
    except BackupError as problem:
        return {**found, "problems": [_problem(UNUSABLE, problem)]}
    found.update(_facts(manifest))
    if backup_seal.is_sealed(manifest) and cipher is None:
        reason = BackupError(
            f"{path}: is encrypted. Name the private key with encryption.identity_file, or its keyring."
        )
        return {**found, "problems": [_problem(UNUSABLE, reason)]}
    if manifest["cluster"] != spec.cluster:
        reason = BackupError(f"{path}: is a backup of cluster {manifest['cluster']!r}, not of {spec.cluster!r}.")
        return {**found, "problems": [_problem(FOREIGN, reason), *_unsound(path, spec, cipher)]}
    try:
        return {**found, "restored": _judge(path, spec, serving, cipher)}
    except BackupError as problem:
        return {**found, "problems": _unsound(path, spec, cipher) or [_problem(ELSEWHERE, problem)]}


def _judge(path: str, spec: BackupSpec, serving: bool, cipher: Optional[Cipher]) -> Optional[bool]:
    """Return whether the state is the saved one already; raises when the backup cannot be put back here."""
    if not serving:
        return not backup.preview_restore(path, spec, cipher).changed
    backup.would_restore(path, spec)
    if cipher is not None:
        backup.verify_backup(path, spec.cluster, spec.means, cipher)
    return None


def _unsound(path: str, spec: BackupSpec, cipher: Optional[Cipher]) -> List[Dict[str, str]]:
    try:
        backup.verify_backup(path, None, spec.means, cipher)
    except BackupError as problem:
        return [_problem(UNUSABLE, problem)]
    return []


def _problem(code: str, error: BackupError) -> Dict[str, str]:
    return {"code": code, "message": str(error)}


def _entry(one: Backup) -> Dict[str, Any]:
    return {"name": _name(one.path), "path": one.path, **_facts(one.manifest)}


def _facts(manifest: Mapping[str, Any]) -> Dict[str, Any]:
    backend = manifest.get("backend") or {}
    return {**{key: manifest.get(key) for key in _SHOWN}, "kind": backend.get("kind"), "at": backend.get("location")}


def _name(path: str) -> str:
    return os.path.basename(backup_seal.plain_path(os.path.normpath(path)))
