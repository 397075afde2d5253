# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate is told to expect, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KEYS = (
    "agents_at_least", "authorities", "before", "ca_pins", "cluster", "instances", "proven", "remote_clusters",
    "stopped", "version",
)  # fmt: skip


class ExpectationError(ValueError):
    """An expectation that cannot be judged. The message says which, what was found and what is allowed."""


@dataclass(frozen=True)
class ExpectedInstance:
    """One instance that has to run *version*. It is known by any of *names*: host UUID, host name, inventory name."""

    host: str
    names: frozenset[str]
    version: str
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expectation:
    """What a cluster has to show. Everything is optional; what is not given is not judged.

    ``proven`` and ``stopped`` are names (UUID or host name) of instances that were proven on their own host to run
    what they should, or to be stopped: knowledge the cluster's lists cannot give. ``before`` is an older view of the
    same cluster, whose agents and leaf connections must not be lost.
    """

    version: str | None = None
    cluster: str | None = None
    instances: tuple[ExpectedInstance, ...] = ()
    proven: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    ca_pins: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    agents_at_least: int | None = None
    remote_clusters: tuple[str, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)


def read(data: Mapping[str, Any]) -> Expectation:
    """Return the expectation that *data*, the module's ``expect``, describes. Raises :class:`ExpectationError`.

    ``ca_pins``, ``authorities`` and ``remote_clusters`` that are not given are taken from ``before``.
    """
    unknown = sorted(set(data) - set(KEYS))
    if unknown:
        raise ExpectationError(f"expect.{unknown[0]} is not known; allowed are {', '.join(KEYS)}.")
    before = data.get("before") or {}
    if not isinstance(before, Mapping):
        raise ExpectationError(f"expect.before is {type(before).__name__}; give the cluster_view of cluster_info.")
    return Expectation(
        version=_text(data.get("version")),
        cluster=_text(data.get("cluster")),
        instances=tuple(_instance(entry) for entry in _list(data, "instances")),
        proven=frozenset(map(str, _list(data, "proven"))),
        stopped=frozenset(map(str, _list(data, "stopped"))),
        ca_pins=tuple(map(str, _list(data, "ca_pins") or before.get("ca_pins") or ())),
        authorities=tuple(_list(data, "authorities") or [entry["type"] for entry in before.get("authorities") or ()]),
        agents_at_least=_number(data.get("agents_at_least")),
        remote_clusters=tuple(_list(data, "remote_clusters") or _online(before)),
        before=before,
    )


def _online(view: Mapping[str, Any]) -> list[str]:
    return [entry["name"] for entry in view.get("remote_clusters") or () if entry["connection"] == "online"]


def _instance(entry: Any) -> ExpectedInstance:
    if not isinstance(entry, Mapping) or not entry.get("host") or not entry.get("version"):
        raise ExpectationError(f"expect.instances holds {entry!r}; every entry needs host and version.")
    names = (entry.get(key) for key in ("host", "id", "host_uuid", "hostname", "nodename"))
    return ExpectedInstance(
        host=str(entry["host"]),
        names=frozenset(str(name) for name in names if name),
        version=str(entry["version"]),
        services=tuple(entry.get("services") or ()),
    )


def _list(data: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = data.get(key) or ()
    if isinstance(found, (str, Mapping)) or not isinstance(found, Sequence):
        raise ExpectationError(f"expect.{key} is {found!r}; it has to be a list.")
    return found


def _number(found: Any) -> int | None:
    try:
        return None if found is None or found == "" else int(found)
    except (TypeError, ValueError, OverflowError) as error:
        raise ExpectationError(f"expect.agents_at_least is {found!r}; it has to be a number.") from error


def _text(found: Any) -> str | None:
    return str(found) if found else None
