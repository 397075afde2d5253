# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds of ``teleport.storage`` the collection can save, known without opening anything."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional

#: Types that mean files under the data directory. Which files depends on the version: before 4.0 ``dir`` and its
#: default were a folder of files, from 4.0 on both mean SQLite (Teleport CHANGELOG 4.0).
FILE_TYPES = ("", "dir", "sqlite")
BOLT_TYPES = ("bolt", "boltdb")
ETCD_TYPES = ("etcd",)
POSTGRESQL_TYPES = ("postgresql", "postgres")
DYNAMODB_TYPES = ("dynamodb",)

SAVED_TYPES = FILE_TYPES + BOLT_TYPES + ETCD_TYPES + POSTGRESQL_TYPES + DYNAMODB_TYPES

_OWN_WAY = {
    "firestore": "export the collection {where} with a managed export",
    "cockroachdb": "take a BACKUP of the database in CockroachDB",
}
_COMMANDS = "Set teleport_backup_command and teleport_restore_command"


def kind_of(storage: Mapping[str, Any]) -> str:
    """Return ``storage.type`` as Teleport compares it."""
    return str(storage.get("type") or "").lower()


def is_postgresql(uri: str) -> bool:
    """Return whether *uri*, an entry of ``audit_events_uri``, names a PostgreSQL database."""
    return uri.partition("://")[0] in POSTGRESQL_TYPES


def logs_in_by_token(uri: str) -> bool:
    """Return whether Teleport logs in to the database *uri* with tokens of a cloud, which nobody else can."""
    return "auth_mode=" in uri


def unsaved_audit(storage: Mapping[str, Any]) -> List[str]:
    """Return the entries of ``audit_events_uri`` whose stores no backup of this backend holds, files apart."""
    kind = kind_of(storage)
    return [
        uri
        for uri in map(str, storage.get("audit_events_uri") or [])
        if uri.partition("://")[0] not in ("file", "stdout")
        and not (is_postgresql(uri) and not logs_in_by_token(uri))
        and not (kind in DYNAMODB_TYPES and uri.startswith("dynamodb://"))
    ]


def refusal(storage: Mapping[str, Any]) -> Optional[str]:
    """Return why nothing but the user's own commands can save this backend; ``None`` when the collection can."""
    kind = kind_of(storage)
    if kind not in SAVED_TYPES:
        where = storage.get("table_name") or storage.get("collection_name") or ""
        way = _OWN_WAY.get(kind, "save it with the means its maker provides").format(where=where)
        return (
            f"storage.type is {kind!r}, which this collection cannot save by itself; it saves "
            f"{', '.join(name for name in SAVED_TYPES if name)}. {_COMMANDS} to commands of your own, which could "
            f"{' '.join(way.split())}."
        )
    audits = [str(uri) for uri in storage.get("audit_events_uri") or []]
    if kind in POSTGRESQL_TYPES and (storage.get("auth_mode") or any(map(logs_in_by_token, audits))):
        return (
            "auth_mode: Teleport logs in to this PostgreSQL with tokens of a cloud, which PostgreSQL's own programs "
            f"cannot. {_COMMANDS}."
        )
    return None
