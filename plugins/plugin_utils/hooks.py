# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task files of the user's own that run before and after each phase of a stage."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan, stage_at
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import PHASES

VARIABLE = "teleport_hooks"
POINTS = tuple(f"{side}_{phase}" for phase in PHASES for side in ("before", "after"))


def named(variables: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the hooks that any of these hosts, or the controller, names.

    A point for which they name different files has a list of them; :func:`problems` refuses it. Hooks belong to a run
    and not to a host, but where an inventory keeps its variables is its own business.
    """
    found: dict[str, list[Any]] = {}
    for one in variables:
        hooks = one.get(VARIABLE)
        for point, path in hooks.items() if isinstance(hooks, Mapping) else ([("", hooks)] if hooks else ()):
            if path not in found.setdefault(str(point), []):
                found[str(point)].append(path)
    return {point: paths[0] if len(paths) == 1 else paths for point, paths in found.items()}


def problems(
    hooks: Mapping[str, Any], folder: str, is_file: Callable[[str], bool] = os.path.isfile
) -> list[dict[str, str | None]]:
    """Return a blocker for each hook that could not be run, as ``upgrade_plan`` takes findings.

    :param folder: where relative paths start, the working directory of the run.
    """
    return [
        problem.as_dict() for point, path in sorted(hooks.items()) for problem in _judge(point, path, folder, is_file)
    ]


def _judge(point: str, path: Any, folder: str, is_file: Callable[[str], bool]) -> Iterable[Finding]:
    if point not in POINTS:
        yield finding("hook-unusable", f"{VARIABLE} has {point or path!r}; it maps {', '.join(POINTS)} to task files.")
    elif isinstance(path, list):
        yield finding(
            "hook-unusable", f"Hosts name different files for {VARIABLE}.{point}: {', '.join(map(str, path))}."
        )
    elif not isinstance(path, str) or not is_file(os.path.join(folder, path)):
        yield finding("hook-unusable", f"{VARIABLE}.{point} names {path!r}, and no such file is below {folder}.")


def is_due(localhost: Mapping[str, Any], index: int, point: str, batch: Collection[str]) -> bool:
    """Whether a hook runs with this batch: before the first host of its phase, or after the last unless the run stops.

    :param localhost: variables of the controller, which keeps the plan, the hooks and the record of a stop.
    """
    if localhost.get("halt_record") or point not in (localhost["plan_inventory"].get("hooks") or {}):
        return False
    hosts = occasion(localhost["plan_outcome"]["plan"], index, point)["hosts"]
    return bool(hosts) and hosts[-1 if point.startswith("after") else 0] in batch


def occasion(plan: Plan, index: int, point: str) -> dict[str, Any]:
    """Return what a hook is told: ``point``, ``phase``, ``stage``, ``to``, ``hosts`` and ``clusters``."""
    phase = point.partition("_")[2]
    stage = stage_at(plan, index) or {"steps": [], "to": None}
    steps = [step for step in stage["steps"] if step["phase"] == phase]
    return {
        "point": point,
        "phase": phase,
        "stage": index,
        "to": stage["to"],
        "hosts": [step["host"] for step in steps],
        "clusters": sorted({step["cluster"] for step in steps}),
    }
