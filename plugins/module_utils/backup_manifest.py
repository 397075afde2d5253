# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a backup: what a folder must hold to be one, and why another folder is not."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, Part

NAME = "manifest.json"
KIND = "lockstep.teleport backup"
#: Bytes; a manifest has some 300 for each part.
_LARGEST = 16 << 20
FORMAT = 1

STOPPED = "stopped"
ONLINE = "online"


def write(folder: str, manifest: Mapping[str, Any]) -> Dict[str, Any]:
    """Seal *manifest* with its own digest, write it into *folder* and return it as written."""
    sealed = {**manifest, "kind": KIND, "format": FORMAT}
    sealed["digest"] = _digest(sealed)
    durable.write_json(os.path.join(folder, NAME), sealed)
    return sealed


def read(folder: str, cluster: Optional[str] = None) -> Dict[str, Any]:
    """Return the manifest of *folder*. Raises :class:`BackupError` with the reason when it is no backup of ours.

    *cluster*, when given, is the only cluster whose backup is accepted.
    """
    path = os.path.join(folder, NAME)
    manifest = _load(folder, path)
    check(path, manifest)
    if cluster is not None and manifest["cluster"] != cluster:
        raise BackupError(f"{folder}: is a backup of cluster {manifest['cluster']!r}, not of {cluster!r}.")
    return manifest


def check(path: str, manifest: Mapping[str, Any]) -> None:
    """Raise :class:`BackupError` unless *manifest*, which came from *path*, is one of ours and unchanged."""
    if manifest.get("kind") != KIND:
        raise BackupError(f"{path}: not a manifest of this collection (kind is {manifest.get('kind')!r}).")
    _check_format(path, manifest.get("format"))
    if manifest.get("digest") != _digest(manifest):
        raise BackupError(f"{path}: was changed after the backup was taken. Use another backup.")
    _check_shape(path, manifest)
    _check_names(path, manifest)


def parts(manifest: Mapping[str, Any]) -> Dict[str, Part]:
    """Return the parts a manifest lists, by name."""
    return {entry["name"]: Part(**entry) for entry in manifest["parts"]}


def stored_parts(manifest: Mapping[str, Any]) -> Dict[str, Part]:
    """Return what lies in the folder, by name: the parts, or their encrypted forms, which have the part as source."""
    sealed = manifest.get("sealed")
    return {entry["name"]: Part(**entry) for entry in sealed["parts"]} if sealed else parts(manifest)


def check_parts(folder: str, manifest: Mapping[str, Any]) -> None:
    """Read every file back and raise :class:`BackupError` for the first that is not what was saved."""
    listed = stored_parts(manifest)
    extra = sorted(set(_files(folder)) - set(listed) - {NAME})
    if extra:
        raise BackupError(f"{folder}: holds {extra[0]!r}, which the manifest does not list. Use another backup.")
    for part in listed.values():
        _check_part(os.path.join(folder, part.name), part)


def _check_shape(path: str, manifest: Mapping[str, Any]) -> None:
    """A digest is no signature: what has come from elsewhere may be anything."""
    lists = [manifest.get("parts"), (manifest.get("sealed") or {"parts": []}).get("parts")]
    try:
        whole = all(Part(**entry).size >= 0 for entries in lists for entry in entries or ())
    except TypeError:
        whole = False
    missing = [key for key in ("cluster", "version", "created", "backend", "parts") if not manifest.get(key)]
    if missing or not whole:
        raise BackupError(f"{path}: lacks {', '.join(missing) or 'what a part needs'}. Use another backup.")


def _check_names(path: str, manifest: Mapping[str, Any]) -> None:
    """A part lies in the folder of its backup, whatever a manifest says that came from elsewhere."""
    sealed = (manifest.get("sealed") or {}).get("parts") or []
    names = [str(entry["name"]) for entry in (*manifest["parts"], *sealed)] + [str(entry["source"]) for entry in sealed]
    bad = [name for name in names if os.path.isabs(name) or ".." in name.split("/") or not name]
    if bad:
        raise BackupError(f"{path}: lists the part {bad[0]!r}, which lies outside the backup. Use another backup.")


def _check_part(path: str, part: Part) -> None:
    if not os.path.isfile(path):
        raise BackupError(f"{path}: missing. The backup is not whole; use another one.")
    size = os.path.getsize(path)
    if size != part.size:
        raise BackupError(f"{path}: {size} bytes, {part.size} were saved. The backup is damaged; use another one.")
    if durable.hash_file(path).sha256 != part.sha256:
        raise BackupError(f"{path}: its SHA-256 is not the one saved. The backup is damaged; use another one.")


def _load(folder: str, path: str) -> Dict[str, Any]:
    if not os.path.isfile(path):
        raise BackupError(f"{folder}: no backup, there is no {NAME} in it. Name a folder that backend_backup wrote.")
    try:
        manifest = foreign_file.parse_json(foreign_file.read(path, _LARGEST))
        json.dumps(manifest)
    except RecursionError as error:
        raise BackupError(f"{path}: is nested too deeply for a manifest. Use another backup.") from error
    except ValueError as error:
        raise BackupError(f"{path}: not readable as JSON ({error}). Use another backup.") from error
    if not isinstance(manifest, dict):
        raise BackupError(f"{path}: not a manifest of this collection. Use another backup.")
    return manifest


def _check_format(path: str, found: Any) -> None:
    if found == FORMAT:
        return
    if isinstance(found, int) and found > FORMAT:
        raise BackupError(f"{path}: format {found} was written by a newer release of this collection; use that one.")
    raise BackupError(f"{path}: format {found!r} is not supported, only {FORMAT}. Take a new backup.")


def _digest(manifest: Mapping[str, Any]) -> str:
    bare = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()


def _files(folder: str) -> List[str]:
    return [
        os.path.relpath(os.path.join(where, name), folder)
        for where, _folders, names in os.walk(folder)
        for name in names
    ]
