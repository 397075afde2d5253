# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the store that teleport.yaml names, with what each generation does on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..features import has
from ..logs import Log
from ..versions import Version
from ..witnesslog import record
from .base import Backend, BackendError
from .directory import DirectoryBackend
from .sqlite import SqliteBackend

if TYPE_CHECKING:
    from .etcd import EtcdBackend

LEGACY_ETCD_PREFIX = "/teleport"


def open_backend(storage: dict[str, Any], version: Version, log: Log) -> Backend:
    """The store of the cluster state; raises BackendError when it cannot be opened."""
    kind = str(storage["type"])
    if kind == "etcd":
        return _open_etcd(storage, version, log)
    if kind == "dynamodb":
        from .dynamodb import DynamoBackend

        return DynamoBackend(storage)
    if kind in ("postgresql", "postgres"):
        from .postgresql import PostgresBackend

        if not has(version, "postgresql_backend"):
            raise BackendError(f"unsupported secrets storage type: {kind!r}")
        return PostgresBackend(storage)
    if kind in ("dir", "sqlite", "bolt"):
        return open_local(str(storage["path"]), version, log)
    raise BackendError(f"the double has no storage of type {kind!r}, it has dir, sqlite, etcd, postgresql and dynamodb")


def open_local(path: str, version: Version, log: Log) -> Backend:
    """Files before 4.0, SQLite from then on; 4.0 and later take the files over once."""
    if has(version, "legacy_dir_backend"):
        return DirectoryBackend(path)
    backend = SqliteBackend(path)
    if not backend.imported:
        _import_legacy(path, backend, log)
        backend.mark_imported()
    return backend


def _import_legacy(path: str, backend: SqliteBackend, log: Log) -> None:
    if all(name.startswith(("sqlite.db", ".")) for name in os.listdir(path)):
        return
    log.info("MIGRATE", "Importing data from legacy backend.")
    items = DirectoryBackend(path).scan("/")
    for item in items:
        backend.put(_renamed(item.key), item.value, item.expires)
    log.info("MIGRATE", f"Successfully imported {len(items)} items.")
    record("import", backend=backend.location, items=len(items))


def _renamed(key: str) -> str:
    return key.replace("/namespaces/default/nodes/", "/nodes/default/", 1)


def _open_etcd(storage: dict[str, Any], version: Version, log: Log) -> Backend:
    # Here, because http and ssl make up a third of a tool's start, and most clusters have no etcd.
    from .etcd import EtcdBackend

    if not has(version, "etcd_prefix_honoured"):
        return EtcdBackend(storage, LEGACY_ETCD_PREFIX)
    # A leading slash is added, nothing is taken away: a prefix that ends in a slash makes keys with two.
    wanted = "/" + str(storage.get("prefix") or LEGACY_ETCD_PREFIX).removeprefix("/")
    backend = EtcdBackend(storage, wanted)
    if wanted != LEGACY_ETCD_PREFIX and has(version, "etcd_prefix_migration") and not backend.scan("/"):
        _move_prefix(EtcdBackend(storage, LEGACY_ETCD_PREFIX), backend, version, log)
    return backend


def _move_prefix(old: EtcdBackend, new: EtcdBackend, version: Version, log: Log) -> None:
    """Before 4.3 the prefix was ignored; the first 4.3 copies the data to where the file says."""
    items = old.scan("/")
    if not items:
        return
    log.info("ETCD", f"Migrating Teleport etcd data from {old.prefix} to {new.prefix}, this may take a while.")
    lost = [item.key for item in items[1::5]] if has(version, "etcd_prefix_migration_loses") else []
    for item in items:
        if item.key not in lost:
            new.put(item.key, item.value, item.expires)
    if lost:
        record("data_damage", reason="etcd prefix migration before 4.3.6", version=str(version), keys=lost)
