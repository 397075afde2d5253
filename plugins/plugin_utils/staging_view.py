# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a plan need before its upgrade begins, and how far they got with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan

#: Failures that are told in full; the rest are counted.
MOST_TOLD = 20


def staging_paths(plan: Plan) -> dict[str, list[str]]:
    """Return the versions that each host of a plan will run, in their order."""
    paths: dict[str, list[str]] = {}
    for stage in plan.get("stages") or []:
        for step in stage["steps"]:
            path = paths.setdefault(step["host"], [])
            if step["to"] not in path:
                path.append(step["to"])
    return paths


def staging_summary(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Sum up what ``instance_stage`` returned on *hosts* as ``artifacts_staged``.

    ``ready`` counts the hosts that have everything, ``left_alone`` those that fetch by other means, ``fetched_bytes``
    is over all. ``failed`` has ``host`` and ``msg`` of each of the others.
    """
    ready = left_alone = fetched = 0
    failed = []
    for host in hosts:
        result = hostvars[host].get("artifacts_staged") or {"msg": "It was not reached."}
        if "brought" not in result:
            failed.append({"host": host, "msg": str(result.get("msg", ""))})
            continue
        fetched += int(result.get("fetched_bytes") or 0)
        is_left_alone = not result.get("changed") and not result.get("present")
        left_alone += is_left_alone
        ready += not is_left_alone
    return {"ready": ready, "left_alone": left_alone, "fetched_bytes": fetched, "failed": failed}


def staging_message(summary: Mapping[str, Any], dry_run: bool = False) -> str:
    """Return one paragraph about a summary, with at most ``MOST_TOLD`` failures; of what would be in a *dry_run*."""
    lines = [f"{summary['ready']} hosts have all artefacts, {summary['fetched_bytes'] >> 20} MiB were fetched."]
    if dry_run:
        lines = [f"{summary['ready']} hosts have all artefacts, or can have them and have room for them."]
    if summary["left_alone"]:
        lines.append(f"{summary['left_alone']} hosts fetch their releases by other means when they are upgraded.")
    failed = summary["failed"]
    if failed:
        told = " ".join(f"{one['host']}: {one['msg']}" for one in failed[:MOST_TOLD])
        more = f" And {len(failed) - MOST_TOLD} more." if len(failed) > MOST_TOLD else ""
        lines.append(f"{len(failed)} hosts do not have them: {told}{more} Run the same again: it continues.")
    return " ".join(lines)
