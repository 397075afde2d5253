# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts in ``teleport.yaml`` that preflight rules look at. None of them is a secret.

Names of keys: Teleport's configuration reference and ``lib/config/fileconf.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What Teleport takes for yes (lib/config/fileconf.go, boolean flags); everything else is no.
_YES = ("yes", "yeah", "y", "true", "1", "on")


def settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts, by name; None, or an empty list, is a key that is not set. Sections of a wrong shape are empty.

    *document* is the file as :func:`.safe_yaml.load` reads it, every scalar a text.
    """
    teleport = _section(document, "teleport")
    return {
        "storage_type": _section(teleport, "storage").get("type"),
        "ciphersuites": _list(teleport.get("ciphersuites")),
        "ca_signature_algo": teleport.get("ca_signature_algo"),
        "advertise_ip": teleport.get("advertise_ip"),
        "ssh_algorithms": _list(teleport.get("kex_algos")) + _list(teleport.get("mac_algos")),
        "assist_sections": [name for name in _CONTROL_PLANE if "assist" in _section(document, name)],
        **_auth(_section(document, "auth_service")),
        **_proxy(_section(document, "proxy_service")),
        **_agent(document),
    }


def _auth(auth: Mapping[str, Any]) -> dict[str, Any]:
    authentication = _section(auth, "authentication")
    return {
        "second_factors": _list(authentication.get("second_factor")) + _list(authentication.get("second_factors")),
        # second_factor names a mode, second_factors (17 and later) lists the kinds that are taken.
        "second_factor_kinds": _list(authentication.get("second_factors")),
        "session_recording": auth.get("session_recording"),
    }


def _proxy(proxy: Mapping[str, Any]) -> dict[str, Any]:
    kubernetes = _section(proxy, "kubernetes")
    return {
        "proxy_protocol": proxy.get("proxy_protocol"),
        "proxy_addresses": _list(proxy.get("public_addr")),
        "proxy_certificate": proxy.get("https_cert_file"),
        "proxy_kubernetes": _is_on(proxy, "kubernetes") or proxy.get("kube_listen_addr"),
        "kubeconfig": kubernetes.get("kubeconfig_file"),
    }


def _agent(document: Mapping[str, Any]) -> dict[str, Any]:
    ssh, desktops = _section(document, "ssh_service"), _section(document, "windows_desktop_service")
    serves_desktops = is_yes(desktops.get("enabled"))
    return {
        "enhanced_recording": _is_on(ssh, "enhanced_recording"),
        "restricted_session": _is_on(ssh, "restricted_session"),
        "databases": _is_on(document, "db_service"),
        "desktops": "windows_desktop_service" if serves_desktops else None,
        "desktop_password_file": _section(desktops, "ldap").get("password_file") if serves_desktops else None,
        "desktop_discovery": "discovery" if serves_desktops and "discovery" in desktops else None,
    }


_CONTROL_PLANE = ("auth_service", "proxy_service")


def _section(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, str)]


def _is_on(parent: Mapping[str, Any], name: str) -> str | None:
    return name if is_yes(_section(parent, name).get("enabled")) else None


def is_yes(flag: Any) -> bool:
    """Whether the value of a flag means yes."""
    return str(flag).strip().lower() in _YES
