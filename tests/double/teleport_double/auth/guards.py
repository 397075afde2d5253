# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An auth's own refusals at start: version jumps (14.3.20 and later) and half-done migrations (13 and later)."""

from __future__ import annotations

import json
import os

from ..backend.base import Backend
from ..features import has
from ..logs import Log
from ..records import Records
from ..versions import Version
from ..witnesslog import record

LOCAL_KEY = "/teleport/last-known-version"
BACKEND_KEY = "/backend_info"
MIGRATION_KEY = "/migrations/current"
SKIP_ENV = "TELEPORT_UNSTABLE_SKIP_VERSION_UPGRADE_CHECK"
_GUIDE = "https://goteleport.com/docs/upgrading/overview/#component-compatibility"


class Refused(Exception):
    """The auth does not start."""


def check_version(records: Records, process_store: Backend, log: Log) -> None:
    """Refuse a jump or a downgrade where this version looks for one, and note the version."""
    version = records.version
    if has(version, "backend_version_guard"):
        _check_backend(records, process_store, log)
    elif has(version, "local_version_guard"):
        _check_local(version, process_store)


def _check_local(version: Version, store: Backend) -> None:
    known = store.get(LOCAL_KEY)
    if known is not None and not os.environ.get(SKIP_ENV):
        last = Version.parse(known.value)
        _refuse_jump(last, version)
        if last.major - version.major > 1:
            raise Refused(_downgrade(last, version))
    if not os.environ.get(SKIP_ENV):
        store.put(LOCAL_KEY, str(version))


def _check_backend(records: Records, store: Backend, log: Log) -> None:
    version = records.version
    info = records.document(BACKEND_KEY)
    local = store.get(LOCAL_KEY)
    if os.environ.get(SKIP_ENV) == "yes":
        log.warn("AUTH", "Version check skipped, Teleport might perform unsupported backend version transitions")
    else:
        known = info["spec"]["teleport_version"] if info else (local.value if local else None)
        if known is not None:
            last = Version.parse(known)
            _refuse_jump(last, version)
            if last.major > version.major:
                raise Refused(_downgrade(last, version))
    records.put_document(
        BACKEND_KEY,
        {
            "kind": "backend_info",
            "version": "v1",
            "metadata": {"name": "backend-info"},
            "spec": {"teleport_version": str(version)},
        },
    )
    store.delete(LOCAL_KEY)


def _refuse_jump(last: Version, version: Version) -> None:
    if version.major - last.major > 1:
        record("refused_start", reason="version jump", **{"from": str(last), "to": str(version)})
        raise Refused(
            f"Unsupported upgrade path detected: from {last} to {version}. Teleport supports direct upgrades to the "
            f"next major version only.\n Please upgrade your cluster to version {last.major + 1}.x.x first. "
            f"See compatibility guarantees for details: {_GUIDE}."
        )


def _downgrade(last: Version, version: Version) -> str:
    record("refused_start", reason="downgrade", **{"from": str(last), "to": str(version)})
    return (
        f"Unsupported downgrade path detected: from {last} to {version}. Teleport doesn't support major version "
        "downgrades. Downgrading may lead to an inconsistent cluster state.\n  Use at your own risk: to allow "
        f"downgrading, set the environment variable `{SKIP_ENV}=yes`"
    )


def registered_migrations(version: Version) -> int:
    """How many numbered migrations this version knows."""
    if not has(version, "migration_status_key"):
        return 0
    return 2 if has(version, "second_migration") else 1


def check_migrations(records: Records) -> None:
    """Refuse data whose numbered migrations are broken or newer than this version."""
    if not has(records.version, "migration_status_key"):
        return
    item = records.backend.get(MIGRATION_KEY)
    status = json.loads(item.value) if item else {"version": 0, "phase": 2}
    if status["phase"] != 2:
        raise Refused(
            f"previous attempt to apply migration {status['version']} never completed - the failure must be remedied "
            "before further migrations can be applied"
        )
    if registered_migrations(records.version) < status["version"]:
        raise Refused(
            "unable to apply migrations: the number of registered migrations is less than the current version, "
            "this can be caused by downgraded without rolling back migrations"
        )
