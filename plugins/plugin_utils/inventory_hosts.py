# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a cluster's own view to the hosts of an inventory. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

#: The group that all playbooks of the collection work on.
EVERYONE = "teleport"

_UNUSABLE_IN_GROUP_RE = re.compile(r"[^A-Za-z0-9_]")
_ID_SHOWN = 8
_USABLE_RE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_CONTROLLER = ("localhost", "localhost.localdomain", "127.0.0.1", "all", "ungrouped")


class InventoryHost(NamedTuple):
    """One host: its name, the groups it belongs to besides C(all), and its variables."""

    name: str
    groups: tuple[str, ...]
    variables: dict[str, Any]


class Wish(NamedTuple):
    """Which hosts are wanted, and how they are reached.

    ``cluster`` overrides what the cluster calls itself. ``services`` are those wanted. With ``through_teleport`` a host
    is reached under the name that Teleport's own ``ssh_config`` gives it, by ``ssh_config`` where one is named.
    """

    services: Collection[str] = ("auth", "proxy", "agent")
    cluster: str = ""
    through_teleport: bool = False
    ssh_config: str = ""


def hosts_of(view: Mapping[str, Any], wish: Wish) -> list[InventoryHost]:
    """Return the hosts of a ``cluster_view`` (see ``cluster_info``), ordered by name.

    What had expired when the cluster was asked is dead and left out. Instances that share one host name all stay: the
    name of each is then followed by the beginning of its UUID.
    """
    cluster = wish.cluster or str(view["cluster"])
    living = [
        entry
        for entry in view["instances"]
        if _lives(entry, view) and not set(entry["services"]).isdisjoint(wish.services) and _own_name(entry)
    ]
    shared = Counter(_own_name(entry) for entry in living)
    hosts = (_host(entry, cluster, wish, is_shared=shared[_own_name(entry)] > 1) for entry in living)
    return sorted(hosts, key=lambda host: host.name)


def shared_names(hosts: Iterable[InventoryHost]) -> list[str]:
    """Return the node names that several hosts have, for a warning: their cluster cannot tell them apart either."""
    counts = Counter(host.variables["teleport_seen"]["hostname"] for host in hosts)
    return sorted(name for name, count in counts.items() if count > 1)


def _lives(entry: Mapping[str, Any], view: Mapping[str, Any]) -> bool:
    # Both are RFC 3339 in UTC to the second or finer, so that texts sort as times do.
    return not entry["expires"] or not view.get("observed_at") or entry["expires"] > view["observed_at"]


def _own_name(entry: Mapping[str, Any]) -> str:
    """The name to use: the host's, else its UUID; empty when neither can be used.

    Whoever runs a node chooses what it calls itself, so a name must not be one that ssh takes for an option, Ansible
    for a template, a pattern or the controller, or a terminal for a command.
    """
    names = (str(entry["host"] or ""), str(entry["id"] or ""))
    return next((name for name in names if _USABLE_RE.fullmatch(name) and name.lower() not in _CONTROLLER), "")


def _host(entry: Mapping[str, Any], cluster: str, wish: Wish, *, is_shared: bool) -> InventoryHost:
    own = _own_name(entry)
    name = f"{own}-{_UNUSABLE_IN_GROUP_RE.sub('_', entry['id'])[:_ID_SHOWN]}" if is_shared else own
    seen = {key: entry[key] for key in ("id", "services", "version", "address", "expires")}
    variables = {
        "teleport_cluster": cluster,
        "teleport_seen": {**seen, "hostname": str(entry["host"] or entry["id"])},
        **_reach(entry, cluster, wish),
    }
    return InventoryHost(name, tuple(_groups(entry, cluster)), variables)


def _groups(entry: Mapping[str, Any], cluster: str) -> Iterable[str]:
    yield EVERYONE
    yield _group("cluster", cluster)
    for service in entry["services"]:
        yield _group("service", service)
    line = _line(entry["version"])
    if line:
        yield _group("line", line)


def _group(kind: str, name: str) -> str:
    return f"{EVERYONE}_{kind}_{_UNUSABLE_IN_GROUP_RE.sub('_', name)}"


def _line(version: str | None) -> str:
    try:
        return Version.parse(version).line if version else ""
    except VersionError:
        return ""


def _reach(entry: Mapping[str, Any], cluster: str, wish: Wish) -> dict[str, str]:
    if wish.through_teleport:
        config = {"ansible_ssh_common_args": f"-F {wish.ssh_config}"} if wish.ssh_config else {}
        return {"ansible_host": f"{_own_name(entry)}.{cluster}", **config}
    address = _host_part(str(entry["address"] or ""))
    return {"ansible_host": address} if _is_reachable(address) else {}


def _host_part(address: str) -> str:
    """``10.0.0.5:3022`` and ``[2001:db8::5]:3022`` without their ports."""
    bracketed = re.fullmatch(r"\[(?P<host>[^]]+)](?::[0-9]+)?", address)
    return bracketed.group("host") if bracketed else address.partition(":")[0]


def _is_reachable(address: str) -> bool:
    """Whether an announced address leads anywhere: one that listens on all or behind a tunnel says nothing."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not (parsed.is_unspecified or parsed.is_loopback)
