# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan, or the report of a run, as one self-contained HTML page. Pure; long lists are cut, the JSON has all."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from ansible_collections.lockstep.teleport.plugins.plugin_utils.drawing import draw_clusters, draw_timeline
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import BLOCKER, WAIVED, WARNING
from ansible_collections.lockstep.teleport.plugins.plugin_utils.render import changes_of

#: Rows of the table of hosts, and names in one cell, that are shown.
MOST_HOSTS = 500
MOST_NAMES = 12
MOST_FINDINGS = 200

_UNKNOWN = "–"
_PHASES = {"auth": "Auth Service", "proxy": "Proxy Service", "agent": "agents", "client": "client tools"}
_TONES = {BLOCKER: "bad", WAIVED: "warn", WARNING: "warn"}
_STATES = {
    "completed": ("completed", "good"),
    "stopped": ("stopped", "bad"),
    "paused": ("paused", "warn"),
}

Plan = Mapping[str, Any]
Trust = Mapping[str, Mapping[str, Any] | None]


def plan_page(plan: Plan, clusters: Trust | None = None, *, refused: bool = False) -> str:
    """Return the page of a plan; of a refused one, what speaks against it. *clusters* is ``teleport_clusters``."""
    steps = _steps(plan)
    state = ("refused", "bad") if refused else ("planned", "good") if steps else ("nothing to do", "good")
    versions = {step["host"]: (step["cluster"], step["phase"], step["from"], step["to"]) for step in reversed(steps)}
    goals = {step["host"]: step["to"] for step in steps}
    hosts = [(*row[:3], goals[host]) for host, row in versions.items()]
    return _render(
        title=f"Plan: Teleport upgrade to {plan['target_version']}",
        state={"word": state[0], "tone": state[1], "text": "Nothing has been changed."},
        run=[],
        figures=_plan_figures(plan, steps),
        stages=list(_stages(plan, {})),
        drawing=_drawing(hosts, clusters),
        **_common(plan),
    )


def report_page(report: Mapping[str, Any], clusters: Trust | None = None) -> str:
    """Return the page of a report (see :mod:`.report`). *clusters* is ``teleport_clusters``."""
    plan, dry_run = report["plan"], report["dry_run"]
    word, tone = ("dry run", "good") if dry_run else _STATES[report["state"]]
    tone = "bad" if report["failed"] and tone == "good" else tone
    outcomes = {(entry["stage"], entry["host"]): entry["outcome"] for entry in report["steps"]}
    hosts = [(row["cluster"], row["services"][0], row["before"], row["after"]) for row in report["hosts"]]
    return _render(
        title=f"{'Dry run: ' if dry_run else ''}Teleport upgrade to {report['target_version']}",
        state={"word": word, "tone": tone, "text": report["reason"]},
        run=[text for text in (report.get("run") or {}).values() if text],
        figures=_report_figures(report),
        stages=list(_stages(plan, outcomes)),
        drawing=_drawing(hosts, clusters),
        timelines=list(_timelines(report["steps"])),
        hosts=[_host_row(row, report) for row in report["hosts"][:MOST_HOSTS]],
        more_hosts=max(0, len(report["hosts"]) - MOST_HOSTS),
        after="would run" if dry_run else "after",
        **_common(plan),
    )


@functools.lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.ChainableUndefined, trim_blocks=False, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2")


def _render(**values: Any) -> str:
    return _template().render(**values) + "\n"


def _common(plan: Plan) -> dict[str, Any]:
    found = [
        {
            "severity": item["severity"],
            "tone": _TONES.get(item["severity"], "soft"),
            "code": item["code"],
            "where": " / ".join(item[key] for key in ("cluster", "host") if item[key]) or _UNKNOWN,
            "message": item["message"],
            "hint": item["hint"],
        }
        for item in plan["findings"][:MOST_FINDINGS]
    ]
    return {"digest": plan["digest"], "findings": found}


def _steps(plan: Plan) -> list[Mapping[str, Any]]:
    return [step for stage in plan["stages"] for step in stage["steps"]]


def _plan_figures(plan: Plan, steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any]]:
    severities = Counter(item["severity"] for item in plan["findings"])
    return [
        ("hops", " → ".join(hop["to"] for hop in plan["hops"]) or _UNKNOWN),
        ("stages", len(plan["stages"])),
        ("hosts", len({step["host"] for step in steps})),
        ("blockers", severities[BLOCKER]),
        ("waived", severities[WAIVED]),
        ("warnings", severities[WARNING]),
    ]


