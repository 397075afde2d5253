# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a cluster besides its instances: users, and trust between clusters; all by its own tctl."""

from __future__ import annotations

import json

from . import podman
from .configs import TRUST_TOKEN, proxy_address, version_pair
from .errors import LabError
from .record import Lab
from .settings import Settings
from .topology import Cluster, Host

USERS = ("alice", "bob")
# Users of the free edition had no roles before.
ROLES_SINCE = (6, 0)


def create_records(settings: Settings, lab: Lab, cluster: Cluster) -> None:
    """Create the lab's users in a cluster."""
    auth = first_auth(lab, cluster)
    documents = [user_document(name, auth.version) for name in USERS]
    _tctl(settings, auth, "create", "-f", "/dev/stdin", stdin="---\n".join(documents))


def user_document(name: str, version: str) -> str:
    """A user who may log in as root everywhere, in the words of that version."""
    roles = '["access", "editor"]' if version_pair(version) >= ROLES_SINCE else '["admin"]'
    return (
        f"kind: user\nversion: v2\nmetadata:\n  name: {name}\nspec:\n  roles: {roles}\n"
        '  traits:\n    logins: ["root"]\n'
    )


def joined(settings: Settings, lab: Lab, cluster: Cluster) -> bool:
    """Whether the cluster lists every proxy and agent that the topology has."""
    listed = {
        kind: _tctl(settings, first_auth(lab, cluster), "get", kind, "--format=json") for kind in ("nodes", "proxies")
    }
    agents = all(f'"{host.name}"' in listed["nodes"] for host in lab.topology.of_cluster(cluster.name, "agent"))
    return agents and all(
        f'"{host.name}"' in listed["proxies"] for host in lab.topology.of_cluster(cluster.name, "proxy")
    )


def trust(settings: Settings, lab: Lab, leaf: Cluster) -> None:
    """Make a leaf trust its root cluster."""
    root = lab.topology.clusters[leaf.root]
    proxies = lab.topology.of_cluster(root.name, "proxy")
    if not proxies:
        raise LabError(f"{leaf.name}: its root {root.name} has no proxy to connect to")
    document = trust_document(root.name, proxy_address(lab, proxies[0], 3080), proxy_address(lab, proxies[0], 3024))
    _tctl(settings, first_auth(lab, leaf), "create", "-f", "/dev/stdin", stdin=document)


def trust_document(root: str, web: str, tunnel: str) -> str:
    """A trusted cluster as the leaf's administrator writes it."""
    return (
        f"kind: trusted_cluster\nversion: v2\nmetadata:\n  name: {root}\n"
        f"spec:\n  enabled: true\n  token: {TRUST_TOKEN}\n"
        f"  web_proxy_addr: {web}\n  tunnel_addr: {tunnel}\n  role_map:\n"
        '  - remote: "access"\n    local: ["access"]\n  - remote: "admin"\n    local: ["admin"]\n'
    )


def trusted(settings: Settings, lab: Lab, leaf: Cluster) -> bool:
    """Whether the root sees the leaf online."""
    listed = json.loads(
        _tctl(settings, first_auth(lab, lab.topology.clusters[leaf.root]), "get", "rc", "--format=json") or "null"
    )
    entries = listed if isinstance(listed, list) else [listed] if listed else []
    return any(
        entry["metadata"]["name"] == leaf.name and entry.get("status", {}).get("connection") == "online"
        for entry in entries
    )


def first_auth(lab: Lab, cluster: Cluster) -> Host:
    return lab.topology.of_cluster(cluster.name, "auth")[0]


def _tctl(settings: Settings, auth: Host, *arguments: str, stdin: str = "") -> str:
    command = ["timeout", "30", "tctl", *arguments]
    return podman.execute(settings, auth.name, command, stdin=stdin.encode()).stdout.decode("utf-8", "replace")
