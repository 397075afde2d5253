# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hops an upgrade takes: one release line each, for all clusters together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_input import Request
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import UNREACHABLE, Cluster


@dataclass(frozen=True)
class Hop:
    """One hop. ``line`` is the place of its release line in the order of lines."""

    index: int
    line: int
    to: Version
    is_final: bool


@dataclass(frozen=True)
class Route:
    """The hops, and the lines between for which there is no version to take."""

    hops: tuple[Hop, ...]
    missing: tuple[str, ...]


def route(request: Request) -> Route:
    """Choose the hops that bring every cluster to the target; a version is the pin, else the newest good patch."""
    if request.target is None:
        return Route((), ())
    chosen: list[tuple[int, Version]] = []
    missing: list[str] = []
    last = request.catalogue.index(request.target)
    for line in lines_between(lowest_line(request.topology.populated), last):
        version = _version_for(request, line)
        if version is None:
            missing.append(request.catalogue.line_at(line))
        else:
            chosen.append((line, version))
    if _anything_to_do(request, request.target):
        chosen.append((last, request.target))
    hops = (Hop(index, line, to, line == last) for index, (line, to) in enumerate(chosen))
    return Route(tuple(hops), tuple(missing))


def lowest_line(clusters: list[Cluster]) -> int | None:
    """Return the line of the cluster furthest behind; the newest of a group says how far its cluster has come."""
    lines = [
        max(auth.line for auth in cluster.auths if auth.line is not None)
        for cluster in clusters
        if any(auth.line is not None for auth in cluster.auths)
    ]
    return min(lines, default=None)


def lines_between(start: int | None, end: int) -> Iterator[int]:
    """Yield the lines above *start* and below *end*: none is skipped (upstream: "one major version at a time")."""
    if start is not None:
        yield from range(start + 1, end)


def _version_for(request: Request, line: int) -> Version | None:
    name = request.catalogue.line_at(line)
    if name in request.pins:
        return request.pins[name]
    return request.catalogue.newest_good(name) if request.catalogue.knows(name) else None


def _anything_to_do(request: Request, target: Version) -> bool:
    return any(
        instance.interrupted or instance.version != target
        for instance in request.topology.instances
        if is_mover(instance.version, instance.line, instance.state)
    )


def is_mover(version: Version | None, line: int | None, state: str) -> bool:
    """Whether an instance can be upgraded: it answers, and what it runs is known."""
    return version is not None and line is not None and state != UNREACHABLE
