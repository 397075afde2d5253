# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology is checked as a whole before any host boots."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.lab.labkit.errors import LabError
from ansible_collections.lockstep.teleport.tests.lab.labkit.topology import TOPOLOGIES, parse_topology, read_topology

SMALL: dict[str, Any] = {
    "version": "16.0.1",
    "clusters": {"one.example": {}, "two.example": {"root": "one.example", "version": "15.2.0"}},
    "hosts": [
        {"name": "auth1", "cluster": "one.example", "services": ["auth", "proxy"]},
        {"name": "agent1", "cluster": "one.example", "services": ["agent"], "version": "15.1.0"},
        {"name": "leaf1", "cluster": "two.example", "services": ["auth", "proxy", "agent"]},
        {"name": "tools1", "cluster": "one.example", "services": ["client"]},
        {"name": "svc1", "extras": ["etcd", "balancer"]},
    ],
}


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """A copy of SMALL with one value replaced."""
    data = copy.deepcopy(SMALL)
    place: Any = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return data


@pytest.mark.parametrize("name", sorted(file.stem for file in TOPOLOGIES.glob("*.json")))
def test_provided_topologies_are_sound(name: str) -> None:
    topology = parse_topology(name, read_topology(name))
    assert all(host.version for host in topology.hosts if host.services)


def test_provided_topologies_are_the_promised_ones() -> None:
    assert {file.stem for file in TOPOLOGIES.glob("*.json")} >= {
        "ha",
        "ha-leaf",
        "sqlite-small",
        "tree",
        "mixed",
        "pre5",
    }


def test_ha_is_what_it_says() -> None:
    topology = parse_topology("ha", read_topology("ha"))
    counts = {service: len(topology.of_cluster("root.example", service)) for service in ("auth", "proxy", "agent")}
    assert counts == {"auth": 3, "proxy": 2, "agent": 6}
    assert topology.clusters["root.example"].backend == "etcd"


def test_the_narrower_version_wins() -> None:
    versions = {host.name: host.version for host in parse_topology("t", SMALL).hosts}
    assert versions == {"auth1": "16.0.1", "agent1": "15.1.0", "leaf1": "15.2.0", "tools1": "16.0.1", "svc1": ""}


def test_overrides_win_over_the_file_host_over_cluster_over_all() -> None:
    topology = parse_topology("t", SMALL, ["17.0.0", "two.example=14.0.0", "agent1=13.0.0"])
    versions = {host.name: host.version for host in topology.hosts if host.services}
    assert versions == {"auth1": "17.0.0", "agent1": "13.0.0", "leaf1": "14.0.0", "tools1": "17.0.0"}
    assert topology.versions == {"17.0.0", "14.0.0", "13.0.0"}


def test_images_follow_what_a_host_runs() -> None:
    topology = parse_topology("t", SMALL)
    images = {host.name: (topology.image(host), host.runs_teleport) for host in topology.hosts}
    assert images["svc1"] == ("services", False)
    assert images["tools1"] == ("base", False)
    assert images["agent1"] == ("base", True)
    backends = parse_topology("backends", read_topology("backends"))
    assert {backends.image(host) for host in backends.hosts} == {"services"}


def test_roots_come_before_their_leaves() -> None:
    data = changed("clusters", "two.example", "root", to="")
    data["clusters"]["one.example"]["root"] = "two.example"
    assert [cluster.name for cluster in parse_topology("t", data).by_depth()] == ["two.example", "one.example"]
    assert [cluster.name for cluster in parse_topology("t", SMALL).by_depth()] == ["one.example", "two.example"]


REFUSED = [
    (changed("hosts", 0, "services", to=["auth", "kube"]), "unknown service 'kube'"),
    (changed("hosts", 0, "services", to=["agent"]), "no host runs auth"),
    (changed("hosts", 0, "name", to="Auth 1"), "allowed are 1 to 31 lower-case"),
    (changed("hosts", 0, "name", to="agent1"), "not unique"),
    (changed("hosts", 0, "cluster", to="three.example"), "no host runs auth"),
    (changed("hosts", 1, "cluster", to="three.example"), "'three.example' is not in clusters"),
    (changed("hosts", 1, "version", to="15"), "version '15', allowed is X.Y.Z"),
    (changed("hosts", 1, "extras", to=["etcd"]), "either services"),
    (changed("hosts", 1, "backend", to="etcd"), "unknown key 'backend'"),
    (changed("hosts", 4, "extras", to=["consul"]), "unknown extra 'consul'"),
    (changed("hosts", to=[]), "0 hosts, allowed are 1 to 100"),
    (changed("hosts", to=SMALL["hosts"] * 21), "105 hosts, allowed are 1 to 100"),
    (changed("clusters", "two.example", "root", to="x.example"), "its root 'x.example' is not a cluster"),
    (changed("clusters", "two.example", "root", to="two.example"), "trust runs in a circle"),
    (
        changed("clusters", "one.example", "backend", to="redis"),
        "backend 'redis', allowed are sqlite, etcd, postgresql",
    ),
    (changed("hosts", 3, "services", to=["auth"]), "2 auth hosts cannot share sqlite"),
    (changed("hardware", to={}), "unknown key 'hardware'"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED, ids=[case[1] for case in REFUSED])
def test_unsound_topologies_are_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        parse_topology("t", data)


@pytest.mark.parametrize("backend", ["etcd", "postgresql"])
def test_servers_need_a_place(backend: str) -> None:
    data = changed("clusters", "one.example", "backend", to=backend)
    del data["hosts"][4]
    with pytest.raises(LabError, match=f"backend {backend} needs a host"):
        parse_topology("t", data)


@pytest.mark.parametrize("override", ["17", "agent9=17.0.0", "agent1=", "=17.0"])
def test_overrides_are_checked(override: str) -> None:
    with pytest.raises(LabError, match="override"):
        parse_topology("t", SMALL, [override])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(LabError, match=r"provided are .*sqlite-small"):
        read_topology("no-such")
