# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters to plan a rotation for, shared by the tests of the planner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import rotation_plan

NOW = "2026-11-22T19:00:00Z"
FORWARD = ("init", "update_clients", "update_servers", "standby")
PINS = ["sha256:00aa"]
WISHES: dict[str, Any] = {
    "clusters": [],
    "types": ["host", "user"],
    "until": "standby",
    "grace_period": "48h",
    "min_age": 3600,
    "waivers": [],
}


def authority(kind: str, phase: str = "standby", mode: str = "manual", rotated: str | None = None) -> dict[str, Any]:
    return {"type": kind, "phase": phase, "mode": mode, "last_rotated": rotated}


def survey(**changes: Any) -> dict[str, Any]:
    """What the module returns for a cluster that is well and at rest."""
    standing = {"host": "standby", "user": "standby"}
    return {
        "cluster": "main.example",
        "phases": standing,
        "authorities": [authority(kind) for kind in standing],
        "ca_pins": PINS,
        "missing": [],
        "listed": ["auth1", "agent1"],
        "reported": 2,
        "auth_versions": ["16.5.18"],
        "remote_clusters": [],
        "trusted_clusters": [],
        "observed_at": NOW,
        **changes,
    }


def plan(seen: Mapping[str, Any] | None, hosts: Mapping[str, Any] | None = None, **wishes: Any) -> dict[str, Any]:
    """Plan for one auth host and one agent; *hosts* overrides their variables or adds hosts."""
    members = [
        {"host": "auth1", "cluster": "main", "services": ["auth"], "state": "running"},
        {"host": "agent1", "cluster": "main", "services": ["agent"], "state": "running"},
        {"host": "laptop", "cluster": "main", "services": ["client"], "state": "running"},
        *(hosts or {}).get("members", []),
    ]
    asked = [member["host"] for member in members if "auth" in member["services"]]
    inventory = {
        "instances": members,
        "asked": asked,
        "names": {member["host"]: [member["host"], f"uuid-{member['host']}"] for member in members},
    }
    hostvars: dict[str, Any] = {member["host"]: {} for member in members} | {"auth1": {"rotation_seen": seen}}
    hostvars |= (hosts or {}).get("variables", {})
    return rotation_plan.build(inventory, hostvars, WISHES | wishes)


def codes(planned: Mapping[str, Any]) -> dict[str, str]:
    return {finding["code"]: finding["severity"] for finding in planned["findings"]}


def phases(planned: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    return [(step["phase"], step["types"]) for step in planned["clusters"][0]["steps"]]
