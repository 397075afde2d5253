# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade needs to know from ``teleport.yaml``, of every generation, and nothing that is secret.

Sources: Teleport's configuration reference and ``lib/config/fileconf.go``. Sections that are not there: auth, proxy
and ssh count as enabled, all others as disabled. A flag that is neither yes nor no counts as no.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.backends import postgresql_uri
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import DEFAULT_DATA_DIR
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import without_login
from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_places, preflight_config, safe_yaml

AUTH_LISTEN = "0.0.0.0:3025"
PROXY_WEB_LISTEN = "0.0.0.0:3080"

_ON_BY_DEFAULT = ("auth_service", "proxy_service", "ssh_service")
#: Names of ``teleport start --roles`` and the sections they switch on; whatever is not named is then off.
_ROLE_NAMES = {
    "auth": "auth_service",
    "proxy": "proxy_service",
    "node": "ssh_service",
    "app": "app_service",
    "db": "db_service",
    "kube": "kubernetes_service",
    "windowsdesktop": "windows_desktop_service",
    "discovery": "discovery_service",
}
_STORAGE_TEXTS = (
    "prefix",
    "tls_cert_file",
    "tls_key_file",
    "tls_ca_file",
    "username",
    "password_file",
    "region",
    "table_name",
    "collection_name",
    "project_id",
    "credentials_path",
    "auth_mode",
)


class ConfigRefused(ValueError):
    """A configuration cannot be used; the message says why, with the line where there is one."""


def summarize(text: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Reduce a configuration to the secret-free part of the contract's ``config``, plus ``roles_enabled`` and, for the
    preflight rules, ``checked``.

    :param options: options of the command line (``roles``, ``diag_addr``, ``pid_file``, ``nodename``,
        ``auth_server``); they win.
    :raises ConfigRefused: for a file that cannot be read, or in which a section has the wrong shape.
    """
    try:
        document = safe_yaml.load(text)
    except safe_yaml.YamlRefused as problem:
        raise ConfigRefused(str(problem)) from None
    top = _section({"": document}, "")
    teleport = _section(top, "teleport")
    auth = _section(top, "auth_service")
    proxy = _section(top, "proxy_service")
    data_dir = _text(teleport.get("data_dir")) or DEFAULT_DATA_DIR
    return {
        "version": _text(top.get("version")) or "v1",
        "data_dir": data_dir,
        "diag_addr": options.get("diag_addr") or _text(teleport.get("diag_addr")),
        "pid_file": options.get("pid_file") or _text(teleport.get("pid_file")),
        "nodename": options.get("nodename") or _text(teleport.get("nodename")),
        "ciphersuites": _texts(teleport.get("ciphersuites")),
        "auth_servers": _auth_servers(teleport, options),
        "ca_pins": _texts(teleport.get("ca_pin")),
        "cluster_name": _cluster_name(auth),
        "auth_listen_addr": _text(auth.get("listen_addr")) or AUTH_LISTEN,
        "proxy_web_addr": _text(proxy.get("web_listen_addr")) or PROXY_WEB_LISTEN,
        "proxy_public_addr": _texts(proxy.get("public_addr")),
        "storage": _with_places(_storage(_section(teleport, "storage"), data_dir), text),
        "roles_enabled": _roles(top, options.get("roles", "")),
        "checked": preflight_config.settings(top),
    }


def services(roles_enabled: list[str]) -> list[str]:
    """Translate enabled sections into the words of the plan: auth, proxy, agent."""
    found = [
        word for word, section in (("auth", "auth_service"), ("proxy", "proxy_service")) if section in roles_enabled
    ]
    others = [role for role in roles_enabled if role not in ("auth_service", "proxy_service")]
    return found + (["agent"] if others or not found else [])


def _section(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        where = f"section {name!r}" if name else "the file"
        raise ConfigRefused(f"{where} holds no keys with values")
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if _text(text)]


def _auth_servers(teleport: Mapping[str, Any], options: Mapping[str, str]) -> list[str]:
    """Where the instance joins: ``auth_servers`` (v1, v2), ``auth_server`` or ``proxy_server`` (v3)."""
    given = options.get("auth_server")
    found = [given] if given else []
    for key in ("auth_servers", "auth_server", "proxy_server"):
        found = found or _texts(teleport.get(key))
    return found


def _cluster_name(auth: Mapping[str, Any]) -> str | None:
    name = auth.get("cluster_name")
    # 2.x and 3.x took a list in some samples; only the first counted.
    return next(iter(_texts(name)), None)


def _storage(storage: Mapping[str, Any], data_dir: str) -> dict[str, Any]:
    """Where the cluster's state lies. Credentials written into the file itself are left out."""
    kind = _text(storage.get("type")) or "dir"
    found: dict[str, Any] = {"type": kind}
    if kind in ("dir", "sqlite"):
        found["path"] = _text(storage.get("path")) or posixpath.join(data_dir, "backend")
    peers = [without_login(peer) for peer in _texts(storage.get("peers"))]
    if peers:
        found["peers"] = peers
    found.update({key: storage[key] for key in _STORAGE_TEXTS if _text(storage.get(key))})
    if _text(storage.get("conn_string")):
        found["conn_string"] = _postgresql("conn_string", storage["conn_string"])
    for key in ("audit_events_uri", "audit_sessions_uri"):
        uris = [_without_login(key, uri) for uri in _texts(storage.get(key))]
        if uris:
            found[key] = uris
    if "insecure" in storage:
        found["insecure"] = _is_enabled({"enabled": storage["insecure"]}, False)
    return found


def _with_places(storage: dict[str, Any], text: str) -> dict[str, Any]:
    """Add where values stand that a host has to read, or replace, in the file itself."""
    return {**storage, "places": config_places.storage_places(text)} if storage["type"] == "dynamodb" else storage


def _without_login(key: str, uri: str) -> str:
    if uri.partition("://")[0] in postgresql_uri.SCHEMES:
        return _postgresql(key, uri)
    return without_login(uri)


def _postgresql(key: str, text: str) -> str:
    """The public form of a connection string; whoever connects finds its password in the file on the host."""
    try:
        return postgresql_uri.public(text)
    except BackupError as problem:
        raise ConfigRefused(f"storage.{key} {problem}") from None


def _roles(top: Mapping[str, Any], given: str) -> list[str]:
    if given:
        asked = {_ROLE_NAMES.get(name.strip(), "") for name in given.split(",")}
        return sorted(asked - {""})
    sections = sorted({key for key in top if key.endswith("_service")} | set(_ON_BY_DEFAULT))
    return [name for name in sections if _is_enabled(_section(top, name), name in _ON_BY_DEFAULT)]


def _is_enabled(section: Mapping[str, Any], default: bool) -> bool:
    flag = section.get("enabled")
    if flag is None or flag == "":
        return default
    return preflight_config.is_yes(flag)
