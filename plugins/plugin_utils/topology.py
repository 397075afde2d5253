# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters, who trusts whom, and the instances in them. Values only: nothing here judges or changes anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version

AUTH = "auth"
PROXY = "proxy"
AGENT = "agent"
CLIENT = "client"

#: The phases of a stage, in order. An instance with several services belongs to the earliest.
PHASES = (AUTH, PROXY, AGENT, CLIENT)

RUNNING = "running"
STOPPED = "stopped"
UNREACHABLE = "unreachable"
STATES = (RUNNING, STOPPED, UNREACHABLE)


class Concern(NamedTuple):
    """A preflight rule that a host or cluster offends, by its id, what was found, and which change would cure it."""

    rule: str
    found: str
    change: tuple[str, ...] = ()


class ConfigEdit(NamedTuple):
    """A change of ``teleport.yaml`` that cures *rule*: SHA-256 of the file before and after, and lines to show."""

    rule: str
    before: str
    after: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Instance:
    """One instance as observed. ``line`` is the place of its release line in the order, None without a version.

    :param interrupted: whether anything of an earlier run lies on its host: a hold, a mark, or an unfinished upgrade.
    :param unfinished: whether that is an upgrade that was killed, so that what it was about to run may have run.
    """

    host: str
    cluster: str
    services: tuple[str, ...]
    phase: str
    version: Version | None
    line: int | None
    edition: str
    state: str
    interrupted: bool = False
    unfinished: bool = False
    concerns: tuple[Concern, ...] = ()
    pinned_versions: frozenset[str] | None = None
    config_edits: tuple[ConfigEdit, ...] = ()

    @property
    def is_auth(self) -> bool:
        """Whether the instance runs the Auth Service."""
        return self.phase == AUTH


@dataclass(frozen=True)
class Cluster:
    """One cluster. ``level`` is 0 for a root cluster, 1 for what trusts it, and so on."""

    name: str
    root: str | None
    level: int
    instances: tuple[Instance, ...]

    @property
    def auths(self) -> list[Instance]:
        """The auth group."""
        return [instance for instance in self.instances if instance.is_auth]

    @property
    def others(self) -> list[Instance]:
        """Everybody who talks to the auth group."""
        return [instance for instance in self.instances if not instance.is_auth]


@dataclass(frozen=True)
class Topology:
    """All clusters by name, in order of level and name, and the instances that only the clusters themselves report."""

    clusters: Mapping[str, Cluster]
    unmanaged: tuple[Instance, ...] = ()
    cyclic: frozenset[str] = field(default_factory=frozenset)

    @property
    def populated(self) -> list[Cluster]:
        """The clusters that have instances."""
        return [cluster for cluster in self.clusters.values() if cluster.instances]

    @property
    def instances(self) -> list[Instance]:
        """All instances of the inventory."""
        return [instance for cluster in self.clusters.values() for instance in cluster.instances]


def phase_of(services: Iterable[str]) -> str:
    """Return the phase that an instance with these services is upgraded in."""
    offered = set(services)
    return next(phase for phase in PHASES if phase in offered)


def build(
    instances: Iterable[Instance], roots: Mapping[str, str | None], unmanaged: Iterable[Instance] = ()
) -> Topology:
    """Put instances and trust together. *roots* names the root of each leaf; clusters it does not name are roots."""
    members: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        members[instance.cluster].append(instance)
    names = {*members, *roots, *(root for root in roots.values() if root)}
    levels, cyclic = _levels(names, roots)
    clusters = {
        name: Cluster(name, roots.get(name), levels[name], tuple(sorted(members.get(name, ()), key=lambda i: i.host)))
        for name in sorted(names, key=lambda name: (levels[name], name))
    }
    return Topology(clusters, tuple(sorted(unmanaged, key=lambda i: (i.cluster, i.host))), frozenset(cyclic))


def _levels(names: Iterable[str], roots: Mapping[str, str | None]) -> tuple[dict[str, int], set[str]]:
    """Return each cluster's distance from its topmost root, and the clusters that trust each other in a circle."""
    levels: dict[str, int] = {}
    cyclic: set[str] = set()
    for name in sorted(names):
        chain: list[str] = []
        at: str | None = name
        while at is not None and at not in levels and at not in chain:
            chain.append(at)
            at = roots.get(at)
        if at in chain:
            cyclic.update(chain[chain.index(at) :])
        base = -1 if at is None or at in chain else levels[at]
        for distance, member in enumerate(reversed(chain), start=1):
            levels[member] = base + distance
    return levels, cyclic
