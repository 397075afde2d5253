# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays of a rollback take from the plan and the hosts' results, and the report of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_render import span
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import hosts_of

HostVars = Mapping[str, Mapping[str, Any]]
Plan = Mapping[str, Any]


def with_holds(instances: Iterable[Mapping[str, Any]], hostvars: HostVars) -> list[dict[str, Any]]:
    """Return the planner's instances with ``held`` of each, as it was observed."""
    return [{**row, "held": _held(hostvars[row["host"]])} for row in instances]


def _held(variables: Mapping[str, Any]) -> bool:
    observed = (variables.get("observe_result") or {}).get("instance") or {}
    return observed.get("held") is True


def scope(instances: Iterable[Mapping[str, Any]], wanted: str) -> dict[str, Any]:
    """Return what a rollback is about: ``cluster``, ``auths`` (those that answer, who runs first) and ``before``.

    *wanted* names the cluster; without it the only cluster there is counts, and the name stays empty when there are
    several. ``before`` is the newest version among its auth servers, None when none is known.
    """
    rows = list(instances)
    names = sorted({row["cluster"] for row in rows})
    cluster = wanted or (names[0] if len(names) == 1 else "")
    group = [row for row in rows if row["cluster"] == cluster and "auth" in row["services"]]
    answering = [row for row in group if row["state"] != "unreachable"]
    auths = sorted(answering, key=lambda row: (row["state"] != "running", row["host"]))
    versions = [Version.parse(row["version"]) for row in auths if row["version"]]
    return {
        "cluster": cluster,
        "auths": [row["host"] for row in auths],
        "before": str(max(versions)) if versions else None,
    }


def offers(hosts: Iterable[str], hostvars: HostVars) -> list[dict[str, Any]]:
    """Return what each auth host said of its backups; where looking failed, why stands in the place of a backup."""
    told = []
    for host in hosts:
        result = hostvars[host].get("rollback_survey") or {}
        chosen = result.get("chosen")
        if result.get("failed"):
            problem = {"code": "unusable", "message": str(result.get("msg"))}
            chosen = {"name": "", "path": "", "problems": [problem]}
        told.append({"host": host, "backups": result.get("backups") or [], "chosen": chosen})
    return told


def refusals(hosts: Iterable[str], hostvars: HostVars) -> dict[str, str]:
    """Return the reason of each host that said it could not go back; one that did not answer is one of them."""
    told = {}
    for host in hosts:
        result = hostvars[host].get("rollback_rehearsal")
        if not isinstance(result, Mapping):
            told[host] = f"{host} did not answer when it was asked whether it can go back."
        elif result.get("failed") or result.get("unreachable"):
            told[host] = str(result.get("msg") or "It failed and did not say why.")
    return told


def part(plan: Plan, host: str) -> dict[str, Any]:
    """Return what an auth host does in a rollback: ``goes_first``, ``restores``, ``members``, ``peers``, ``first``."""
    members = hosts_of(plan, 0, "auth")
    first = members[0] if members else None
    return {
        "members": members,
        "first": first,
        "peers": members[1:],
        "goes_first": host == first,
        "restores": bool(plan["restore"]) and host == first,
    }


def locked(outcome: Mapping[str, Any], auths: Iterable[str]) -> list[str]:
    """Return the auth hosts to lock, all that answer; none when there is nothing to do or the rollback is refused."""
    plan = outcome.get("plan")
    return list(auths) if plan and plan["stages"] and not outcome.get("failed") else []


def gate_hosts(outcome: Mapping[str, Any], auths: Iterable[str]) -> list[str]:
    """Return the auth host to ask at the end; none when there is nothing to ask for.

    *outcome* is what ``rollback_plan`` returned, *auths* are the auth hosts of the cluster.
    """
    plan = outcome.get("plan")
    if not plan or not plan["stages"]:
        return []
    return (part(plan, "")["members"] or list(auths))[:1]


