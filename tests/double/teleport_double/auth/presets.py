# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources an auth creates by itself."""

from __future__ import annotations

from typing import Any

from ..features import has
from ..records import Resource
from ..versions import Version

_ALL = ["list", "create", "read", "update", "delete"]
_READ = ["list", "read"]


def admin_role(version: Version) -> Resource:
    """The role of every local user before 6."""
    rules = [
        _rule("role", _ALL),
        _rule("auth_connector", _ALL),
        _rule("session", _READ),
        _rule("trusted_cluster", _ALL),
    ]
    return _role("admin", [*rules, _rule("event", _READ)], version)


def preset_roles(version: Version) -> list[Resource]:
    """access, editor and auditor, which 6 brought."""
    editor = [_rule(kind, _ALL) for kind in ("user", "role", "auth_connector", "trusted_cluster", "token")]
    texts = {
        "access": ("Access cluster resources", [_rule("event", _READ)]),
        "editor": ("Edit cluster configuration", editor),
        "auditor": ("Review cluster events and replay sessions", [_rule("session", _READ), _rule("event", _READ)]),
    }
    roles = []
    for name, (about, rules) in texts.items():
        role = _role(name, rules, version)
        role["metadata"]["description"] = about
        roles.append(role)
    return roles


def _rule(kind: str, verbs: list[str]) -> Resource:
    return {"resources": [kind], "verbs": list(verbs)}


def _role(name: str, rules: list[Resource], version: Version) -> Resource:
    allow: dict[str, Any] = {"logins": ["{{internal.logins}}"], "node_labels": {"*": "*"}, "rules": rules}
    options = {"cert_format": "standard", "forward_agent": True, "max_session_ttl": "30h0m0s", "port_forwarding": True}
    return {
        "kind": "role",
        "version": "v7" if version.major >= 14 else "v5" if version.major >= 9 else "v3",
        "metadata": {"name": name},
        "spec": {"allow": allow, "deny": {}, "options": options},
    }


def new_user(name: str, roles: list[str], logins: list[str], creator: str, version: Version) -> Resource:
    """A local user; before 6 every user has the role admin."""
    zero = "0001-01-01T00:00:00Z"
    return {
        "kind": "user",
        "version": "v2",
        "metadata": {"name": name},
        "spec": {
            "roles": roles if has(version, "oss_roles") else ["admin"],
            "traits": {"logins": logins},
            "status": {"is_locked": False, "lock_expires": zero, "locked_time": zero},
            "expires": zero,
            "created_by": {"time": zero, "user": {"name": creator}},
        },
    }
