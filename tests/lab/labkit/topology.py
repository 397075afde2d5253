# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab consists of: clusters, hosts and what runs on them, read from a JSON file and checked as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .errors import LabError

TOPOLOGIES = Path(__file__).parent.parent / "topologies"
SERVICES = ("auth", "proxy", "agent", "client")
EXTRAS = ("etcd", "postgresql", "balancer")
BACKENDS = ("sqlite", "etcd", "postgresql", "dynamodb")
# More does not fit the time budget of a run on two cores.
MAX_HOSTS = 100
HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
CLUSTER_NAME = re.compile(r"[a-z][a-z0-9.-]{0,60}")
VERSION = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")


@dataclass(frozen=True)
class Cluster:
    """A Teleport cluster. ``root`` names the cluster it trusts; a cluster without one is a root cluster."""

    name: str
    backend: str = "sqlite"
    version: str = ""
    root: str = ""


@dataclass(frozen=True)
class Host:
    """One host: ``services`` of Teleport, in a cluster, or ``extras`` outside of Teleport."""

    name: str
    cluster: str = ""
    services: tuple[str, ...] = ()
    version: str = ""
    extras: tuple[str, ...] = ()

    @property
    def runs_teleport(self) -> bool:
        """Whether a Teleport process runs here (client tools alone have none)."""
        return bool(set(self.services) - {"client"})


