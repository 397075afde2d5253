# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one stage of a plan means for the hosts of a play: pure look-ups in the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import AUTH, PHASES

Plan = Mapping[str, Any]

WHOLE = 100  # percent


def stage_at(plan: Plan, index: int) -> Mapping[str, Any] | None:
    """Return the stage with this index, ``None`` beyond the end or when there is no plan."""
    stages = plan.get("stages") or []
    return stages[index] if 0 <= index < len(stages) else None


def hosts_of(plan: Plan, index: int, phase: str) -> list[str]:
    """Return the hosts of one phase of a stage in the order of their batches; nothing beyond the last stage.

    Raises ``ValueError`` for a phase that there is none of.
    """
    return [step["host"] for step in _phase_steps(plan, index, phase)]


def serial_sizes(plan: Plan, index: int, phase: str) -> list[int]:
    """Return the batch sizes of one phase of a stage, to be used as ``serial`` of a play over `hosts_of`."""
    return list(Counter(step["batch"] for step in _phase_steps(plan, index, phase)).values())


def _phase_steps(plan: Plan, index: int, phase: str) -> list[Mapping[str, Any]]:
    if phase not in PHASES:
        raise ValueError(f"{phase!r} is not a phase; allowed are {', '.join(PHASES)}")
    stage = stage_at(plan, index)
    return [step for step in stage["steps"] if step["phase"] == phase] if stage else []


def auth_hosts(plan: Plan, index: int) -> list[str]:
    """Return the auth hosts that a stage changes, in the plan's order."""
    return hosts_of(plan, index, AUTH)


def stage_clusters(plan: Plan, index: int) -> list[str]:
    """Return the clusters that a stage changes, by name."""
    stage = stage_at(plan, index)
    return sorted({step["cluster"] for step in stage["steps"]}) if stage else []


def gate_hosts(plan: Plan, index: int, instances: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one auth host for each cluster that a stage changes: the one to ask at the gate."""
    wanted = stage_clusters(plan, index)
    chosen: dict[str, str] = {}
    for instance in instances:
        if "auth" in instance["services"] and instance["cluster"] in wanted:
            chosen.setdefault(instance["cluster"], instance["host"])
    return [chosen[name] for name in wanted if name in chosen]


def all_gate_hosts(plan: Plan, instances: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the auth hosts that any stage asks at its gate."""
    own = list(instances)
    stages = range(len(plan.get("stages") or []))
    return sorted({host for index in stages for host in gate_hosts(plan, index, own)})


def canary(plan: Plan, index: int) -> str:
    """Return the agent that the hop of a stage begins with, in this stage or one before it; ``""`` without agents.

    It is watched for longer, and so is who follows when it failed: what dies a while after it was ready is to be
    noticed while it is one host.
    """
    stage = stage_at(plan, index)
    if stage is None:
        return ""
    steps = (step for begun in plan["stages"][: index + 1] if begun["to"] == stage["to"] for step in begun["steps"])
    return next((str(step["host"]) for step in steps if step["phase"] == "agent"), "")


def left_behind(plan: Plan, index: int, failed: Collection[str]) -> list[str]:
    """Return which of the hosts in *failed* forbid the auth servers of a stage to move.

    These are hosts of earlier hops, and laggards of any hop: the next line is one too many for them. What failed in
    the hop that the stage belongs to is one line behind at most, which Teleport serves.
    """
    stage = stage_at(plan, index)
    if stage is None or not failed:
        return []
    lost = set(failed)
    earlier = [past for past in plan["stages"][:index] if past["hop"] < stage["hop"] or past["kind"] == "laggards"]
    return sorted({step["host"] for past in earlier for step in past["steps"] if step["host"] in lost})


def count_agents(instances: Iterable[Mapping[str, Any]]) -> int:
    """Count the instances that run neither auth nor proxy; hosts with client tools alone are no agents."""
    return sum(set(instance["services"]).isdisjoint({"auth", "proxy", "client"}) for instance in instances)


def failure_budget(spec: int | str, total: int) -> int:
    """Return how many of *total* agents may fail: a number, or a percentage rounded down.

    Raises ``ValueError`` when *spec* is neither.
    """
    text = str(spec).strip()
    number = text.removesuffix("%")
    if not number.isdigit() or (text.endswith("%") and int(number) > WHOLE):
        raise ValueError(
            f"teleport_max_failed_agents is {spec!r}: "
            "a number of agents (0, 5) or a percentage of them (0% to 100%) is allowed."
        )
    return int(number) * total // 100 if text.endswith("%") else int(number)
