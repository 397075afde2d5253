# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of resources as tctl understands them, per generation."""

from __future__ import annotations

from .errors import CommandError
from .features import has
from .versions import Version

# alias -> (kind, feature that brought it or "")
ALIASES = {
    "user": ("user", ""),
    "users": ("user", ""),
    "role": ("role", ""),
    "roles": ("role", ""),
    "node": ("node", ""),
    "nodes": ("node", ""),
    "proxies": ("proxy", ""),
    "proxy": ("proxy", "singular_server_kinds"),
    "auth": ("auth_server", ""),
    "auth_servers": ("auth_server", ""),
    "auth_server": ("auth_server", "singular_server_kinds"),
    "cas": ("cert_authority", ""),
    "cert_authorities": ("cert_authority", ""),
    "cert_authority": ("cert_authority", "singular_server_kinds"),
    "github": ("github", ""),
    "saml": ("saml", ""),
    "oidc": ("oidc", ""),
    "connectors": ("github", ""),
    "trusted_cluster": ("trusted_cluster", ""),
    "trusted_clusters": ("trusted_cluster", ""),
    "tc": ("trusted_cluster", ""),
    "remote_cluster": ("remote_cluster", ""),
    "remote_clusters": ("remote_cluster", ""),
    "rc": ("remote_cluster", ""),
    "namespace": ("namespace", "get_namespace"),
    "all": ("all", "get_all"),
    "token": ("token", "get_tokens"),
    "tokens": ("token", "get_tokens"),
    "semaphore": ("semaphore", "semaphore"),
    "kube_service": ("kube_service", "kube_service"),
    "app": ("app", "app_db_resources"),
    "db": ("db", "app_db_resources"),
    "cap": ("cluster_auth_preference", "cluster_auth_preference"),
    "cluster_auth_preference": ("cluster_auth_preference", "cluster_auth_preference"),
    "cluster_networking_config": ("cluster_networking_config", "cluster_configs"),
    "session_recording_config": ("session_recording_config", "cluster_configs"),
}


def resolve(reference: str, version: Version) -> tuple[str, str]:
    """``(kind, name or "")`` of ``kind[/name]``; raises CommandError with that generation's words."""
    alias, _slash, name = reference.partition("/")
    kind, feature = ALIASES.get(alias, ("", "unknown"))
    if kind and (not feature or has(version, feature)):
        return kind, name
    if alias == "cap" or (alias == "cluster_auth_preference" and has(version, "get_namespace")):
        raise CommandError("'cluster_auth_preference' is not supported")
    if not has(version, "resource_hint"):
        raise CommandError(f"unsupported resource: {alias}")
    hint = "resources should be expressed as 'type/name', for example 'connector/github'"
    raise CommandError(f'unsupported resource: "{alias}" - {hint}')