@dataclass(frozen=True)
class Topology:
    """A checked description: every host has its version, every cluster an auth host and, for etcd, a place for it.

    ``knobs`` are the settings of the Teleport double on all hosts (tests/double/README.md); none by default.
    """

    name: str
    clusters: dict[str, Cluster]
    hosts: tuple[Host, ...]
    edition: str = "community"
    knobs: dict[str, Any] = field(default_factory=dict)

    def of_cluster(self, cluster: str, service: str) -> list[Host]:
        """The hosts of a cluster that run a service, in the topology's order."""
        return [host for host in self.hosts if host.cluster == cluster and service in host.services]

    def host(self, name: str) -> Host:
        """The host of that name. Raises LabError when there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"{self.name}: no host '{name}'; there are {', '.join(host.name for host in self.hosts)}")

    def with_extra(self, extra: str) -> Host | None:
        return next((host for host in self.hosts if extra in host.extras), None)

    def image(self, host: Host) -> str:
        """Which image a host boots: who saves a PostgreSQL needs its programs, which are in that of the services."""
        saves_postgresql = "auth" in host.services and self.with_extra("postgresql") is not None
        return "services" if host.extras or saves_postgresql else "base"

    def by_depth(self) -> list[Cluster]:
        """All clusters, every root before the clusters that trust it."""
        return sorted(
            self.clusters.values(), key=lambda cluster: (len(_ancestors(cluster, self.clusters)), cluster.name)
        )

    @property
    def versions(self) -> set[str]:
        return {host.version for host in self.hosts if host.services}


def read_topology(name: str) -> dict[str, Any]:
    """The data of the topology of that name below topologies/, or of the JSON file at that path.

    Raises LabError when there is no such file or it is not a JSON object.
    """
    path = Path(name) if name.endswith(".json") else TOPOLOGIES / f"{name}.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(sorted(file.stem for file in TOPOLOGIES.glob("*.json")))
        raise LabError(f"topology '{name}': no file {path}; provided are {known}") from error
    except ValueError as error:
        raise LabError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise LabError(f"{path}: holds a {type(data).__name__}, allowed is an object; see tests/lab/README.md")
    return data


def parse_topology(name: str, data: Mapping[str, Any], overrides: Sequence[str] = ()) -> Topology:
    """The checked topology of a file's data; tests/lab/README.md lists the keys.

    ``overrides`` are texts ``VERSION`` (everything), ``CLUSTER=VERSION`` or ``HOST=VERSION``; the narrower one wins.
    Raises LabError, prefixed with the topology's name, for anything not allowed.
    """
    try:
        return _parse(name, data, overrides)
    except LabError as error:
        raise LabError(f"topology '{name}': {error}") from error


def _parse(name: str, data: Mapping[str, Any], overrides: Sequence[str]) -> Topology:
    _check_keys("topology", data, {"description", "version", "edition", "knobs", "clusters", "hosts"})
    wanted = _parse_overrides(overrides)
    clusters = {key: _cluster(key, value) for key, value in data.get("clusters", {}).items()}
    default = wanted.pop("", None)
    hosts = []
    for entry in data.get("hosts", []):
        host = _host(entry)
        cluster = clusters.get(host.cluster)
        written = host.version or (cluster.version if cluster else "") or data.get("version", "")
        chosen = wanted.get(host.name) or wanted.get(host.cluster) or default or written
        hosts.append(replace(host, version=chosen) if host.services else host)
    topology = Topology(name, clusters, tuple(hosts), data.get("edition", "community"), data.get("knobs", {}))
    _check(topology, set(wanted))
    return topology


def _parse_overrides(overrides: Sequence[str]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for text in overrides:
        target, version = text.rpartition("=")[::2]
        if not VERSION.fullmatch(version):
            raise LabError(f"version override '{text}': allowed are X.Y.Z, CLUSTER=X.Y.Z and HOST=X.Y.Z")
        wanted[target] = version
    return wanted


def _cluster(name: str, data: Mapping[str, Any]) -> Cluster:
    _check_keys(f"cluster '{name}'", data, {"backend", "version", "root"})
    return Cluster(name, **data)


def _host(data: Mapping[str, Any]) -> Host:
    _check_keys("host", data, {"name", "cluster", "services", "version", "extras"})
    return Host(
        name=data.get("name", ""),
        cluster=data.get("cluster", ""),
        services=tuple(data.get("services", ())),
        version=data.get("version", ""),
        extras=tuple(data.get("extras", ())),
    )


def _check_keys(subject: str, data: Mapping[str, Any], allowed: set[str]) -> None:
    unknown = sorted(set(data) - allowed)
    if unknown:
        raise LabError(f"{subject}: unknown key '{unknown[0]}', allowed are {', '.join(sorted(allowed))}")


def _check(topology: Topology, override_targets: set[str]) -> None:
    names = [host.name for host in topology.hosts]
    if not 1 <= len(names) <= MAX_HOSTS:
        raise LabError(f"{len(names)} hosts, allowed are 1 to {MAX_HOSTS}")
    if len(set(names)) != len(names):
        raise LabError(f"host names are not unique: {', '.join(sorted(names))}")
    unknown = override_targets - set(names) - set(topology.clusters)
    if unknown:
        raise LabError(f"version override for '{min(unknown)}': neither a host nor a cluster of this topology")
    for cluster in topology.clusters.values():
        _check_cluster(cluster, topology)
    for host in topology.hosts:
        _check_host(host, topology)


def _check_cluster(cluster: Cluster, topology: Topology) -> None:
    if not CLUSTER_NAME.fullmatch(cluster.name):
        raise LabError(f"cluster '{cluster.name}': allowed are lower-case letters, digits, '-' and '.'")
    if cluster.backend not in BACKENDS:
        raise LabError(f"cluster '{cluster.name}': backend '{cluster.backend}', allowed are {', '.join(BACKENDS)}")
    if cluster.root and cluster.root not in topology.clusters:
        raise LabError(f"cluster '{cluster.name}': its root '{cluster.root}' is not a cluster of this topology")
    _ancestors(cluster, topology.clusters)
    auths = topology.of_cluster(cluster.name, "auth")
    if not auths:
        raise LabError(f"cluster '{cluster.name}': no host runs auth")
    if cluster.backend in EXTRAS and topology.with_extra(cluster.backend) is None:
        raise LabError(
            f'cluster \'{cluster.name}\': backend {cluster.backend} needs a host with "extras": ["{cluster.backend}"]'
        )
    if cluster.backend == "sqlite" and len(auths) > 1:
        raise LabError(f"cluster '{cluster.name}': {len(auths)} auth hosts cannot share sqlite; use another backend")


def _check_host(host: Host, topology: Topology) -> None:
    subject = f"host '{host.name}'"
    if not HOST_NAME.fullmatch(host.name):
        raise LabError(f"{subject}: allowed are 1 to 31 lower-case letters, digits and '-', a letter first")
    if bool(host.services) == bool(host.extras):
        raise LabError(f"{subject}: needs either services ({', '.join(SERVICES)}) or extras ({', '.join(EXTRAS)})")
    for kind, found, allowed in (("service", host.services, SERVICES), ("extra", host.extras, EXTRAS)):
        for name in found:
            if name not in allowed:
                raise LabError(f"{subject}: unknown {kind} '{name}', allowed are {', '.join(allowed)}")
    if host.services and host.cluster not in topology.clusters:
        raise LabError(f"{subject}: cluster '{host.cluster}' is not in clusters")
    if host.services and not VERSION.fullmatch(host.version):
        raise LabError(
            f"{subject}: version '{host.version}', allowed is X.Y.Z (here, on its cluster or on the topology)"
        )


def _ancestors(cluster: Cluster, clusters: Mapping[str, Cluster]) -> list[str]:
    """The clusters above one, nearest first. Raises LabError when trust runs in a circle."""
    found: list[str] = []
    while cluster.root:
        if cluster.root in found:
            raise LabError(f"clusters {', '.join(sorted(found))}: trust runs in a circle")
        found.append(cluster.root)
        cluster = clusters[cluster.root]
    return found
