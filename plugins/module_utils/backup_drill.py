# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore drills: a backup is put into a scratch folder and opened there, far from the cluster it came from."""

from __future__ import annotations

import calendar
import contextlib
import os
import time
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_manifest, backup_seal, durable, trees
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import Drilled, Part
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import Means
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.registry import open_backend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.sqlite import check_database
from ansible_collections.lockstep.teleport.plugins.module_utils.backup import PROC_PART
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import Cipher
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_store import (
    Backup,
    held,
    opened,
    plainly,
    require_room,
    scratch,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

#: A restored etcd or PostgreSQL has logs and indexes besides its data.
_ROOM_FACTOR = 3

NOT_STARTED = "Teleport was not started on it: with the cluster's own keys and trust it would dial other clusters."


class Outcome(NamedTuple):
    """What a drill proved, sentence by sentence, of which backup, and how long the restore took in seconds."""

    manifest: Dict[str, Any]
    restored: bool
    proven: List[str]
    counts: Dict[str, int]
    seconds: float


def drill(
    path: str, cluster: str, home: str, host: Host, cipher: Optional[Cipher] = None, scratch_table: bool = False
) -> Outcome:
    """Restore the backup of *cluster* in *path* into a new folder below *home*, open it, and remove that folder.

    Nothing of the cluster is written, stopped or started. *scratch_table* allows to have a table of DynamoDB made, and
    deleted. Raises :class:`BackupError` with the reason when the backup
    could not be restored from.
    """
    began = host.clock()
    with plainly():
        manifest = backup_manifest.read(path, cluster)
    with held(home), opened(home, path, manifest, cipher) as plain, scratch(home) as place:
        backup_manifest.check_parts(plain.path, plain.manifest)
        parts = backup_manifest.parts(plain.manifest)
        require_room(home, _ROOM_FACTOR * sum(part.size for part in parts.values()))
        drilled = _restore(plain, parts, place, host, scratch_table)
        others = _open_others(plain, parts, place)
    sealed = [f"It was decrypted with {manifest['sealed']['method']}."] if backup_seal.is_sealed(manifest) else []
    proven = [f"All {len(parts)} parts have the size and SHA-256 they were saved with.", drilled.proven, *others]
    return Outcome(
        manifest, drilled.restored, [*sealed, *proven, NOT_STARTED], drilled.counts, round(host.clock() - began, 3)
    )


def age_seconds(manifest: Mapping[str, Any], now: float) -> float:
    """Return how long before *now* (epoch seconds) a backup was taken: what restoring it would lose."""
    taken = time.strptime(manifest["created"], "%Y-%m-%dT%H:%M:%SZ")
    return now - calendar.timegm(taken)


def _restore(plain: Backup, parts: Mapping[str, Part], place: str, host: Host, scratch_table: bool) -> Drilled:
    manifest, entry = plain.manifest, plain.manifest["backend"]
    means = Means(host, cluster=manifest["cluster"], version=manifest["version"], scratch_table=scratch_table)
    folder = os.path.join(place, "backend")
    durable.private_folder(folder)
    backend = open_backend(entry["storage"], entry["data_dir"], plain.manifest["version"], means, entry["kind"])
    with contextlib.closing(backend):
        return backend.drill(plain.path, entry, parts, folder, host)


def _open_others(plain: Backup, parts: Mapping[str, Part], place: str) -> List[str]:
    said = []
    if PROC_PART in parts:
        folder = os.path.join(place, "proc")
        found = trees.extract(os.path.join(plain.path, PROC_PART), folder)
        databases = [os.path.join(folder, name) for name in trees.files_below(folder) if name.endswith(".db")]
        for database in databases:
            check_database(database)
        said.append(f"The process state was unpacked: {found} files, of which {len(databases)} databases are sound.")
    return said
