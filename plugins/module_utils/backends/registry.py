# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From ``teleport.storage`` to the backend that saves it."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    UnsupportedBackend,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.bolt import TYPES as BOLT_TYPES
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.bolt import BoltBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.command import KIND as COMMAND
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.command import CommandBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.directory import DirectoryBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb import DynamoBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd import EtcdBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import NONE, Means
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql import (
    TYPES as POSTGRESQL_TYPES,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql import (
    PostgresqlBackend,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.sqlite import SqliteBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

#: Types that mean files under the data directory. Which files depends on the version: before 4.0 ``dir`` and its
#: default were a folder of files, from 4.0 on both mean SQLite (Teleport CHANGELOG 4.0).
FILE_TYPES = ("", "dir", "sqlite")
ETCD_TYPES = ("etcd",)

SUPPORTED = ("sqlite", "dir", "bolt", "etcd", "postgresql", "dynamodb")

_PUBLIC_KEYS = (
    "type", "path", "peers", "prefix", "tls_ca_file", "tls_cert_file", "tls_key_file", "insecure", "username",
    "password_file", "table_name", "region", "conn_string", "auth_mode", "audit_events_uri", "audit_sessions_uri",
)  # fmt: skip

_SQLITE_SINCE = Version.parse("4.0.0-0")

#: How each store is saved by its own means, for those that cannot be saved from an Auth host.
_BY_ITS_OWN_MEANS = {
    "firestore": "export the collection {where} with a managed export",
    "cockroachdb": "take a BACKUP of the database in CockroachDB",
}


def open_backend(
    storage: Mapping[str, Any],
    data_dir: str,
    version: Optional[str] = None,
    means: Means = NONE,
    saved_as: Optional[str] = None,
) -> Backend:
    """Return the backend that *storage*, the ``storage`` part of ``teleport.yaml``, describes.

    *storage* uses Teleport's own key names (``type``, ``path``, ``peers``, ``prefix``, ``tls_ca_file``,
    ``tls_cert_file``, ``tls_key_file``, ``insecure``, ``username``, ``password_file``). *version* is the Teleport
    that wrote the data; it decides between the two kinds of file backend and where etcd data lie. Nothing is
    contacted or read here except the names in the data directory. *saved_as* is the ``kind`` of an existing backup,
    which decides how it is read; without it the user's choice in *means* does. Raises :class:`UnsupportedBackend` for
    every other store and :class:`BackupError` for a section that cannot work.
    """
    if saved_as == COMMAND or (saved_as is None and means.choice.backup is not None):
        return CommandBackend(storage, means)
    kind = str(storage.get("type") or "").lower()
    parsed = _parsed(version)
    if kind in FILE_TYPES:
        return _file_backend(kind, storage, data_dir, parsed)
    if kind in ETCD_TYPES:
        return EtcdBackend.from_storage(storage, parsed)
    if kind == DynamoBackend.kind:
        return DynamoBackend.from_storage(storage, means)
    if kind in POSTGRESQL_TYPES:
        return PostgresqlBackend.from_storage(storage, means)
    if kind in BOLT_TYPES:
        return BoltBackend(_folder(storage, data_dir, ""))
    raise UnsupportedBackend(kind, _unsupported(kind, storage))


def public_storage(storage: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the keys of *storage* that are needed to find the backend again; none of them is a secret."""
    return {key: storage[key] for key in _PUBLIC_KEYS if storage.get(key) is not None}


def _file_backend(kind: str, storage: Mapping[str, Any], data_dir: str, version: Optional[Version]) -> Backend:
    folder = _folder(storage, data_dir, "backend")
    database = os.path.join(folder, "sqlite.db")
    if kind != "sqlite" and _written_as_files(database, version):
        return DirectoryBackend(folder)
    return SqliteBackend(database)


def _folder(storage: Mapping[str, Any], data_dir: str, below: str) -> str:
    folder = str(storage.get("path") or "")
    if not folder and not data_dir:
        raise BackupError("data_dir is not known, so the backend cannot be found. Read the host's facts again.")
    return folder or os.path.join(data_dir, below).rstrip("/")


def _written_as_files(database: str, version: Optional[Version]) -> bool:
    if version is not None:
        return version < _SQLITE_SINCE
    return os.path.isdir(os.path.dirname(database)) and not os.path.exists(database)


def _parsed(version: Optional[str]) -> Optional[Version]:
    try:
        return Version.parse(version) if version else None
    except VersionError as error:
        raise BackupError(str(error)) from error


def _unsupported(kind: str, storage: Mapping[str, Any]) -> str:
    where = storage.get("table_name") or storage.get("collection_name") or ""
    advice = _BY_ITS_OWN_MEANS.get(kind, "save it with the means its maker provides").format(where=where)
    return (
        f"storage.type is {kind!r}, which this collection cannot save by itself; it saves {', '.join(SUPPORTED)}. Set "
        "teleport_backup_command and teleport_restore_command to commands of your own, which could "
        f"{' '.join(advice.split())}."
    )
