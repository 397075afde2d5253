# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which component survives which auth, and which leaf which root, from ``data/skew.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .features import load_table
from .versions import Version, line_index


@dataclass(frozen=True)
class Verdict:
    """What happens at the start of a component: ``ok``, ``warn``, ``die`` or ``rejected`` by the auth."""

    kind: str
    text: str = ""


def judge(component: Version, auth: Version) -> Verdict:
    """Start of a component against an auth."""
    for rule in load_table("skew")["rules"]:
        if _matches(rule, component, auth):
            return _verdict(rule, component, auth)
    return Verdict("ok")


def session_error(component: Version, auth: Version) -> str:
    """Why new sessions through a running, outdated component fail; empty when they work."""
    rule = load_table("skew")["stale_sessions"]
    old = auth.index - component.index >= rule["older_by"] and auth.index >= line_index(rule["auth_since"])
    return str(rule["error"]) if old else ""


def leaf_error(leaf: Version, root: Version) -> str:
    """Why sessions into a leaf fail although its tunnel is up; empty when root and leaf fit."""
    if leaf.index > root.index:
        return "x509: certificate signed by unknown authority"
    if root.index - leaf.index > 1:
        return "unknown method GetClusterNetworkingConfig for service proto.AuthService"
    return ""


def _matches(rule: dict[str, Any], component: Version, auth: Version) -> bool:
    older, newer = auth.index - component.index, component.index - auth.index
    return (
        _within(rule.get("auth"), auth)
        and _within(rule.get("component"), component)
        and older >= rule.get("older_by", older)
        and newer >= rule.get("newer_by", newer)
    )


def _within(bounds: list[str | None] | None, version: Version) -> bool:
    if bounds is None:
        return True
    first, last = bounds
    above = first is None or version.index >= line_index(first)
    return above and (last is None or version.index <= line_index(last))


def _verdict(rule: dict[str, Any], component: Version, auth: Version) -> Verdict:
    if rule["verdict"] == "too_new":
        return Verdict("die", _too_new(component, auth))
    if rule["verdict"] == "auth_too_old":
        text = f"only versions {component.major} and greater are supported, but auth server is version {auth.major}."
        return Verdict("die", f"{text} To connect anyway pass the '--skip-version-check' flag.")
    return Verdict(rule["verdict"], rule.get("error", ""))


def _too_new(component: Version, auth: Version) -> str:
    return (
        f"Teleport instance is too new. This instance is running v{component.major}. The auth server is running "
        f"v{auth.major} and only supports instances on v{auth.major} or v{auth.major - 1}. To connect anyway pass the "
        "--skip-version-check flag."
    )
