# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation is planned from: the wishes, and for each cluster what its auth host and the inventory say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import rotation
from ansible_collections.lockstep.teleport.plugins.plugin_utils.observed import observation

HostVars = Mapping[str, Mapping[str, Any]]

GOALS = (*rotation.FORWARD, rotation.ROLLBACK)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


@dataclass(frozen=True)
class Wishes:
    """What was asked for.

    :param until: the phase to stop in, or ``rollback``.
    :param min_age: seconds for which an authority that was rotated counts as done.
    :param grace: seconds of the grace period.
    """

    clusters: tuple[str, ...]
    types: tuple[str, ...]
    until: str
    grace_period: str
    grace: float
    min_age: float
    waivers: tuple[str, ...]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Wishes:
        """Check the wishes. Raises ``ValueError``."""
        until, grace_period = str(given["until"]), str(given["grace_period"])
        if until not in GOALS:
            raise ValueError(f"teleport_rotate_until is {until!r}; allowed are {', '.join(GOALS)}")
        match = _DURATION.fullmatch(grace_period)
        if not match or not grace_period:
            raise ValueError(
                f"teleport_rotate_grace_period is {grace_period!r}; allowed is a time like 48h or 1h30m, in h, m and s"
            )
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return cls(
            tuple(str(name) for name in given["clusters"]),
            tuple(dict.fromkeys(str(name) for name in given["types"])),
            until,
            grace_period,
            hours * 3600.0 + minutes * 60.0 + seconds,
            float(given["min_age"]),
            tuple(str(code) for code in given["waivers"]),
        )


@dataclass(frozen=True)
class Survey:
    """What an auth host said of its cluster, without changing anything."""

    cluster: str
    authorities: list[Mapping[str, Any]]
    ca_pins: list[str]
    missing: list[Mapping[str, Any]]
    listed: list[str]
    reported: int
    auth_versions: list[str]
    remote_clusters: list[Mapping[str, Any]]
    trusted_clusters: list[Mapping[str, Any]]
    observed_at: str

    @classmethod
    def read(cls, result: Any) -> Survey | None:
        """Take over what the module returned; None when it could not be asked."""
        if not isinstance(result, Mapping) or "phases" not in result or result.get("failed"):
            return None
        return cls(**{name: result[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Scene:
    """One cluster: its hosts, one of which was asked, and the clusters in trust that keep copies of its authorities.

    :param host: the auth host that was asked; empty when none runs.
    :param peers: ``cluster``, ``host`` (None when the inventory lacks it), ``types`` that are copied, ``connection``.
    """

    cluster: str
    host: str
    members: list[Mapping[str, Any]]
    names: Mapping[str, list[str]]
    survey: Survey | None
    peers: list[dict[str, Any]]
    pins_of: Mapping[str, list[str]]

    @property
    def auths(self) -> list[str]:
        """Its auth hosts that could be observed."""
        return sorted(m["host"] for m in self.members if "auth" in m["services"] and m["state"] != "unreachable")

    def expected(self) -> list[dict[str, Any]]:
        """The instances that must take part, with all names under which the cluster may list them."""
        return [
            {"host": member["host"], "names": [name for name in self.names[member["host"]] if name]}
            for member in self.members
            if member["services"] != ["client"]
        ]

    def pinned(self) -> list[str]:
        """Hosts whose configuration names a CA pin of today, which will not be the one of tomorrow."""
        pins = set(self.survey.ca_pins) if self.survey else set()
        return sorted(host for host, named in self.pins_of.items() if pins & set(named))


def scenes(inventory: Mapping[str, Any], hostvars: HostVars, wanted: Wishes) -> Iterator[Scene]:
    """Yield the clusters to be rotated, ordered by name."""
    asked = {_cluster_of(inventory, host): host for host in inventory["asked"]}
    surveys = {cluster: Survey.read(hostvars[host].get("rotation_seen")) for cluster, host in asked.items()}
    own_names = {survey.cluster: cluster for cluster, survey in surveys.items() if survey}
    for cluster in sorted({member["cluster"] for member in inventory["instances"]}):
        if wanted.clusters and cluster not in wanted.clusters:
            continue
        members = [member for member in inventory["instances"] if member["cluster"] == cluster]
        survey = surveys.get(cluster)
        yield Scene(
            cluster,
            asked.get(cluster, ""),
            members,
            inventory["names"],
            survey,
            [
                {**peer, "host": asked.get(own_names.get(peer["cluster"], ""))}
                for peer in (_peers(survey, wanted) if survey else ())
            ],
            {member["host"]: _config_pins(hostvars[member["host"]]) for member in members},
        )


def expected_of(inventory: Mapping[str, Any], host: str) -> list[dict[str, Any]]:
    """Return the instances that must take part in a rotation of the cluster whose auth host *host* is."""
    members = [m for m in inventory["instances"] if m["cluster"] == _cluster_of(inventory, host)]
    return Scene("", host, members, inventory["names"], None, [], {}).expected()


def _cluster_of(inventory: Mapping[str, Any], host: str) -> str:
    return str(next(instance["cluster"] for instance in inventory["instances"] if instance["host"] == host))


def _peers(survey: Survey, wanted: Wishes) -> Iterator[dict[str, Any]]:
    """Yield the clusters that keep copies of what is rotated."""
    sides = (
        (survey.remote_clusters, rotation.TRUSTED_BY_LEAF),
        ([entry for entry in survey.trusted_clusters if entry["enabled"]], rotation.TRUSTED_BY_ROOT),
    )
    for entries, copied in sides:
        types = [kind for kind in copied if kind in wanted.types]
        for entry in entries if types else ():
            yield {"cluster": entry["name"], "types": types, "connection": entry.get("connection", "online")}


def _config_pins(variables: Mapping[str, Any]) -> list[str]:
    seen = observation(variables)
    return list(((seen or {}).get("config") or {}).get("ca_pins") or [])
