# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that decide who moves when, one function each. They read a simulated fleet and change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_hops import Hop
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import PROXY, Instance


@dataclass
class Member:
    """An instance under simulation: what it was observed as, and what the plan has made of it so far."""

    instance: Instance
    version: Version
    line: int
    running: bool
    interrupted: bool


@dataclass
class Group:
    """A cluster under simulation: its auth group and everybody who talks to it."""

    name: str
    level: int
    auths: list[Member]
    others: list[Member]

    @property
    def newest(self) -> Version:
        """What the newest auth server runs. It has migrated the backend, so it says how far the cluster has come."""
        return max(auth.version for auth in self.auths)

    @property
    def line(self) -> int:
        """The line that the cluster has come to."""
        return max(auth.line for auth in self.auths)


def migrates(group: Group, hop: Hop) -> bool:
    """A hop migrates a cluster's backend unless an auth server has been there already: no second migration."""
    return group.newest < hop.to and (group.line < hop.line or hop.is_final)


def line_before(group: Group, hop: Hop) -> int | None:
    """Return the line that nobody in a cluster may be below when its auth servers take part in a hop.

    Who is more than one line behind what an auth server is about to become is cut off when it moves.
    """
    if group.line < hop.line:
        return group.line
    moving = hop.is_final and group.line == hop.line and any(auth.version != hop.to for auth in group.auths)
    return hop.line - 1 if moving else None


def line_on_the_way(group: Group, hop: Hop) -> int | None:
    """Return the line that a cluster finishes on its own because it came to the hop's line before the others.

    It waits for its root, which may be further behind, and its leaves wait for it.
    """
    return group.line if group.line == hop.line and not hop.is_final else None


def rounds(group: Group, needed: int) -> list[int]:
    """Return the lines to reach one after the other until nobody is below the needed one.

    When peers of a half-finished auth group have to catch up themselves, those they serve are seen to before.
    """
    return [needed - 1, needed] if any(auth.line < needed for auth in group.auths) else [needed]


def catches_up(member: Member, needed: int) -> bool:
    """Laggards first: who is below the needed line is brought up before any auth server moves."""
    return member.line < needed


def catch_up_version(group: Group, needed: int) -> Version:
    """Return the version that laggards are brought to: what every auth server runs that does not catch up itself.

    They hold no state, so they may cross several lines at once, but never get newer than an auth server, nor of a newer
    line than a proxy that stays where it is for now.
    """
    auths = [auth for auth in group.auths if auth.line >= needed]
    oldest = min(auth.line for auth in auths)
    proxies = [member for member in group.others if member.instance.phase == PROXY and needed <= member.line < oldest]
    return min(member.version for member in auths + proxies)


def is_unproven(group: Group) -> bool:
    """Whether no auth server runs on the line of the newest one: only a run proves that the line was reached."""
    return not any(auth.running and auth.line == group.line for auth in group.auths)


def finishes_first(group: Group, member: Member) -> bool:
    """Whether an auth server's interrupted upgrade is finished before its cluster goes on to the next line.

    Its new binary may never have run. Going on by the guess that it did could skip a line.
    """
    return member.interrupted and member.version == group.newest and is_unproven(group)


def moves(group: Group, member: Member, hop: Hop) -> bool:
    """Whether a hop moves an instance.

    Only the last hop is about the exact version. In the hops before, who has reached the line stays: fewest changes. A
    cluster whose auth has reached the line has nothing to do, or its agents could get newer than their auth.
    """
    if hop.is_final:
        return member.version != hop.to or member.interrupted
    return group.line < hop.line and member.line < hop.line


def auth_order(member: Member, to: Version) -> tuple[bool, bool, bool]:
    """Sort key of an auth group, who migrates comes first: an interrupted upgrade is finished, then what runs now.

    A killed upgrade goes first also where the old version is back: it may have begun to migrate the backend, and only
    its journal knows the backup that undoes that.
    """
    finishing = member.interrupted and member.version == to
    return not finishing, not member.instance.unfinished, not member.running
