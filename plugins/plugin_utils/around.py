# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands around instances: load balancers before proxies, and whatever manages auth servers besides systemd."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import finding

HostVars = Mapping[str, Mapping[str, Any]]


def surrounded(instances: Iterable[Mapping[str, Any]], hostvars: HostVars) -> dict[str, list[str]]:
    """Return ``drains``, the proxies that leave a load balancer, and ``groups``, one host of each managed auth group.

    A host with auth and proxy is upgraded as an auth server, and not drained.
    """
    drains: list[str] = []
    groups: dict[str, str] = {}
    for instance in instances:
        host, own = instance["host"], hostvars[instance["host"]]
        if instance["state"] == "unreachable":
            continue
        if "auth" in instance["services"]:
            if own.get("teleport_auth_group", "service") != "service":
                groups.setdefault(instance["cluster"], host)
        elif "proxy" in instance["services"] and own.get("teleport_proxy_drain", "none") != "none":
            drains.append(host)
    return {"drains": drains, "groups": sorted(groups.values())}


def problems(inventory: Mapping[str, Any], hostvars: HostVars) -> list[dict[str, str | None]]:
    """Return a blocker for each load balancer, and each manager of an auth group, that was asked and is of no use.

    :param inventory: what ``observed.collect`` returned.
    """
    clusters = {instance["host"]: instance["cluster"] for instance in inventory["instances"]}
    asked = [("drain-unusable", "drain_problem", host) for host in inventory["drains"]]
    asked += [("auth-group-unusable", "auth_group_problem", host) for host in inventory["groups"]]
    return [
        finding(code, str(hostvars[host][variable]), cluster=clusters[host], host=host).as_dict()
        for code, variable, host in asked
        if hostvars[host].get(variable)
    ]
