# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From ``teleport.storage`` to the backend that saves it."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.backends import kinds
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    UnsupportedBackend,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.beside import BesideBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.bolt import BoltBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.clone import CloneBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.command import KIND as COMMAND
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.command import CommandBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.directory import DirectoryBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb import DynamoBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd import EtcdBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import CLONE, NONE, Means
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql import (
    PostgresqlBackend,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.sqlite import SqliteBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

_PUBLIC_KEYS = (
    "type", "path", "peers", "prefix", "tls_ca_file", "tls_cert_file", "tls_key_file", "insecure", "username",
    "password_file", "table_name", "region", "conn_string", "auth_mode", "audit_events_uri", "audit_sessions_uri",
)  # fmt: skip

_SQLITE_SINCE = Version.parse("4.0.0-0")


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
    state = _state_backend(storage, data_dir, version, means, saved_as)
    if isinstance(state, PostgresqlBackend):
        return state
    audit = PostgresqlBackend.of_audit(storage, means)
    return BesideBackend(state, audit) if audit else state


def public_storage(storage: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the keys of *storage* that are needed to find the backend again; none of them is a secret."""
    return {key: storage[key] for key in _PUBLIC_KEYS if storage.get(key) is not None}


def _state_backend(
    storage: Mapping[str, Any], data_dir: str, version: Optional[str], means: Means, saved_as: Optional[str]
) -> Backend:
    reason = kinds.refusal(storage)
    if saved_as == CLONE or (saved_as is None and means.choice.method == CLONE):
        return CloneBackend(storage, means, None if reason else _native(storage, data_dir, version, means))
    if reason is not None:
        raise UnsupportedBackend(kinds.kind_of(storage), reason)
    return _native(storage, data_dir, version, means)


def _native(storage: Mapping[str, Any], data_dir: str, version: Optional[str], means: Means) -> Backend:
    kind = kinds.kind_of(storage)
    parsed = _parsed(version)
    if kind in kinds.FILE_TYPES:
        return _file_backend(kind, storage, data_dir, parsed)
    if kind in kinds.ETCD_TYPES:
        return EtcdBackend.from_storage(storage, parsed)
    if kind == DynamoBackend.kind:
        return DynamoBackend.from_storage(storage, means)
    if kind in kinds.POSTGRESQL_TYPES:
        return PostgresqlBackend.from_storage(storage, means)
    return BoltBackend(_folder(storage, data_dir, ""))


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
