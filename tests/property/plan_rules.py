# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of an upgrade, spelled out pair by pair over plain data, and the shortest valid order found by search.

A third reading of the rules, next to the planner's and the replay's, and the slowest one: every pair is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue

CATALOGUE = Catalogue.load()
PHASES = ["auth", "proxy", "agent", "client"]

State = tuple[int, ...]


@dataclass
class Scene:
    """A small fleet. A state holds for each instance the place of its version in ``versions``, which are in order."""

    versions: list[Version]
    lines: list[int]
    phases: list[str]
    clusters: list[str]
    roots: Mapping[str, str | None]
    start: State
    goal: State

    @classmethod
    def of(cls, data: Mapping[str, Any], stops: Sequence[str]) -> Scene:
        """Set the scene for a planner's input; *stops* are the versions of its hops."""
        rows = data["instances"]
        target = Version.parse(data["target_version"])
        versions = sorted({Version.parse(text) for text in [*stops, *(row["version"] for row in rows)]} | {target})
        return cls(
            versions=versions,
            lines=[CATALOGUE.index(version) for version in versions],
            phases=[min(row["services"], key=PHASES.index) for row in rows],
            clusters=[row["cluster"] for row in rows],
            roots={name: (row or {}).get("root") for name, row in data["clusters"].items()},
            start=tuple(versions.index(Version.parse(row["version"])) for row in rows),
            goal=tuple([versions.index(target)] * len(rows)),
        )

    def __post_init__(self) -> None:
        """Find out once who is served by whom, and which pairs a change of an instance can put out of order."""
        everyone = range(len(self.phases))
        pairs = [
            (kind, server, client)
            for server in everyone
            for client in everyone
            if (kind := self._relation(server, client))
        ]
        self.pairs_near = [
            [
                pair
                for pair in pairs
                if pair[2] == who or any(pair[2] == client for _kind, server, client in pairs if server == who)
            ]
            for who in everyone
        ]

    def _relation(self, server: int, client: int) -> str:
        if server == client:
            return ""
        kinds = self.phases[server], self.phases[client]
        if self.clusters[server] == self.clusters[client]:
            if kinds == ("auth", "auth"):
                return "peer"
            if kinds[0] == "auth":
                return "own"
            return "proxy" if kinds in {("proxy", "agent"), ("proxy", "client")} else ""
        trusted = self.roots.get(self.clusters[client]) == self.clusters[server]
        return "trust" if trusted and kinds == ("auth", "auth") else ""

    def faults(self, state: State, near: int) -> set[tuple[str, int, int]]:
        """Return what is out of order near an instance: pairs, and who is out of somebody's reach (as ``-1`` and they).

        Being out of reach counts once for an instance: whom auth does not serve loses nothing with the proxies.
        """
        found = set()
        for kind, server, client in self.pairs_near[near]:
            ahead = self.lines[state[server]] - self.lines[state[client]]
            if ahead > 1:
                found.add(("behind", server if kind in ("peer", "trust") else -1, client))
            if ahead < 0 and kind != "peer":
                found.add(("ahead", server, client))
            if kind == "own" and state[client] > state[server]:
                found.add(("newer", server, client))
        return found

    def objection(self, state: State, who: int, to: int) -> str:
        """Say why an instance may not move to a version now; nothing when it may."""
        if to <= state[who]:
            return "it does not go forward"
        if self.phases[who] == "auth":
            if self.lines[to] - self.lines[state[who]] > 1:
                return "an auth server skips a line"
            late = [self.lines[state[member]] for member in self._members(who)]
            if late and self.lines[to] - min(late) > 1:
                return "a laggard is left behind"
        after = (*state[:who], to, *state[who + 1 :])
        faults = self.faults(after, who)
        ahead = [fault for fault in faults if fault[0] in ("ahead", "newer") and fault[2] == who]
        if ahead:
            return f"it gets ahead of who serves it {ahead}"
        new = faults - self.faults(state, who)
        return f"new faults {sorted(new)}" if new else ""

    def _members(self, who: int) -> list[int]:
        return [
            member
            for member in range(len(self.phases))
            if self.clusters[member] == self.clusters[who] and self.phases[member] != "auth"
        ]

    def shortest(self) -> int | None:
        """Return the fewest changes of single instances that lead to the goal; None when nothing does."""
        seen = {self.start}
        front = [self.start]
        distance = 0
        while front:
            if self.goal in front:
                return distance
            nearby = {after for state in front for after in self._next(state)} - seen
            seen |= nearby
            front = list(nearby)
            distance += 1
        return None

    def _next(self, state: State) -> Iterator[State]:
        for who in range(len(state)):
            for to in range(state[who] + 1, self.goal[who] + 1):
                if not self.objection(state, who, to):
                    yield (*state[:who], to, *state[who + 1 :])


def steps_of(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the steps of all stages in order."""
    return [step for stage in plan["stages"] for step in stage["steps"]]


def changes_of(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the steps that change a version."""
    return [step for step in steps_of(plan) if step["from"] != step["to"]]


def objections(data: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """Carry a plan out over every pair; return what speaks against its changes."""
    scene = Scene.of(data, [hop["to"] for hop in plan["hops"]])
    names = [row["host"] for row in data["instances"]]
    state = scene.start
    found = []
    for step in changes_of(plan):
        who, to = names.index(step["host"]), scene.versions.index(Version.parse(step["to"]))
        reason = scene.objection(state, who, to)
        if reason:
            found.append(f"{step}: {reason}")
        state = (*state[:who], to, *state[who + 1 :])
    if state != scene.goal:
        found.append(f"ends at {[str(scene.versions[at]) for at in state]}")
    return found
