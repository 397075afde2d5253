# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's view of a lab: inventories, ansible.cfg and the environment to run in. Pure functions over a Lab."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .record import Lab
from .settings import Settings
from .topology import Host

SERVICE_GROUPS = ("auth", "proxy", "agent", "client")


def inventory(lab: Lab, settings: Settings, user: str, artifact_url: str) -> str:
    """An inventory as YAML (in its JSON form), for the hosts of a lab, reached as ``user`` (root, or ops with sudo)."""
    children: dict[str, Any] = {
        "teleport": {"children": _cluster_groups(lab), "vars": _teleport_vars(lab, artifact_url)}
    }
    for service in SERVICE_GROUPS:
        members = [host.name for host in lab.topology.hosts if service in host.services]
        children[f"lab_{service}"] = {"hosts": {name: {} for name in members}}
    children["lab_services"] = {
        "hosts": {host.name: _host_vars(lab, host) for host in lab.topology.hosts if host.extras}
    }
    tree = {"all": {"vars": _connection_vars(settings, user), "children": children}}
    return json.dumps(tree, indent=2) + "\n"


def group_name(cluster: str) -> str:
    """The inventory group of a cluster: ``cluster_`` and its name with every other character than a-z0-9 as ``_``."""
    return "cluster_" + re.sub(r"[^a-z0-9]", "_", cluster)


def _cluster_groups(lab: Lab) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for cluster in lab.topology.clusters.values():
        members = [host for host in lab.topology.hosts if host.services and host.cluster == cluster.name]
        group: dict[str, Any] = {"hosts": {host.name: _host_vars(lab, host) for host in members}}
        if _has_trust(lab):
            group["vars"] = {"teleport_cluster": cluster.name}
        groups[group_name(cluster.name)] = group
    return groups


def _host_vars(lab: Lab, host: Host) -> dict[str, str]:
    return {"ansible_host": lab.address(host.name)}


def _has_trust(lab: Lab) -> bool:
    return any(cluster.root for cluster in lab.topology.clusters.values())


def _teleport_vars(lab: Lab, artifact_url: str) -> dict[str, Any]:
    values: dict[str, Any] = {"teleport_artifact_url": artifact_url}
    if _has_trust(lab):
        clusters = lab.topology.clusters.values()
        values["teleport_clusters"] = {one.name: {"root": one.root} if one.root else {} for one in clusters}
    return values


def _connection_vars(settings: Settings, user: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "ansible_user": user,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(settings.state / "id_ed25519"),
        "ansible_ssh_common_args": ssh_options(settings.state),
        "ansible_control_path_dir": control_path_dir(settings.name),
        "ansible_pipelining": True,
        # The boot id of all hosts is that of the machine below them and never changes.
        "lab_boot_time_command": "systemctl --no-pager show --property=UserspaceTimestampMonotonic --value",
    }
    if user != "root":
        values["ansible_become"] = True
    return values


def ssh_options(state: Path) -> str:
    """Options for ssh: the hosts' keys are known from the start and checked."""
    return (
        f"-o UserKnownHostsFile={state / 'known_hosts'} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes "
        "-o ControlMaster=auto -o ControlPersist=60s -o ConnectTimeout=10 "
        "-o ServerAliveInterval=5 -o ServerAliveCountMax=3"
    )


def ansible_cfg(state: Path) -> str:
    """The configuration for runs against a lab."""
    return (
        "[defaults]\n"
        f"inventory = {state / 'inventory.yml'}\n"
        "host_key_checking = True\n"
        "forks = 10\n"
        # Asking workers a thousand times a second, as is the default, takes a machine's processors from its hosts.
        "internal_poll_interval = 0.01\n"
        "retry_files_enabled = False\n"
        "interpreter_python = /usr/bin/python3\n"
    )


def control_path_dir(name: str) -> str:
    """The folder of a lab's ssh control sockets; short, because a socket's path may have 104 characters at most."""
    return f"/tmp/lockstep-{name}-ssh"


def environment(state: Path, artifact_url: str) -> str:
    """Shell text to be sourced before Ansible is run against a lab."""
    lines = {"ANSIBLE_CONFIG": state / "ansible.cfg", "LAB_STATE": state, "LAB_ARTIFACT_URL": artifact_url}
    return "".join(f"export {key}='{value}'\n" for key, value in lines.items())
