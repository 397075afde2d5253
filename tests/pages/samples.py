# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet with long names and many hosts, its plan, a refused one, and the report of a run that failed on one host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.report import build_report

CLUSTERS: dict[str, dict[str, str]] = {
    "teleport.production.eu-central-1.example.com": {},
    "branch": {"root": "teleport.production.eu-central-1.example.com"},
    "workshop": {"root": "branch"},
    "second-branch": {"root": "teleport.production.eu-central-1.example.com"},
}
_AGENTS = 40


def _instances() -> Iterator[dict[str, Any]]:
    for cluster in CLUSTERS:
        shown = cluster.split(".", maxsplit=1)[0]
        yield _instance(f"auth1.{shown}", cluster, "auth")
        yield _instance(f"auth2.{shown}", cluster, "auth")
        yield _instance(f"proxy.{shown}", cluster, "proxy")
        for number in range(_AGENTS):
            yield _instance(f"node-{number:02d}.rack-{number % 7}.{shown}.internal.example.com", cluster, "agent")


def _instance(host: str, cluster: str, service: str) -> dict[str, Any]:
    return {"host": host, "cluster": cluster, "services": [service], "version": "15.5.3"}


def _plan(**more: Any) -> Any:
    return plan_upgrade({"target_version": "17.7.20", "instances": list(_instances()), "clusters": CLUSTERS, **more})


def plan() -> Mapping[str, Any]:
    """Return the plan of the fleet."""
    made: Mapping[str, Any] = _plan().plan
    return made


def refused_plan() -> Mapping[str, Any]:
    """Return what speaks against a downgrade of the fleet."""
    made: Mapping[str, Any] = _plan(target_version="14.0.0").plan
    return made


def report() -> Mapping[str, Any]:
    """Return the report of a run in which the last agent failed and a cluster was without auth for 12.5 s."""
    made = plan()
    steps = [
        {**step, "stage": stage["index"], "outcome": "done", **(_auth_away() if step["phase"] == "auth" else {})}
        for stage in made["stages"]
        for step in stage["steps"]
    ]
    steps[-1]["outcome"] = "failed"
    return build_report(made, list(_instances()), steps)


def _auth_away() -> dict[str, Any]:
    events = [("stop", 10.0), ("stopped", 10.4), ("backed_up", 20.0), ("ready", 22.5), ("stable", 27.5)]
    return {"timeline": [{"event": name, "at": at} for name, at in events], "outage": 12.5, "backup": "/backups/1"}