def expectations(plan: Plan, names: Mapping[str, list[str]], failed: Iterable[str], final: bool) -> dict[str, Any]:
    """Return what the gate asks for: once the first auth server is back, or (*final*) at the end.

    Certificates, authorities and leaf connections are not compared with those before: they are what the backup has.
    """
    steps = [step for stage in plan["stages"] for step in stage["steps"]]
    lost = set(failed)
    if not final:
        own = part(plan, "")
        stopped = [name for peer in own["peers"] for name in names[peer]]
        return {"version": plan["target_version"], "proven": names.get(own["first"] or "", []), "stopped": stopped}
    back = [step for step in steps if step["phase"] != "client" and step["host"] not in lost]
    keys = ("host_uuid", "hostname", "nodename")
    return {
        "version": plan["target_version"],
        "proven": [name for step in back for name in names[step["host"]]],
        "instances": [
            {"host": step["host"], "version": step["to"], **dict(zip(keys, names[step["host"]][1:], strict=False))}
            for step in back
        ],
    }


def build(
    plan: Plan, hostvars: HostVars, failed: Iterable[str], dry_run: bool, halted: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the report as plain data: each host before and after, the restore, where the evidence lies.

    *halted* is the record of a stop. The ``outcome`` of a host that it came before is ``left``.
    """
    lost = set(failed)
    steps = [step for stage in plan["stages"] for step in stage["steps"]]
    first = part(plan, "")["first"]
    restored = (hostvars[first].get("rollback_restored") or {}) if first else {}
    return {
        "dry_run": dry_run,
        "cluster": plan["cluster"],
        "version": plan["target_version"],
        "reason": (halted or {}).get("reason"),
        "hosts": [
            {**step, "outcome": _outcome(hostvars[step["host"]], step["host"] in lost, dry_run, bool(halted))}
            for step in steps
        ],
        "restored": {
            "host": first,
            "backup": (plan["backup"] or {}).get("path"),
            "changed": bool(restored.get("changed")),
            "evidence": restored.get("evidence"),
        }
        if plan["restore"]
        else None,
        "lost": plan["lost"],
        "failed": sorted(lost),
        "plan": dict(plan),
    }


def _outcome(variables: Mapping[str, Any], is_lost: bool, dry_run: bool, is_halted: bool) -> str:
    if is_lost:
        return "failed"
    if is_halted and "rollback_upgrade" not in variables:
        return "left"
    return "planned" if dry_run else "done"


def render(report: Mapping[str, Any]) -> str:
    """Return a report as Markdown."""
    dry = report["dry_run"]
    lines = [
        f"# {'Planned: r' if dry else 'R'}ollback of Teleport cluster {report['cluster']} to {report['version']}",
        "",
    ]
    if not report["hosts"]:
        return "\n".join([*lines, "Everything was there already. Nothing was changed.", ""])
    lines += ["| host | phase | before | after | outcome |", "| --- | --- | --- | --- | --- |"]
    for row in report["hosts"]:
        after = row["from"] if row["outcome"] in ("failed", "left") else row["to"]
        lines.append(f"| {row['host']} | {row['phase']} | {row['from']} | {after} | {row['outcome']} |")
    ended = [f"Stopped: {report['reason']}", ""] if report["reason"] else _restored(report)
    return "\n".join([*lines, "", *ended, *_failed(report)]).rstrip() + "\n"


def _restored(report: Mapping[str, Any]) -> list[str]:
    restored, lost = report["restored"], report["lost"]
    if not restored:
        return ["The backend was not restored: no release line was crossed, or it had been restored before.", ""]
    if report["dry_run"]:
        return [f"On {restored['host']} `{restored['backup']}` would be restored. Nothing was changed.", ""]
    lines = [f"On {restored['host']} the backend is as in `{restored['backup']}`.", ""]
    if restored["evidence"]:
        lines += [f"What was found before is kept on {restored['host']} in `{restored['evidence']}`.", ""]
    if lost:
        lines += [f"Lost is what was written from {lost['since']} to {lost['until']}, {span(lost['seconds'])}.", ""]
    return lines


def _failed(report: Mapping[str, Any]) -> list[str]:
    if not report["failed"]:
        return []
    return [
        f"Not taken back: {', '.join(report['failed'])}. They are newer than their auth servers: mend them, run again.",
        "",
    ]
