# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts in ``teleport.yaml`` that preflight rules look at. None of them is a secret.

Names of keys: Teleport's configuration reference and ``lib/config/fileconf.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_YES = ("yes", "yeah", "y", "true", "1", "on")


def settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts, by name; None, or an empty list, is a key that is not set. Sections of a wrong shape are empty.

    *document* is the file as :func:`.safe_yaml.load` reads it, every scalar a text.
    """
    teleport, auth, proxy, ssh = (_section(document, name) for name in _SECTIONS)
    return {
        "storage_type": _section(teleport, "storage").get("type"),
        "ciphersuites": _list(teleport.get("ciphersuites")),
        "ca_signature_algo": teleport.get("ca_signature_algo"),
        "second_factors": _second_factors(_section(auth, "authentication")),
        "assist_sections": [name for name in _SECTIONS[1:3] if "assist" in _section(document, name)],
        "proxy_protocol": proxy.get("proxy_protocol"),
        "enhanced_recording": _is_on(ssh, "enhanced_recording"),
        "restricted_session": _is_on(ssh, "restricted_session"),
    }


_SECTIONS = ("teleport", "auth_service", "proxy_service", "ssh_service")


def _section(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, str)]


def _second_factors(authentication: Mapping[str, Any]) -> list[str]:
    """``second_factor`` names a mode, ``second_factors`` (17 and later) lists the kinds that are taken."""
    return _list(authentication.get("second_factor")) + _list(authentication.get("second_factors"))


def _is_on(parent: Mapping[str, Any], name: str) -> str | None:
    flag = _section(parent, name).get("enabled")
    return name if str(flag).strip().lower() in _YES else None
