# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second opinion on every plan: carries it out step by step and says which rule breaks where.

Written against the rules, not against the planner, and shares no code with it. No plan is given out against its word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay_config import PendingEdits
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay_fleet import ORDER, Fleet, Host

_ENOUGH = 20


def replay(plan: Mapping[str, Any], data: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    """Return what is wrong with a plan for this input (the options of ``upgrade_plan``), at most some twenty sentences.

    What was out of order at the start may stay so until the plan cures it; nothing may get out of order on the way.
    """
    run = _Replay(plan, data, catalogue)
    broken = []
    for text in run.judge():
        broken.append(text)
        if len(broken) >= _ENOUGH:
            break
    return broken


class _Replay:
    def __init__(self, plan: Mapping[str, Any], data: Mapping[str, Any], catalogue: Catalogue) -> None:
        cache: dict[str, int] = {}

        def index(version: Version) -> int:
            line = version.line
            if line not in cache:
                cache[line] = catalogue.index(line)
            return cache[line]

        self.fleet = Fleet(data, index)
        self.hops = [Version.parse(hop["to"]) for hop in plan["hops"]]
        self.target = Version.parse(plan["target_version"])
        self.stages: Sequence[Mapping[str, Any]] = plan["stages"]
        self.plan = plan
        self.touched: set[str] = set()
        self.reached: int | None = None
        self.edits = PendingEdits(data, catalogue)

    def judge(self) -> Iterator[str]:
        """Yield everything that is wrong, in the order in which it would happen."""
        yield from self._hops()
        for hop, stages in groupby(self.stages, key=lambda stage: stage["hop"]):
            for stage in stages:
                yield from (f"stage {stage['index']}: {text}" for text in self._stage(stage))
            yield from self._finished(hop)
        yield from self._end()

    def _hops(self) -> Iterator[str]:
        lines = [self.fleet.line_of(to) for to in self.hops]
        if any(later != earlier + 1 for earlier, later in pairwise(lines)):
            yield "the hops do not go from line to line"
        if self.hops and self.hops[-1] != self.target:
            yield f"the last hop leads to {self.hops[-1]}, not to the target {self.target}"
        if [hop["index"] for hop in self.plan["hops"]] != list(range(len(self.hops))):
            yield "the hops are not numbered from 0 on"
        if [stage["index"] for stage in self.stages] != list(range(len(self.stages))):
            yield "the stages are not numbered from 0 on"
        if any(later < earlier for earlier, later in pairwise(stage["hop"] for stage in self.stages)):
            yield "the stages are not in the order of hops"
        for hop, stages in groupby(self.stages, key=lambda stage: stage["hop"]):
            levels = [stage["level"] for stage in stages if stage["kind"] == "hop"]
            if levels != sorted(set(levels)):
                yield f"hop {hop} does not take each trust level once, root clusters before their leaves"

    def _stage(self, stage: Mapping[str, Any]) -> Iterator[str]:
        steps = stage["steps"]
        to = Version.parse(stage["to"])
        if stage["kind"] == "hop" and to != self.hops[stage["hop"]]:
            yield f"its version {to} is not that of its hop"
        yield from _order(steps)
        hosts = [step["host"] for step in steps]
        if len(set(hosts)) != len(hosts):
            yield "a host has two steps"
        yield from self._auth_groups(stage, to)
        for step in steps:
            yield from (f"{step['host']} to {to}: {text}" for text in self._step(stage, step, to))
        for host in sorted(set(stage.get("config_edits") or {}) - set(hosts)):
            yield f"teleport.yaml of {host} is changed, and nothing else of it"

    def _step(self, stage: Mapping[str, Any], step: Mapping[str, Any], to: Version) -> Iterator[str]:
        host = self.fleet.hosts.get(step["host"])
        if host is None or not host.movable:
            yield "it cannot be upgraded"
            return
        state = self.fleet.clusters[host.cluster]
        if (step["cluster"], step["phase"], state.level) != (host.cluster, host.phase, stage["level"]):
            yield "its cluster, phase or level is not the one it belongs to"
        if step["from"] != str(host.version) or step["to"] != str(to):
            yield f"the step says {step['from']} to {step['to']}, it runs {host.version}"
        if to == host.version:
            if not host.interrupted:
                yield "it runs that version already"
        elif to < host.version:
            yield f"this is a downgrade from {host.version}"
        if host.phase == "auth":
            yield from self._auth_step(host, to)
        self.touched.add(host.name)
        yield from self.edits.judge(host, self.fleet.line_of(to), (stage.get("config_edits") or {}).get(host.name))
        yield from self.fleet.change(host, to)

    def _auth_step(self, host: Host, to: Version) -> Iterator[str]:
        state = self.fleet.clusters[host.cluster]
        line = self.fleet.line_of(to)
        if line > host.line + 1:
            yield "an auth server skips a line"
        if to > host.version and state.slowest_movable() < line - 1:
            yield "an instance of its cluster is more than one line behind what this auth server becomes"
        if line > state.top:
            yield from self._leaves_line(line)

    def _leaves_line(self, line: int) -> Iterator[str]:
        """All clusters finish a hop before any starts the next."""
        if self.reached is not None and line <= self.reached:
            return
        self.reached = line
        for state in self.fleet.clusters.values():
            slowest = min(state.bottom, state.slowest_movable())
            if state.top < line and slowest < line - 1:
                yield f"a hop starts before cluster {state.name} has finished the one before"

    def _auth_groups(self, stage: Mapping[str, Any], to: Version) -> Iterator[str]:
        """Auth servers change one at a time, and whoever is stopped for a migration comes back in the same stage."""
        steps = [step for step in stage["steps"] if step["phase"] == "auth"]
        together = Counter(step["batch"] for step in stage["steps"])
        if any(together[step["batch"]] != 1 for step in steps):
            yield "two instances change together with an auth server"
        for name in sorted({step["cluster"] for step in steps}):
            state = self.fleet.clusters[name]
            moving = {step["host"] for step in steps if step["cluster"] == name}
            if to > state.newest_auth() and moving != set(state.auths):
                yield f"cluster {name} migrates and not all of its auth servers come along"

    def _finished(self, hop: int) -> Iterator[str]:
        line = self.fleet.line_of(self.hops[hop])
        for state in self.fleet.clusters.values():
            if state.bottom < line:
                yield f"hop {hop} ends and cluster {state.name} has an auth server below its line"

    def _end(self) -> Iterator[str]:
        for host in self.fleet.hosts.values():
            if not host.movable:
                continue
            if host.version != self.target:
                yield f"{host.name} ends at {host.version}, not at the target {self.target}"
            elif host.interrupted and host.name not in self.touched:
                yield f"{host.name} was interrupted and nothing finishes its upgrade"


def _order(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Phases come in order, batches rise, and no batch holds two phases."""
    ranks = [(step["batch"], ORDER.index(step["phase"])) for step in steps]
    if any(later < earlier for earlier, later in pairwise(ranks)) or [r for _batch, r in ranks] != sorted(
        r for _batch, r in ranks
    ):
        yield "its phases or batches are out of order"
    if len({batch for batch, _rank in ranks}) != len(set(ranks)):
        yield "a batch holds two phases"
