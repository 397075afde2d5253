# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run: what was planned, what happened on each host, how long auth was away. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import printable
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan, stage_at

HostVars = Mapping[str, Mapping[str, Any]]

#: Shown for what is not known.
UNKNOWN = "–"

#: Hosts left to do that are named; the JSON has all of them.
MOST_NAMED = 20

#: What to do after a run that did not go to its end.
NEXT = {
    "stopped": "Mend the cause and run the same command again: it plans from what it finds and finishes the work.",
    "paused": "Take the pause away and run the same command again: it continues from here.",
}


def stage_record(
    plan: Plan, index: int, cluster: str, hostvars: HostVars, failed: Collection[str]
) -> list[dict[str, Any]]:
    """Return what became of each step that a stage had for a cluster.

    Written after the stage's gate: a step whose host is not among *failed* has been proven on its host. Only variables
    of auth hosts are read: reading those of ten thousand agents would cost the controller more than upgrading them.
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


def unfinished_record(
    plan: Plan,
    halted: Mapping[str, Any],
    batches: Iterable[Mapping[str, Any]],
    hostvars: HostVars,
    records: Iterable[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return what became of the steps of the stage that a run stopped or paused in, as far as they were begun.

    *halted* is the record of the stop, *batches* are those that ended (``stage``, ``hosts``), *records* what the gates
    kept. A stage that a cluster's gate has recorded is not told twice.
    """
    index = int(halted.get("stage", -1))
    stage = stage_at(plan, index)
    if stage is None:
        return []
    told = {entry["cluster"] for entry in records if entry["stage"] == index}
    done = {host for batch in batches if batch["stage"] == index for host in batch["hosts"]}
    lost = set(halted.get("hosts") or [])
    found = []
    for step in stage["steps"]:
        if step["cluster"] in told:
            continue
        variables = hostvars[step["host"]] if step["phase"] == "auth" else {}
        # What an auth server keeps may be of an earlier stage.
        own_part = (variables.get("auth_part") or {}).get("to") == step["to"]
        details = _auth_details(variables) if own_part else {}
        is_done = step["host"] in done or (own_part and _is_upgraded(variables))
        if is_done or step["host"] in lost:
            own = {key: step[key] for key in ("phase", "cluster", "host", "from", "to")}
            found.append({"stage": index, **own, "outcome": "done" if is_done else "failed", **details})
    return found


def _is_upgraded(variables: Mapping[str, Any]) -> bool:
    result = variables.get("auth_upgrade") or {}
    return "instance_after" in result and not result.get("failed")


def _auth_details(variables: Mapping[str, Any]) -> dict[str, Any]:
    result = variables.get("auth_upgrade") or {}
    details: dict[str, Any] = {"timeline": result.get("timeline") or []}
    part = variables.get("auth_part") or {}
    if part.get("role") == "primary" and result.get("outage"):
        details["outage"] = result["outage"]["seconds"]
        details["backup"] = (result.get("backup") or {}).get("path")
    return details


