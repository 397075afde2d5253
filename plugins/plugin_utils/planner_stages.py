# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turning hops into stages: a simulation of the fleet that asks the rules who moves, and notes the moves in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import planner_rules as rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_hops import Hop, is_mover
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_rules import Group, Member
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import RUNNING, Instance, Topology

LAGGARDS = "laggards"
HOP = "hop"


class Move(NamedTuple):
    """One instance changes its version. ``migrates`` marks the auth server that takes the backend along."""

    instance: Instance
    old: Version
    migrates: bool


class Draft(NamedTuple):
    """A stage that is not yet cut into batches: who moves to its one version. Auth groups are in the order to keep."""

    hop: int
    kind: str
    level: int
    to: Version
    moves: list[Move]


class _Part(NamedTuple):
    """Those of one cluster who move to one version together."""

    group: Group
    to: Version
    members: list[Member]


@dataclass
class Fleet:
    """All clusters as the plan has made them so far. ``index`` gives the place of a version's line."""

    groups: list[Group]
    index: Callable[[Version], int]

    @classmethod
    def of(cls, topology: Topology, index: Callable[[Version], int]) -> Fleet:
        """Start from what was observed; instances that cannot move are left out."""
        return cls(
            [
                Group(cluster.name, cluster.level, _members(cluster.auths), _members(cluster.others))
                for cluster in topology.populated
            ],
            index,
        )

    def arrive(self, part: _Part) -> None:
        """Let everybody in this part have moved."""
        line = self.index(part.to)
        for member in part.members:
            member.version, member.line, member.running, member.interrupted = part.to, line, True, False


def _members(instances: Iterable[Instance]) -> list[Member]:
    return [
        Member(instance, instance.version, instance.line, instance.state == RUNNING, instance.interrupted)
        for instance in instances
        if instance.version is not None
        and instance.line is not None
        and is_mover(instance.version, instance.line, instance.state)
    ]


def draft_stages(fleet: Fleet, hops: Iterable[Hop]) -> Iterator[Draft]:
    """Yield the stages in order: what a hop would cut off comes first, then the hop itself, roots before leaves."""
    levels = sorted({group.level for group in fleet.groups})
    for hop in hops:
        yield from _drafts(fleet, hop, LAGGARDS, (part for group in fleet.groups for part in _before(group, hop)))
        for level in levels:
            groups = [group for group in fleet.groups if group.level == level]
            yield from _drafts(fleet, hop, LAGGARDS, (part for group in groups for part in _on_the_way(group, hop)))
            yield from _drafts(fleet, hop, HOP, (part for group in groups for part in _travellers(group, hop)))


def _drafts(fleet: Fleet, hop: Hop, kind: str, parts: Iterable[_Part]) -> list[Draft]:
    """Make one stage for each trust level and version; everybody arrives before the next part is looked at."""
    stages: dict[tuple[int, Version], list[Move]] = defaultdict(list)
    for part in parts:
        stages[part.group.level, part.to] += _moves(part, hop)
        fleet.arrive(part)
    return [Draft(hop.index, kind, level, to, stages[level, to]) for level, to in sorted(stages)]


def _before(group: Group, hop: Hop) -> Iterator[_Part]:
    if group.line < hop.line:
        yield from _unfinished(group)
    yield from _laggards(group, rules.line_before(group, hop))


def _on_the_way(group: Group, hop: Hop) -> Iterator[_Part]:
    needed = rules.line_on_the_way(group, hop)
    if needed is not None:
        yield from _unfinished(group)
    yield from _laggards(group, needed)


def _unfinished(group: Group) -> Iterator[_Part]:
    for auth in _auth_order(group.auths, group.newest):
        if rules.finishes_first(group, auth):
            yield _Part(group, auth.version, [auth])
            return


def _laggards(group: Group, needed: int | None) -> Iterator[_Part]:
    for line in [] if needed is None else rules.rounds(group, needed):
        late = [member for member in group.auths + group.others if rules.catches_up(member, line)]
        if late:
            yield _Part(group, rules.catch_up_version(group, line), late)


def _travellers(group: Group, hop: Hop) -> Iterator[_Part]:
    moving = [member for member in group.auths + group.others if rules.moves(group, member, hop)]
    if moving:
        yield _Part(group, hop.to, moving)


def _moves(part: _Part, hop: Hop) -> Iterator[Move]:
    auths = [member for member in part.members if member.instance.is_auth]
    migrating = rules.migrates(part.group, hop) and part.to == hop.to
    unproven = rules.is_unproven(part.group)
    for position, auth in enumerate(_auth_order(auths, part.to)):
        finishing = unproven and auth.version == part.to == part.group.newest
        yield Move(auth.instance, auth.version, position == 0 and (migrating or finishing))
    for member in part.members:
        if not member.instance.is_auth:
            yield Move(member.instance, member.version, migrates=False)


def _auth_order(auths: Iterable[Member], to: Version) -> list[Member]:
    """Put an auth group in order: what the rule prefers, then the newest, then by name."""
    newest_first = sorted(
        sorted(auths, key=lambda auth: auth.instance.host), key=lambda auth: auth.version, reverse=True
    )
    return sorted(newest_first, key=lambda auth: rules.auth_order(auth, to))
