# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the first start of a new line does to the data."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from .. import authority, rotation
from ..features import has
from ..logs import Log
from ..records import HIDDEN, NAME_KEY, Records, Resource, format_changes, rfc3339
from ..settings import fault
from ..versions import LINES, Version, line_index
from ..witnesslog import record
from . import guards, presets

RBAC_LABEL = "migrate-v6.0"


class MigrationFailed(Exception):
    """The auth dies; what was migrated so far stays as it is."""


@dataclass
class Context:
    """What every migration needs."""

    records: Records
    log: Log
    cluster: str

    @property
    def version(self) -> Version:
        """Version of the auth that migrates."""
        return self.records.version


def migrate(context: Context) -> None:
    """Bring the data to this auth's line, or witness that it is newer than this auth."""
    data = context.records.data_version()
    if data:
        _witness_step(Version.parse(data), context.version)
        if Version.parse(data).index > context.version.index:
            _downgrade(context, Version.parse(data))
    for feature, step in _STEPS:
        if has(context.version, feature):
            step(context)
    _stamp(context)


def _witness_step(data: Version, version: Version) -> None:
    moved = {"from": str(data), "to": str(version)}
    if version.index > data.index + 1:
        skipped = _lines_between(data.line, version.line)
        record("skipped_lines", skipped=skipped, **moved)
    if version.index < data.index:
        record("downgrade", **moved)
    if version.index > data.index:
        record("migration", **moved)


def _lines_between(first: str, last: str) -> list[str]:
    return list(LINES[line_index(first) + 1 : line_index(last)])


def _downgrade(context: Context, data: Version) -> None:
    """An older auth rewrites what it reads in its own form; up to 8 that does no harm that was ever seen."""
    for kind in ("user", "role", "token", "github"):
        changes = format_changes(kind, context.version.line, data.line)
        if not any(line_index(change) >= line_index("9") for change in changes):
            continue
        damaged = []
        for name, resource, expires in list(context.records.stored(kind)):
            if line_index(resource.get(HIDDEN, {}).get("line", "3.2")) > context.version.index:
                context.records.write(kind, name, resource, context.version.line, expires)
                damaged.append(name)
        if damaged:
            record("data_damage", reason="rewritten by an older auth", kind=kind, names=damaged, data=str(data))


def _jwt_authority(context: Context) -> None:
    if not context.records.get("cert_authority", f"jwt/{context.cluster}"):
        context.log.info("AUTH", f'Migrate: Adding JWT key to existing cluster "{context.cluster}".')
        _create_authority(context, "jwt")


def _create_authority(context: Context, kind: str) -> None:
    source = authority.COPIED_FROM.get(kind)
    copied = context.records.get("cert_authority", f"{source}/{context.cluster}") if source else None
    key = authority.keys_of(copied)[0][0] if copied else None
    resource = authority.create(kind, context.cluster, context.version, key)
    context.records.put("cert_authority", f"{kind}/{context.cluster}", resource)


def _rbac(context: Context) -> None:
    """Users, connectors and trusted clusters get the label once: a second start sees the role and returns."""
    records = context.records
    admin = records.get("role", "admin")
    if admin is None or (admin["metadata"].get("labels") or {}).get(RBAC_LABEL):
        return
    context.log.info("AUTH", "Enabling RBAC in OSS Teleport. Migrating users, roles and trusted clusters.")
    for role in presets.preset_roles(context.version):
        records.put("role", role["metadata"]["name"], role)
    users = _label_all(records, "user")
    clusters = _label_all(records, "trusted_cluster")
    connectors = _migrate_connectors(context)
    admin["spec"]["allow"]["rules"] = [
        {"resources": [kind], "verbs": ["list", "read"]} for kind in ("event", "session")
    ]
    _label(admin)
    records.put("role", "admin", admin)
    counts = f"Created {connectors} roles, updated {users} users, {clusters} trusted clusters"
    context.log.info("AUTH", f"Migration completed. {counts} and {connectors} Github connectors.")


def _label_all(records: Records, kind: str) -> int:
    resources = records.list(kind)
    for resource in resources:
        _label(resource)
        records.put(kind, resource["metadata"]["name"], resource)
    return len(resources)


def _label(resource: Resource) -> None:
    resource["metadata"].setdefault("labels", {})[RBAC_LABEL] = "true"


def _migrate_connectors(context: Context) -> int:
    connectors = context.records.list("github")
    for connector in connectors:
        role = presets.admin_role(context.version)
        name = f"github-{uuid.uuid4()}"
        role["metadata"]["name"] = name
        context.records.put("role", name, role)
        for mapping in connector["spec"].get("teams_to_logins", []):
            mapping["logins"] = [name]
        _label(connector)
        context.records.put("github", connector["metadata"]["name"], connector)
    return len(connectors)