def build_report(
    plan: Plan,
    instances: Iterable[Mapping[str, Any]],
    records: Iterable[Mapping[str, Any]],
    dry_run: bool = False,
    halted: Mapping[str, Any] | None = None,
    seen: Mapping[str, str | None] | None = None,
    inventories: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the whole report as plain data: hosts before and after, auth outages per stage, failed hosts, the plan.

    Of a *dry_run*, ``after`` is what each host would run, and what was done is called ``planned``. *halted* is the
    record of a stop or a pause, *seen* what hosts were found to run after it (None when nothing runs), whatever was
    done there. ``state`` is ``completed``, ``stopped`` or ``paused``; ``left`` are the hosts whose last step is still
    to be done, ``skipped`` those that the plan had to leave where they are, ``finish`` the command that finishes both,
    with the *inventories* of this run.
    """
    own = list(instances)
    done = "planned" if dry_run else "done"
    entries = [{**entry, "outcome": done if entry["outcome"] == "done" else entry["outcome"]} for entry in records]
    after: dict[str, str | None] = {entry["host"]: entry["to"] for entry in entries if entry["outcome"] == done}
    after.update(seen or {})
    failed = {entry["host"] for entry in entries if entry["outcome"] == "failed"}
    failed.update((halted or {}).get("hosts") or [])
    goals = {step["host"]: step["to"] for stage in plan["stages"] for step in stage["steps"]}
    return {
        "dry_run": dry_run,
        "state": (halted or {}).get("kind", "completed"),
        "reason": (halted or {}).get("reason", ""),
        "left": sorted(host for host, goal in goals.items() if after.get(host) != goal),
        "skipped": sorted(
            instance["host"]
            for instance in own
            if instance["host"] not in goals and instance["version"] != plan["target_version"]
        ),
        "finish": finish_command(plan["target_version"], inventories),
        "digest": plan["digest"],
        "target_version": plan["target_version"],
        "hosts": [_host(instance, after) for instance in own],
        "auth_outages": [
            {key: entry.get(key) for key in ("stage", "cluster", "host", "to", "outage", "backup")}
            for entry in entries
            if "outage" in entry
        ],
        "failed": sorted(failed),
        "steps": entries,
        "plan": dict(plan),
    }


def finish_command(target: str, inventories: Iterable[str]) -> str:
    """Return the command that finishes a run: the same again, over all hosts, as only then an order can be kept."""
    sources = [word for inventory in inventories for word in ("-i", inventory)]
    command = ["ansible-playbook", *sources, "lockstep.teleport.upgrade", "-e", f"teleport_target_version={target}"]
    return shlex.join(command)


def _host(instance: Mapping[str, Any], after: Mapping[str, str | None]) -> dict[str, Any]:
    own = {key: instance[key] for key in ("host", "cluster", "services")}
    return {**own, "before": instance["version"], "after": after.get(instance["host"], instance["version"])}


def render(report: Mapping[str, Any], most_rows: int = 200) -> str:
    """Return a report as Markdown: the table of hosts (at most *most_rows* rows), the outages, what is left to do."""
    dry_run = report["dry_run"]
    rows = [
        (row["host"], row["cluster"], ", ".join(row["services"]), row["before"], row["after"])
        for row in report["hosts"][:most_rows]
    ]
    lines = [
        f"# {'Planned: ' if dry_run else ''}Teleport upgrade to {report['target_version']}",
        "",
        f"Plan `{report['digest']}`",
        "",
        *_halted_lines(report),
        *_table(("host", "cluster", "services", *(("runs", "would run") if dry_run else ("before", "after"))), rows),
        *_more_lines(len(report["hosts"]) - len(rows), dry_run),
        "",
        *(_dry_run_lines(report) if dry_run else _outage_lines(report["auth_outages"])),
        *_failed_lines(report),
        *_skipped_lines(report),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _halted_lines(report: Mapping[str, Any]) -> list[str]:
    if report["state"] == "completed":
        return []
    left = report["left"]
    more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
    return [
        f"**{report['state'].capitalize()}**: {report['reason']}",
        "",
        f"Left to do: {', '.join(left[:MOST_NAMED]) or 'nothing'}{more}. {NEXT[report['state']]}",
        "",
        *_finish_lines(report),
    ]


def _more_lines(more: int, dry_run: bool) -> list[str]:
    return ["", f"… and {more} more hosts, see the {'plan' if dry_run else 'JSON report'}."] if more else []


def _cell(value: Any) -> str:
    """Names come from inventories and clusters: none may end its cell, begin a line, or act on a terminal."""
    if value is None:
        return UNKNOWN
    return " ".join(printable(str(value)).split()).replace("|", "\\|").replace("<", "&lt;")


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    lines = [head, tuple("---" for _column in head), *rows]
    return ["| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines]


def _dry_run_lines(report: Mapping[str, Any]) -> list[str]:
    stages = {(entry["stage"], entry["cluster"]) for entry in report["steps"] if entry["phase"] == "auth"}
    if not stages:
        return ["Nothing was changed. No Auth Service would be stopped.", ""]
    times = Counter(cluster for _stage, cluster in stages)
    told = ", ".join(f"{cluster} in {count} stage{'s' * (count > 1)}" for cluster, count in sorted(times.items()))
    return [f"Nothing was changed. The Auth Service would be stopped: {told}.", ""]


def _outage_lines(outages: Collection[Mapping[str, Any]]) -> list[str]:
    if not outages:
        return ["Auth was not away.", ""]
    rows = [
        (
            f"{row['stage']} → {row['to']}",
            row["cluster"],
            None if row["outage"] is None else f"{row['outage']:.1f}",
            row["host"],
            row["backup"],
        )
        for row in outages
    ]
    return [*_table(("stage", "cluster", "auth away (s)", "on", "backup"), rows), ""]


def _failed_lines(report: Mapping[str, Any]) -> list[str]:
    if not report["failed"]:
        return []
    names = ", ".join(report["failed"])
    if report["dry_run"]:
        return [f"Would fail: {names}. Mend them before the upgrade.", ""]
    ends = "Each was switched back, stopped answering, or did not stay well; the table says what it runs."
    said = [f"Failed: {names}. {ends} Mend them and run again.", ""]
    return said + (_finish_lines(report) if report["state"] == "completed" else [])


def _skipped_lines(report: Mapping[str, Any]) -> list[str]:
    skipped = report["skipped"]
    if not skipped:
        return []
    more = f" and {len(skipped) - MOST_NAMED} more" if len(skipped) > MOST_NAMED else ""
    told = "They did not answer, or their version is not known; that was waived. Mend them and run again."
    # Where something is left to do besides, the command stands there already.
    is_told = report["failed"] or report["state"] != "completed"
    return [
        f"Skipped: {', '.join(skipped[:MOST_NAMED])}{more}. {told}",
        "",
        *([] if is_told else _finish_lines(report)),
    ]


def _finish_lines(report: Mapping[str, Any]) -> list[str]:
    return ["With the variables that this run was given besides:", "", "```shell", report["finish"], "```", ""]
