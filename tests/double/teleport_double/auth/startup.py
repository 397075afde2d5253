# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start of an auth: open the store, refuse what must be refused, migrate, create what is missing."""

from __future__ import annotations

import os
import uuid

from .. import authority
from ..backend.base import Backend, BackendError
from ..backend.opening import open_backend, open_local
from ..config import Config
from ..errors import CommandError
from ..features import has
from ..logs import Log
from ..records import HIDDEN, NAME_KEY, Records, rfc3339
from ..versions import Version
from . import guards, migrations, presets


def prepare(config: Config, version: Version, log: Log) -> tuple[Records, Backend, str]:
    """``(records, process store, cluster name)`` ready to serve; raises CommandError to die with status 1."""
    try:
        process_store = open_local(os.path.join(config.data_dir, "proc"), version, log)
        records = Records(open_backend(config.storage, version, log), version)
        cluster = _initialise(config, records, process_store, log)
    except BackendError as error:
        raise CommandError(f"initialization failed\n{error}") from None
    except guards.Refused as error:
        raise CommandError(f"initialization failed\n{error}") from None
    except migrations.MigrationFailed as error:
        raise CommandError(str(error)) from None
    return records, process_store, cluster


def _initialise(config: Config, records: Records, process_store: Backend, log: Log) -> str:
    guards.check_version(records, process_store, log)
    guards.check_migrations(records)
    _write_configs(config, records, log)
    name = records.document(NAME_KEY)
    if name is None:
        cluster = _first_start(config, records, log)
    else:
        cluster = name["spec"]["cluster_name"]
        if has(records.version, "cluster_id_required") and not name["spec"].get("cluster_id"):
            raise CommandError("initialization failed\ncluster ID is required")
    context = migrations.Context(records, log, cluster)
    migrations.migrate(context)
    log.info("AUTH", "Auth server is running periodic operations.")
    return str(cluster)


def _write_configs(config: Config, records: Records, log: Log) -> None:
    """What the file says overrides what is stored, at every start, before anything is checked."""
    preference = config.section("auth_service").get("authentication") or {}
    second_factor = str(preference.get("second_factor", "otp"))
    if has(records.version, "cluster_configs"):
        for name in ("networking", "session_recording", "audit"):
            log.info("AUTH", f"Updating {_TITLES[name]} configuration: from the configuration file.")
            records.put_document(f"/cluster_configuration/{name}", _config_document(name))
    tokens = " ".join(config.static_tokens)
    log.info("AUTH", f"Updating cluster configuration: StaticTokens([{'ProvisionToken' if tokens else ''}]).")
    roles = [{"token": token, "roles": kinds} for token, kinds in config.static_tokens.items()]
    records.put_document("/cluster_configuration/static_tokens", {"spec": {"static_tokens": roles}})
    log.info("AUTH", f'Updating cluster configuration: AuthPreference(Type="local",SecondFactor="{second_factor}").')
    document = {
        "kind": "cluster_auth_preference",
        "version": "v2",
        "metadata": {"name": "cluster-auth-preference", "labels": {"teleport.dev/origin": "config-file"}},
        "spec": {"type": str(preference.get("type", "local")), "second_factor": second_factor},
    }
    records.put_document("/authentication/preference/general", document)
    log.info("AUTH", 'Created namespace: "default".')
    namespace = {"kind": "namespace", "version": "v2", "metadata": {"name": "default"}, "spec": {}}
    records.write("namespace", "default", namespace, records.version.line)


_TITLES = {"networking": "cluster networking", "session_recording": "session recording", "audit": "cluster audit"}
_CONFIG_KINDS = {
    "networking": ("cluster_networking_config", {"keep_alive_count_max": 3, "keep_alive_interval": "5m0s"}),
    "session_recording": ("session_recording_config", {"mode": "node", "proxy_checks_host_keys": True}),
    "audit": ("cluster_audit_config", {}),
}


def _config_document(name: str) -> dict[str, object]:
    kind, spec = _CONFIG_KINDS[name]
    labels = {"teleport.dev/origin": "config-file"}
    return {"kind": kind, "version": "v2", "metadata": {"name": kind.replace("_", "-"), "labels": labels}, "spec": spec}


def _first_start(config: Config, records: Records, log: Log) -> str:
    cluster, version = config.cluster_name, records.version
    identifier = str(uuid.uuid4())
    spec = {"cluster_name": cluster}
    if has(version, "ca_active_keys"):
        spec["cluster_id"] = identifier
    else:
        records.put_document("/cluster_configuration/general", {"spec": {"cluster_id": identifier}})
    document = {
        "kind": "cluster_name",
        "version": "v2",
        "metadata": {"name": "cluster-name"},
        "spec": spec,
        HIDDEN: {"version": str(version)},
    }
    records.put_document(NAME_KEY, document)
    for kind in authority.types_of(version):
        log.info("AUTH", f"First start: generating {kind} certificate authority.")
        records.put("cert_authority", f"{kind}/{cluster}", authority.create(kind, cluster, version))
    _create_roles(records, version)
    return cluster


def _create_roles(records: Records, version: Version) -> None:
    if version.major < 8:
        admin = presets.admin_role(version)
        if has(version, "preset_roles"):
            admin["metadata"]["labels"] = {migrations.RBAC_LABEL: "true"}
        records.put("role", "admin", admin)
    if has(version, "preset_roles"):
        for role in presets.preset_roles(version):
            records.put("role", role["metadata"]["name"], role)


__all__ = ["prepare", "rfc3339"]