def _report_figures(report: Mapping[str, Any]) -> list[tuple[str, Any]]:
    done = "planned" if report["dry_run"] else "done"
    longest = max((row["outage"] for row in report["auth_outages"] if row["outage"] is not None), default=None)
    return [
        ("hops", " → ".join(hop["to"] for hop in report["plan"]["hops"]) or _UNKNOWN),
        (f"changes {done}", sum(entry["outcome"] == done for entry in report["steps"])),
        ("hosts failed", len(report["failed"])),
        ("hosts left", len(report.get("left") or [])),
        ("longest auth outage", _UNKNOWN if longest is None else f"{longest:.1f} s"),
    ]


def _stages(plan: Plan, outcomes: Mapping[tuple[int, str], str]) -> Iterator[dict[str, Any]]:
    for stage in plan["stages"]:
        batches: dict[tuple[str, int], list[str]] = defaultdict(list)
        for step in stage["steps"]:
            batches[step["phase"], step["batch"]].append(step["host"])
        rows = [_batch_row(stage["index"], key, hosts, outcomes) for key, hosts in batches.items()]
        kind = "laggards first" if stage["kind"] == "laggards" else f"trust level {stage['level']}"
        text = f"{kind}, {len(stage['steps'])} changes in {len(rows)} batches"
        yield {
            "index": stage["index"],
            "to": stage["to"],
            "text": text,
            "rows": rows,
            "edits": [{"hosts": _cut(hosts), "lines": list(change)} for change, hosts in changes_of(stage).items()],
            "outcomes": bool(outcomes),
        }


def _batch_row(
    stage: int, key: tuple[str, int], hosts: list[str], outcomes: Mapping[tuple[int, str], str]
) -> dict[str, Any]:
    counts = Counter(outcomes.get((stage, host), "not begun") for host in hosts)
    tone = "bad" if counts["failed"] else "soft" if counts["not begun"] else "good"
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return {"batch": key[1] + 1, "phase": _PHASES[key[0]], "hosts": _cut(hosts), "outcome": told, "tone": tone}


def _cut(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _drawing(hosts: Sequence[tuple[Any, ...]], clusters: Trust | None) -> dict[str, Any]:
    """*hosts* are cluster, phase, version before and after of each host."""
    declared = clusters or {}
    roots = {str(name): (row or {}).get("root") for name, row in declared.items()}
    names = list(dict.fromkeys([*roots, *sorted({row[0] for row in hosts})]))
    return draw_clusters(names, roots, {name: _cluster_rows(name, hosts) for name in names})


def _cluster_rows(cluster: str, hosts: Sequence[tuple[Any, ...]]) -> list[str]:
    rows = []
    for phase, title in _PHASES.items():
        own = [(before, after) for name, of, before, after in hosts if (name, of) == (cluster, phase)]
        if own:
            before, after = (_versions(versions) for versions in zip(*own, strict=True))
            rows.append(f"{len(own)} × {title}: " + (before if before == after else f"{before} → {after}"))
    return rows


def _versions(versions: Sequence[str | None]) -> str:
    found = sorted({version or "?" for version in versions})
    return found[0] if len(found) == 1 else f"{len(found)} versions"


def _timelines(steps: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in steps:
        if entry.get("timeline"):
            outage = entry.get("outage")
            away = "" if outage is None else f" Auth was away for {outage:.1f} s."
            yield {
                "stage": entry["stage"],
                "host": entry["host"],
                "text": f"{entry['from']} → {entry['to']}.{away}",
                **draw_timeline(entry["timeline"], _window(entry)),
            }


def _window(entry: Mapping[str, Any]) -> dict[str, float] | None:
    """When auth was away, from its own events: from the stop to the first sign of being ready."""
    at = {event["event"]: float(event["at"]) for event in entry["timeline"]}
    if entry.get("outage") is None or "stop" not in at or "ready" not in at:
        return None
    return {"stopped_at": at["stop"], "ready_at": at["ready"]}


def _host_row(row: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    tone = "bad" if row["host"] in report["failed"] else "good" if row["after"] == report["target_version"] else "warn"
    return {
        "host": row["host"],
        "cluster": row["cluster"],
        "services": ", ".join(row["services"]),
        "before": row["before"] or _UNKNOWN,
        "after": row["after"] or _UNKNOWN,
        "tone": tone,
    }