def _authority_format(context: Context) -> None:
    """The 7.0 storage format; a rotation in progress stops it after the other CAs were done."""
    failures = []
    for name, ca, _expires in list(context.records.stored("cert_authority")):
        if ca["spec"].get("active_keys"):
            continue
        title = f"CA(name={context.cluster}, type={ca['spec']['type']})"
        context.log.info("AUTH", f"Migrating {title} to 7.0 storage format.")
        if rotation.in_rotation(ca):
            failures.append(title)
            continue
        ca["sub_kind"] = ca["spec"]["type"]
        authority.set_keys(ca, *authority.keys_of(ca), context.version)
        context.records.put("cert_authority", name, ca)
        context.log.info("AUTH", f"Successfully migrated {title} to 7.0 storage format.")
    if failures:
        _refuse_rotation(context, failures[0])


def _refuse_rotation(context: Context, title: str) -> None:
    reason = "CA rotation is in progress; please finish CA rotation before upgrading teleport"
    summary = "fail to migrate certificate authorities to the v7 storage format"
    context.log.failure("AUTH", "Failed to migrate certificate authorities to the v7 storage format.")
    context.log.failure("AUTH", f'"    failed to migrate {title}: {reason}\\n\\t{reason}"')
    record("refused_start", reason="rotation in progress", version=str(context.version))
    raise MigrationFailed(f"{summary}: {summary}; please report this\ninitialization failed\n{summary}")


def _cluster_id(context: Context) -> None:
    general = context.records.document("/cluster_configuration/general") or {}
    name = context.records.document(NAME_KEY)
    legacy = general.get("spec", {}).get("cluster_id")
    if context.version.line == "7" and name and legacy and not name["spec"].get("cluster_id"):
        name["spec"]["cluster_id"] = legacy
        message = f'Migrating cluster ID "{legacy}" from legacy ClusterConfig to ClusterName.'
        context.log.info("AUTH", message)
        context.records.put_document(NAME_KEY, name)


def _numbered(context: Context) -> None:
    backend = context.records.backend
    item = backend.get(guards.MIGRATION_KEY)
    done = json.loads(item.value)["version"] if item else 0
    names = ("createDBAuthority", "migrate_firestore_keys")
    for number in range(done + 1, guards.registered_migrations(context.version) + 1):
        context.log.info("MIGRATE", f"Starting migration {number} {names[number - 1]}")
        context.log.info("MIGRATE", f"Completed migration {number} {names[number - 1]}")
        _put_status(context, number, 2)


def _put_status(context: Context, number: int, phase: int) -> None:
    now = rfc3339(time.time())
    status = {"version": number, "phase": phase, "started": now, "completed": now}
    context.records.backend.put(guards.MIGRATION_KEY, json.dumps(status))


def _formats(context: Context) -> None:
    """From 9 on a line brings up only records that missed nothing before; the others stay behind unread."""
    line, data = context.version.line, context.records.data_version()
    if not data or Version.parse(data).index >= context.version.index:
        return  # done once: what an older auth writes afterwards is never brought up again
    for kind in ("user", "role", "token", "github"):
        lost = []
        for name, resource, expires in list(context.records.stored(kind)):
            at = resource.get(HIDDEN, {}).get("line", "3.2")
            missed = [c for c in format_changes(kind, at, line) if line_index(c) >= line_index("9") and c != line]
            if missed:
                lost.append(name)
            elif line in format_changes(kind, at, line):
                context.records.write(kind, name, resource, line, expires)
        if lost:
            record("data_damage", reason="migration of a skipped line never ran", kind=kind, names=lost, line=line)


def _planned_failure(context: Context) -> None:
    """The knob fail_migration: dies half-way, with one user already lost."""
    if not fault(context.version, "fail_migration"):
        return
    data = context.records.data_version()
    if not data or Version.parse(data).line == context.version.line:
        return
    users = context.records.names("user")
    if users:
        context.records.delete("user", users[-1])
        record("data_damage", reason="failed migration", kind="user", names=users[-1:], version=str(context.version))
    if has(context.version, "migration_status_key"):
        _put_status(context, guards.registered_migrations(context.version), 3)
    raise MigrationFailed("initialization failed\nmigration of users failed: unexpected end of JSON input")


def _missing_authorities(context: Context) -> None:
    for kind in authority.types_of(context.version):
        if not context.records.get("cert_authority", f"{kind}/{context.cluster}"):
            context.log.info("AUTH", f"First start: generating {kind} certificate authority.")
            _create_authority(context, kind)


def _stamp(context: Context) -> None:
    """Note in the data which auth migrated it last: only ever upwards."""
    name = context.records.document(NAME_KEY)
    if name is None:
        return
    data = (name.get(HIDDEN) or {}).get("version", "")
    if not data or Version.parse(data) <= context.version:
        name[HIDDEN] = {"version": str(context.version)}
        context.records.put_document(NAME_KEY, name)


_STEPS: tuple[tuple[str, Callable[[Context], None]], ...] = (
    ("ca_user", _planned_failure),
    ("ca_jwt", _jwt_authority),
    ("oss_roles", _rbac),
    ("ca_active_keys", _authority_format),
    ("cluster_configs", _cluster_id),
    ("migration_status_key", _numbered),
    ("tbot", _formats),
    ("ca_user", _missing_authorities),
)
