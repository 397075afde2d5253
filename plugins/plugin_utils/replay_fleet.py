# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet that a plan is replayed over: what runs where after every single change, and which pairs are out of order.

Shares nothing with the planner but versions and the order of lines, so that a slip there shows here. Of pairs only
counts are kept: a change costs the number of lines in use, not the number of instances.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version

ORDER = ("auth", "proxy", "agent", "client")
#: The only fault that may outlast a change of the instance that has it: laggards are brought up as far as can be.
BEHIND = "it is more than one line behind those who serve it"


@dataclass
class Host:
    """One instance. ``movable`` is false for what cannot be reached: it is served or not, but never upgraded."""

    name: str
    cluster: str
    phase: str
    version: Version
    line: int
    movable: bool
    interrupted: bool


@dataclass
class ClusterState:
    """One cluster: its auth servers, how many others are on which line, and how many pairs are out of order."""

    name: str
    root: str | None
    level: int
    auths: dict[str, Host] = field(default_factory=dict)
    lines: dict[str, Counter[int]] = field(default_factory=lambda: {phase: Counter() for phase in ORDER[1:]})
    movable: Counter[int] = field(default_factory=Counter)
    leaves: list[str] = field(default_factory=list)
    top: int = 0
    bottom: int = 0
    oldest: Version | None = None

    def refresh_auths(self) -> None:
        """Work out anew what the auth group looks like from outside."""
        lines = [auth.line for auth in self.auths.values()]
        self.top, self.bottom = max(lines), min(lines)
        self.oldest = min(auth.version for auth in self.auths.values())

    def newest_auth(self) -> Version:
        """Return the version that has migrated the backend."""
        return max(auth.version for auth in self.auths.values())

    def slowest_movable(self) -> int:
        """Return the oldest line of those who talk to auth and can be upgraded."""
        return min(self.movable, default=self.top)

    def disorder(self) -> dict[str, int]:
        """Return how many instances break the rule that a server serves its own line and the one before, by kind.

        An agent that auth does not serve any more loses nothing when a proxy moves out of its reach, too.
        """
        proxies = self.lines["proxy"]
        reached = max([self.top, *proxies])
        counts = {"auth servers apart": max(0, self.top - self.bottom - 1)}
        for phase in ORDER[1:]:
            counts[f"{phase} behind its servers"] = _below(self.lines[phase], reached - 1)
            counts[f"{phase} ahead of auth"] = _above(self.lines[phase], self.bottom)
        for phase in ORDER[2:] if proxies else ():
            counts[f"{phase} ahead of a proxy"] = _above(self.lines[phase], min(proxies))
        return counts

    def faults_of(self, host: Host) -> set[str]:
        """Return what is out of order between one instance that is no auth server and those that serve it."""
        proxies = self.lines["proxy"] if host.phase != "proxy" else ()
        faults = set()
        if host.line < max([self.top, *proxies]) - 1:
            faults.add(BEHIND)
        # Comparing versions is dear, lines are cheap: most instances are of an older line, or exactly at the version.
        if host.line >= self.bottom and host.version != self.oldest and self._is_newer(host.version):
            faults.add("it is newer than an auth server")
        if proxies and host.line > min(proxies):
            faults.add("it is of a newer line than a proxy")
        return faults

    def _is_newer(self, version: Version) -> bool:
        return self.oldest is not None and version > self.oldest


def _below(lines: Counter[int], limit: int) -> int:
    return sum(count for line, count in lines.items() if line < limit)


def _above(lines: Counter[int], limit: int) -> int:
    return sum(count for line, count in lines.items() if line > limit)


class Fleet:
    """All clusters, and the instances by host."""

    def __init__(self, data: Mapping[str, Any], index: Callable[[Version], int]) -> None:
        self._index = index
        self.hosts: dict[str, Host] = {}
        roots = {str(name): (row or {}).get("root") for name, row in (data.get("clusters") or {}).items()}
        self.clusters: dict[str, ClusterState] = {}
        for row in data.get("instances") or ():
            self._add(row, roots)
        for state in self.clusters.values():
            state.refresh_auths()
            if state.root in self.clusters:
                self.clusters[state.root].leaves.append(state.name)

    def _add(self, row: Mapping[str, Any], roots: Mapping[str, str | None]) -> None:
        name = str(row.get("cluster") or "main")
        state = self.clusters.get(name)
        if state is None:
            state = self.clusters[name] = ClusterState(name, roots.get(name), _depth(name, roots))
        if row.get("version") is None:
            return
        version = Version.parse(row["version"])
        host = Host(
            name=str(row["host"]),
            cluster=name,
            phase=min(row["services"], key=ORDER.index),
            version=version,
            line=self._index(version),
            movable=row.get("state") != "unreachable",
            interrupted=row.get("interrupted") is True,
        )
        self.hosts[host.name] = host
        if host.phase == "auth":
            state.auths[host.name] = host
        else:
            state.lines[host.phase][host.line] += 1
            state.movable[host.line] += host.movable

    def line_of(self, version: Version) -> int:
        """Return the place of a version's line in the order of lines."""
        return self._index(version)

    def change(self, host: Host, to: Version) -> Iterable[str]:
        """Let one instance run another version; return what this breaks that was in order before."""
        state = self.clusters[host.cluster]
        if host.phase == "auth":
            return self._change_auth(state, host, to)
        return self._change_other(state, host, to)

    def _change_auth(self, state: ClusterState, host: Host, to: Version) -> list[str]:
        before, trust_before = state.disorder(), self._trust_faults(state)
        host.version, host.line = to, self._index(to)
        state.refresh_auths()
        worse = _worse(before, state.disorder())
        root = self.clusters.get(state.root or "")
        if root is not None and host.line > root.bottom:
            worse.append(f"it gets ahead of root cluster {root.name}")
        return worse + sorted(self._trust_faults(state) - trust_before)

    def _change_other(self, state: ClusterState, host: Host, to: Version) -> list[str]:
        faults = state.faults_of(host)
        before = state.disorder() if host.phase == "proxy" else {}
        for lines in (state.lines[host.phase], state.movable):
            lines[host.line] -= 1
            if not lines[host.line]:
                del lines[host.line]
        host.version, host.line = to, self._index(to)
        state.lines[host.phase][host.line] += 1
        state.movable[host.line] += 1
        worse = _worse(before, state.disorder()) if before else []
        return worse + sorted(state.faults_of(host) - (faults & {BEHIND}))

    def _trust_faults(self, state: ClusterState) -> set[str]:
        """Return what is out of order between a cluster and its root or its leaves."""
        pairs = [(state, self.clusters[leaf]) for leaf in state.leaves]
        if state.root in self.clusters:
            pairs.append((self.clusters[state.root], state))
        faults = {
            f"leaf {leaf.name} is newer than its root {root.name}" for root, leaf in pairs if leaf.top > root.bottom
        }
        return faults | {
            f"leaf {leaf.name} is more than one line behind its root {root.name}"
            for root, leaf in pairs
            if leaf.bottom < root.top - 1
        }


def _worse(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    return [f"{kind}: {count}" for kind, count in after.items() if count > before.get(kind, 0)]


def _depth(name: str, roots: Mapping[str, str | None]) -> int:
    depth = 0
    root = roots.get(name)
    while root is not None and depth <= len(roots):
        depth += 1
        root = roots.get(root)
    return depth
