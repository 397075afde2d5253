# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate asks a cluster for, derived from the plan and from what was observed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan, stage_at

Inventory = Mapping[str, Any]
Expected = dict[str, Any]


def after_primary(part: Mapping[str, Any], inventory: Inventory, before: Mapping[str, Any] | None) -> Expected:
    """Return what the cluster must show once its primary is upgraded and before its peers return.

    *part* is what ``auth_group.auth_part`` returned, *before* the cluster's view from before the change. The peers are
    stopped, and proven to be on their own hosts; the cluster goes on listing them for ten minutes.
    """
    names = inventory["names"]
    return {
        "version": part["to"],
        "proven": names[part["primary"]],
        "stopped": [name for peer in part["peers"] for name in names[peer]],
        "before": before or {},
    }


def after_stage(
    plan: Plan,
    index: int,
    cluster: str,
    inventory: Inventory,
    failed: Collection[str],
    before: Mapping[str, Any] | None,
) -> Expected:
    """Return what a cluster must show after a stage.

    Every host that the stage changed, those in *failed* apart, was proven on the host by its own transaction, which
    counts where the cluster's list shows no versions (before 4.3). Client tools are not listed by any cluster.
    """
    stage = stage_at(plan, index) or {"steps": [], "to": None}
    lost = set(failed)
    steps = [s for s in stage["steps"] if s["cluster"] == cluster and s["phase"] != "client" and s["host"] not in lost]
    names = inventory["names"]
    moved_auth = any(step["phase"] == "auth" for step in steps)
    expected: Expected = {
        "instances": [_instance(step, names[step["host"]]) for step in steps],
        "proven": [name for step in steps for name in names[step["host"]]],
        "before": before or {},
    }
    return {"version": stage["to"], **expected} if moved_auth else expected


def _instance(step: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    keys = ("host_uuid", "hostname", "nodename")
    return {"host": step["host"], "version": step["to"], **dict(zip(keys, names[1:], strict=False))}


def view_of(
    cluster: str, instances: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return what a cluster showed when the plan was made, ``None`` when it could not be asked."""
    for instance in instances:
        if instance["cluster"] == cluster and "auth" in instance["services"]:
            asked = hostvars[instance["host"]].get("gate_asked")
            if isinstance(asked, Mapping) and asked.get("cluster_view"):
                view: Mapping[str, Any] = asked["cluster_view"]
                return view
    return None
