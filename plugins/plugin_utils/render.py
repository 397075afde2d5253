# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as Markdown, for the person who approves it. Pure; long lists are cut, the JSON plan has them whole."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import printable
from ansible_collections.lockstep.teleport.plugins.plugin_utils.estimate import told
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import BLOCKER, INFO, WAIVED, WARNING

_HOSTS_SHOWN = 5
_BATCHES_SHOWN = 6
_FINDINGS_SHOWN = 10
_MARKUP_RE = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")
_TITLES = {BLOCKER: "Blockers", WAIVED: "Waived blockers", WARNING: "Warnings", INFO: "Notes"}
_PHASES = {"auth": "Auth Service", "proxy": "Proxy Service", "agent": "agents", "client": "client tools"}

Step = Mapping[str, Any]


def render(plan: Mapping[str, Any], *, refused: bool = False, estimates: Mapping[str, Any] | None = None) -> str:
    """Return the Markdown of a plan, with what `estimate` says of it; of a refused one, what speaks against it."""
    lines = [f"# Teleport upgrade to {_escape(plan['target_version'])}", ""]
    if refused:
        lines += ["**Refused.** Nothing will be changed until the blockers below are cured or waived.", ""]
    else:
        lines += _summary(plan, estimates)
    lines += _findings(plan["findings"])
    for stage in plan["stages"]:
        lines += _stage(stage, plan["hops"])
    if plan["stages"]:
        lines += _approval(plan["digest"])
    return "\n".join(lines).rstrip() + "\n"


def _summary(plan: Mapping[str, Any], estimates: Mapping[str, Any] | None) -> list[str]:
    if not plan["stages"]:
        return ["Everything is there already. Nothing is to be done.", ""]
    steps = [step for stage in plan["stages"] for step in stage["steps"]]
    clusters = sorted({step["cluster"] for step in steps})
    waived = sum(item["severity"] == WAIVED for item in plan["findings"])
    path = " → ".join(_escape(hop["to"]) for hop in plan["hops"])
    return [
        f"- Digest: `{plan['digest']}`",
        f"- Hops: {path}",
        f"- {_many(len(plan['stages']), 'stage')}, {_many(len(steps), 'change')} on "
        f"{_many(len({step['host'] for step in steps}), 'host')} of {_many(len(clusters), 'cluster')}: "
        + _cut([_escape(name) for name in clusters], _HOSTS_SHOWN),
        f"- {_many(waived, 'waived blocker')}",
        *([f"- {told(estimates)}"] if estimates else []),
        "",
        "Stages are carried out in this order, batches one after the other, the hosts of a batch together.",
        "",
    ]


def _findings(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for severity, title in _TITLES.items():
        chosen = [item for item in findings if item["severity"] == severity]
        if not chosen:
            continue
        yield f"## {title} ({len(chosen)})"
        yield ""
        by_code: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for item in chosen:
            by_code[item["code"]].append(item)
        for code, items in by_code.items():
            yield from (_finding(code, item) for item in items[:_FINDINGS_SHOWN])
            if len(items) > _FINDINGS_SHOWN:
                yield f"- `{code}`: {len(items) - _FINDINGS_SHOWN} more like these"
        yield ""


def _finding(code: str, item: Mapping[str, Any]) -> str:
    place = " / ".join(_escape(item[key]) for key in ("cluster", "host") if item[key])
    return f"- `{code}` {f'{place}: ' if place else ''}{_escape(item['message'])} *{_escape(item['hint'])}*"


def _stage(stage: Mapping[str, Any], hops: Sequence[Mapping[str, Any]]) -> list[str]:
    leads_to = _escape(hops[stage["hop"]]["to"])
    what = f"laggards, before the hop to {leads_to}" if stage["kind"] == "laggards" else f"hop {stage['hop']}"
    lines = [f"## Stage {stage['index']}: to {_escape(stage['to'])} ({what}, trust level {stage['level']})", ""]
    phases: dict[str, dict[int, list[Step]]] = defaultdict(lambda: defaultdict(list))
    for step in stage["steps"]:
        phases[step["phase"]][step["batch"]].append(step)
    for phase, batches in phases.items():
        lines += [*_phase(phase, list(batches.values())), ""]
    return lines + list(_config_edits(stage))


def _config_edits(stage: Mapping[str, Any]) -> Iterator[str]:
    """The changes of configurations as a diff; hosts with the same one share it."""
    for change, hosts in changes_of(stage).items():
        names = _cut([_escape(host) for host in hosts], _HOSTS_SHOWN)
        yield f"**Changes of teleport.yaml** on {_many(len(hosts), 'host')}: {names}"
        yield ""
        yield from ("```diff", *(re.sub(r"\s+", " ", printable(line)).replace("`", "'") for line in change), "```", "")


def changes_of(stage: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Return which hosts a stage changes ``teleport.yaml`` of, by the lines to show."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for host, edit in (stage.get("config_edits") or {}).items():
        found[tuple(edit["lines"])].append(host)
    return found


def _phase(phase: str, batches: list[list[Step]]) -> Iterator[str]:
    total = sum(len(batch) for batch in batches)
    yield f"**{_PHASES[phase]}**: {_many(total, 'host')} in {_many(len(batches), 'batch', 'batches')}"
    yield ""
    shown = len(batches) if phase == "auth" else _BATCHES_SHOWN
    for number, batch in enumerate(batches[:shown], start=1):
        yield f"{number}. {_cut([_name(step) for step in batch], _HOSTS_SHOWN)}"
    if len(batches) > shown:
        rest = sum(len(batch) for batch in batches[shown:])
        yield f"\n   … and {_many(len(batches) - shown, 'batch', 'batches')} with {_many(rest, 'host')}"


def _name(step: Step) -> str:
    marks = [str(step["from"])]
    if step.get("migrates"):
        marks.append("migrates the backend")
    return f"{_escape(step['cluster'])}/{_escape(step['host'])} ({', '.join(_escape(mark) for mark in marks)})"


def _approval(digest: str) -> list[str]:
    return [
        "## Approval",
        "",
        f"To carry out this plan and no other, run the upgrade with `teleport_approved_digest: {digest}`.",
        "When anything observed has changed by then, the plan differs and the run stops before it changes anything.",
    ]


def _cut(names: Sequence[str], shown: int) -> str:
    if len(names) <= shown + 1:
        return ", ".join(names)
    return f"{', '.join(names[:shown])}, … {len(names) - shown} more"


def _many(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def _escape(text: object) -> str:
    """Keep names and messages from being read as markup; a line break in one must not start a list or a heading."""
    flat = re.sub(r"\s+", " ", printable(str(text)))
    return _MARKUP_RE.sub(r"\\\1", flat)
