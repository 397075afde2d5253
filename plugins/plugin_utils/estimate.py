# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the stages of a plan will take, from what earlier runs measured, or from defaults. Pure; times in seconds.

A figure is what one host of a phase takes from the first thing that is done there to the proof that it stays ready;
that of the gate is for a whole stage.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import AUTH, PHASES

GATE = "gate"
#: What hosts of a lab take, ``stable_for`` of 5 s and a small backup included.
DEFAULTS = {"auth": 20.0, "proxy": 12.0, "agent": 12.0, "client": 4.0, GATE: 10.0}
#: Hosts of a phase whose figures are taken; to read the variables of all would cost more than it tells.
SAMPLE = 20
_LARGEST_REPORT = 256 << 20
_MOST_SECONDS = 24 * 3600.0


def estimate(plan: Plan, forks: int, measured: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return ``seconds``, ``stages`` (``index``, ``seconds`` and seconds by phase as ``phases``) and ``measured``.

    *measured* are figures by phase, which count before the defaults; the result names those used. *forks* is how many
    hosts the controller works on at the same time.
    """
    known = usable(measured)
    figures = {**DEFAULTS, **known}
    stages = [_stage(stage, max(forks, 1), figures) for stage in plan.get("stages") or []]
    seconds = sum(stage["seconds"] for stage in stages)
    return {"seconds": round(seconds), "stages": stages, "measured": sorted(known)}


def usable(measured: object) -> dict[str, float]:
    """Return the figures of *measured* that can be used; it came out of a file that anybody may have written."""
    pairs = measured.items() if isinstance(measured, Mapping) else ()
    return {
        phase: float(value)
        for phase, value in pairs
        if phase in DEFAULTS and isinstance(value, (int, float)) and 0 < value < _MOST_SECONDS
    }


def earlier_figures(path: str) -> dict[str, float]:
    """Return the figures in the report of an earlier run; none when there is none, or it is something else."""
    try:
        report = foreign_file.parse_json(foreign_file.read(path, _LARGEST_REPORT))
    except (OSError, ValueError):
        return {}
    return usable(report.get("measured")) if isinstance(report, Mapping) else {}


def measured_figures(plan: Plan, hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the median by phase of what hosts of this run took, as far as their results tell."""
    seconds: dict[str, list[float]] = {}
    for phase in PHASES:
        hosts = [s["host"] for stage in plan.get("stages") or [] for s in stage["steps"] if s["phase"] == phase]
        found = [_seconds_on(hostvars[host], phase) for host in list(dict.fromkeys(hosts))[:SAMPLE]]
        seconds[phase] = [value for value in found if value]
    return {phase: round(statistics.median(values), 1) for phase, values in seconds.items() if values}


def _seconds_on(variables: Mapping[str, Any], phase: str) -> float:
    result = variables.get(f"{phase}_upgrade") or {}
    times = [event["at"] for event in result.get("timeline") or []]
    return float(times[-1] - times[0]) if len(times) > 1 and not result.get("failed") else 0.0


def _stage(stage: Mapping[str, Any], forks: int, figures: Mapping[str, float]) -> dict[str, Any]:
    phases = {}
    for phase in PHASES:
        steps = [step for step in stage["steps"] if step["phase"] == phase]
        rounds = _auth_rounds(steps) if phase == AUTH else _rounds(steps, forks)
        if rounds:
            phases[phase] = round(rounds * figures[phase])
    phases[GATE] = round(figures[GATE])
    return {"index": stage["index"], "seconds": sum(phases.values()), "phases": phases}


def _auth_rounds(steps: Iterable[Mapping[str, Any]]) -> int:
    """Primaries of all clusters go side by side, peers one after the other."""
    groups = Counter(step["cluster"] for step in steps)
    return bool(groups) + sum(groups.values()) - len(groups)


def _rounds(steps: Iterable[Mapping[str, Any]], forks: int) -> int:
    return sum(-(-size // forks) for size in Counter(step["batch"] for step in steps).values())


def spoken(seconds: float) -> str:
    """Return a time as people say it: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 100:  # noqa: PLR2004 - above it minutes say it better
        return f"{round(seconds)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def told(estimates: Mapping[str, Any]) -> str:
    """Return one line about the whole and each stage."""
    stages = ", ".join(f"stage {stage['index']} {spoken(stage['seconds'])}" for stage in estimates["stages"])
    known = estimates["measured"]
    source = f"the last run's figures for {', '.join(known)}" if known else "default figures"
    return f"Estimated time: {spoken(estimates['seconds'])} ({stages}; from {source})"
