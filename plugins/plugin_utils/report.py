# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run: what was planned, what happened on each host, how long auth was away. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan, stage_at

HostVars = Mapping[str, Mapping[str, Any]]


def stage_record(
    plan: Plan, index: int, cluster: str, hostvars: HostVars, failed: Collection[str]
) -> list[dict[str, Any]]:
    """Return what became of each step that a stage had for a cluster.

    Written after the stage's gate: a step whose host is not among *failed* has been proven on its host. Only auth hosts'
    variables are read, because reading those of ten thousand agents would cost the controller more than upgrading them.
    ``outage`` is in seconds, of the step that stopped the last auth server.
    """
    stage = stage_at(plan, index) or {"steps": []}
    lost = set(failed)
    record = []
    for step in stage["steps"]:
        if step["cluster"] != cluster:
            continue
        entry = {
            "stage": index,
            "phase": step["phase"],
            "cluster": cluster,
            "host": step["host"],
            "from": step["from"],
            "to": step["to"],
            "outcome": "failed" if step["host"] in lost else "done",
        }
        if step["phase"] == "auth":
            entry.update(_auth_details(hostvars[step["host"]]))
        record.append(entry)
    return record


def _auth_details(variables: Mapping[str, Any]) -> dict[str, Any]:
    result = variables.get("auth_upgrade") or {}
    details: dict[str, Any] = {"timeline": result.get("timeline") or []}
    part = variables.get("auth_part") or {}
    if part.get("role") == "primary" and result.get("outage"):
        details["outage"] = result["outage"]["seconds"]
        details["backup"] = (result.get("backup") or {}).get("path")
    return details


def build_report(
    plan: Plan, instances: Iterable[Mapping[str, Any]], records: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the whole report as plain data: hosts before and after, auth outages per stage, failed hosts, the plan."""
    entries = list(records)
    after = {entry["host"]: entry["to"] for entry in entries if entry["outcome"] == "done"}
    failed = sorted({entry["host"] for entry in entries if entry["outcome"] == "failed"})
    return {
        "digest": plan["digest"],
        "target_version": plan["target_version"],
        "hosts": [
            {
                "host": instance["host"],
                "cluster": instance["cluster"],
                "services": instance["services"],
                "before": instance["version"],
                "after": after.get(instance["host"], instance["version"]),
            }
            for instance in instances
        ],
        "auth_outages": [
            {key: entry.get(key) for key in ("stage", "cluster", "host", "to", "outage", "backup")}
            for entry in entries
            if "outage" in entry
        ],
        "failed": failed,
        "steps": entries,
        "plan": dict(plan),
    }


def render(report: Mapping[str, Any], most_rows: int = 200) -> str:
    """Return a report as Markdown: the table of hosts (at most *most_rows* rows), the outages, what is left to do."""
    lines = [f"# Teleport upgrade to {report['target_version']}", "", f"Plan `{report['digest']}`", ""]
    lines += ["| host | cluster | services | before | after |", "|---|---|---|---|---|"]
    rows = report["hosts"][:most_rows]
    lines += [
        f"| {row['host']} | {row['cluster']} | {', '.join(row['services'])} | {row['before']} | {row['after']} |"
        for row in rows
    ]
    if len(report["hosts"]) > len(rows):
        lines.append(f"| … {len(report['hosts']) - len(rows)} more hosts, see the JSON report | | | | |")
    lines += ["", *_outage_lines(report["auth_outages"]), *_failed_lines(report)]
    return "\n".join(lines).rstrip() + "\n"


def _outage_lines(outages: Collection[Mapping[str, Any]]) -> list[str]:
    if not outages:
        return ["Auth was not away: nothing was changed.", ""]
    lines = ["| stage | cluster | auth away (s) | on | backup |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['stage']} → {row['to']} | {row['cluster']} | {row['outage']:.1f} | {row['host']} | {row['backup'] or '–'} |"
        for row in outages
    ]
    return [*lines, ""]


def _failed_lines(report: Mapping[str, Any]) -> list[str]:
    if not report["failed"]:
        return []
    names = ", ".join(report["failed"])
    return [f"Not upgraded, switched back: {names}. Mend them and run the same command again.", ""]
