# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight rules look at in the resources of a cluster and in its backend. None of it is a secret.

Pure but for `read_backend`. A fact that cannot be told is left out, and then nothing is said about it.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import Backend, UnsupportedBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.cluster_view import part
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import name

Resource = Mapping[str, Any]
Facts = Dict[str, Any]

_USERS = "/web/users/"
_USER_KEY_RE = re.compile(r"/web/users/(?P<name>[^/]+)/(?P<kind>pwd|mfa|totp)(?:/|$)")
#: Key and phases of Teleport's migrations (lib/auth/migration/migration.go).
_MIGRATION = "/migrations/current"
_PHASES = {0: "pending", 1: "in progress", 3: "failed"}
_COMPLETE = 2
#: States of a user (api/proto/teleport/legacy/types/types.proto, UserStatusV2): a password, and no device.
_PASSWORD_SET = 2
_NO_DEVICE = 1


def of_roles(roles: Iterable[Resource]) -> Facts:
    """Names of the roles that a later version takes differently."""
    found = list(roles)
    return {
        "session_roles": sorted(_name(role) for role in found if _lacks_event(role)),
        "roles_drop": sorted(_name(role) for role in found if _host_user_mode(role) == "drop"),
    }


def of_users(users: Iterable[Resource], roles: Iterable[Resource]) -> Facts:
    """Roles of users that do not exist and, where the version tells, local users without a second factor."""
    own = list(users)
    known = {_name(role) for role in roles}
    missing = sorted({f"{_name(user)}: {role}" for user in own for role in _roles(user) if role not in known})
    facts: Facts = {"roles_missing": missing}
    states = {_name(user): user["status"] for user in own if isinstance(user.get("status"), dict)}
    if states:
        facts["users_without_factor"] = sorted(who for who, state in states.items() if _is_without_factor(state))
    return facts


def of_connectors(connectors: Iterable[Resource]) -> Facts:
    """Names of the connectors that users sign in through."""
    return {"github_connectors": sorted(_name(connector) for connector in connectors)}


def of_keys(keys: Iterable[str]) -> Facts:
    """Local users with a password and without a second factor, from the names of the backend's keys alone."""
    kinds: Dict[str, List[str]] = {}
    for key in keys:
        match = _USER_KEY_RE.match(key)
        if match:
            kinds.setdefault(name(match.group("name")), []).append(match.group("kind"))
    return {"users_without_factor": sorted(who for who, found in kinds.items() if set(found) == {"pwd"})}


def of_migration(value: Optional[bytes]) -> Facts:
    """Return ``migration``: what never completed, None when all is well. A state nobody knows says nothing."""
    if value is None:
        return {"migration": None}
    try:
        state = foreign_file.parse_json(value)
        number, phase = int(state["version"]), int(state.get("phase", 0))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return {}
    if phase == _COMPLETE:
        return {"migration": None}
    return {"migration": f"number {number} is {_PHASES[phase]}"} if phase in _PHASES else {}


def read_backend(backend: Backend) -> Facts:
    """Look into the store of an Auth Service that serves. Raises :class:`BackupError` when it does not answer."""
    try:
        facts = {**of_migration(backend.peek(_MIGRATION)), **of_keys(backend.names(_USERS))}
    except UnsupportedBackend:
        return {}
    etcd = backend.tools().get("etcd")
    return {**facts, "etcd_version": etcd} if etcd else facts


def _name(resource: Resource) -> str:
    return name(part(resource, "metadata").get("name"))


def _roles(user: Resource) -> List[str]:
    roles = part(user, "spec").get("roles")
    return [name(role) for role in roles] if isinstance(roles, list) else []


def _is_without_factor(state: Mapping[str, Any]) -> bool:
    return state.get("password_state") == _PASSWORD_SET and state.get("mfa_weakest_device") == _NO_DEVICE


def _host_user_mode(role: Resource) -> Any:
    return part(part(role, "spec"), "options").get("create_host_user_mode")


def _lacks_event(role: Resource) -> bool:
    """Whether a role may read sessions and not events, which are the same thing before 4.3."""
    rules = part(part(role, "spec"), "allow").get("rules")
    named = {
        str(resource)
        for rule in (rules if isinstance(rules, list) else [])
        if isinstance(rule, dict) and isinstance(rule.get("resources"), list)
        for resource in rule["resources"]
    }
    return "session" in named and named.isdisjoint({"event", "*"})
