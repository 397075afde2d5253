# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster says about itself, as one small value: from the answers of ``tctl`` to ``cluster_view``.

Nothing here does I/O. The lists of a cluster name the dead for up to ten minutes; what such an entry is worth is
judged by whoever reads the view.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import name
from ansible_collections.lockstep.teleport.plugins.module_utils.status_text import Status

AUTH = "auth"
PROXY = "proxy"
AGENT = "agent"
_ORDER = (AUTH, PROXY, AGENT)

#: Services of an inventory entry that are not an agent's; whatever else it runs is.
_INVENTORY_SERVICES = {"auth": AUTH, "proxy": PROXY}
_NO_SERVICE = ("instance", "admin", "bot")


class Sighting(NamedTuple):
    """One record that names an instance, and the service it was recorded for."""

    service: str
    id: str
    host: str
    version: Optional[str]
    expires: Optional[str]
    address: str


def from_heartbeats(service: str, resources: Iterable[Mapping[str, Any]]) -> List[Sighting]:
    """Read heartbeats of one kind: ``node``, ``proxy``, ``auth_server`` and the others that announce themselves.

    An application or a database is announced by the instance that serves it, which ``host_id`` then names.
    """
    found = []
    for resource in resources:
        spec, metadata = part(resource, "spec"), part(resource, "metadata")
        found.append(
            Sighting(
                service=service,
                id=name(spec.get("host_id") or metadata.get("name")),
                host=name(spec.get("hostname")),
                version=_version(spec.get("version")),
                expires=name(metadata.get("expires")) or None,
                address=name(spec.get("addr")),
            )
        )
    return found


def from_inventory(resources: Iterable[Mapping[str, Any]]) -> List[Sighting]:
    """Read the answer of ``tctl inventory list``, which lists whole instances with all their services."""
    found = []
    for resource in resources:
        spec, metadata = part(resource, "spec"), part(resource, "metadata")
        services_named = spec.get("services")
        names = [str(one).lower() for one in services_named] if isinstance(services_named, list) else []
        services = {_INVENTORY_SERVICES.get(one, AGENT) for one in names if one not in _NO_SERVICE}
        found += [
            Sighting(
                service=service,
                id=name(metadata.get("name")),
                host=name(spec.get("hostname")),
                version=_version(spec.get("version")),
                expires=name(metadata.get("expires")) or None,
                address="",
            )
            for service in sorted(services)
        ]
    return found


def merge(heartbeats: Iterable[Sighting], inventory: Iterable[Sighting] = ()) -> List[Dict[str, Any]]:
    """Return one entry per instance, ordered by host and id.

    Records with the same id are services of one process. Among its heartbeats the one that lasts longest is the
    newest, so it says the version. The inventory is refreshed only every quarter of an hour in large clusters:
    it adds what heartbeats lack and contradicts none of them.
    """
    entries: Dict[str, Dict[str, Any]] = {}
    for sighting in sorted(heartbeats, key=lambda one: one.expires or "", reverse=True):
        _add(entries, sighting)
    known = set(entries)
    for sighting in inventory:
        if sighting.id not in known or entries[sighting.id]["version"] is None:
            _add(entries, sighting)
    for entry in entries.values():
        entry["services"] = [service for service in _ORDER if service in entry["services"]]
    return sorted(entries.values(), key=lambda entry: (entry["host"], entry["id"]))


def auth_preference(resources: Iterable[Mapping[str, Any]]) -> Optional[Dict[str, Any]]:
    """Return what of ``cluster_auth_preference`` decides whether a newer Auth Service starts; None without one."""
    for resource in resources:
        factor = part(resource, "spec").get("second_factor")
        return {"second_factor": str(factor) if factor else None}
    return None


def remote_clusters(resources: Iterable[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """Return the leaf clusters a root cluster knows. ``last_heartbeat`` marks reconnections; it is no pulse."""
    return [
        {
            "name": name(part(resource, "metadata").get("name")),
            "connection": name(part(resource, "status").get("connection")) or "unknown",
            "last_heartbeat": name(part(resource, "status").get("last_heartbeat")) or None,
        }
        for resource in resources
    ]


def trusted_clusters(resources: Iterable[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """Return the root clusters a leaf trusts, without the join tokens that stand beside them."""
    return [
        {
            "name": name(part(resource, "metadata").get("name")),
            "enabled": bool(part(resource, "spec").get("enabled")),
        }
        for resource in resources
    ]


def compose(status: Status, instances: List[Dict[str, Any]], others: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the ``cluster_view``. *others* holds what is taken over as it is, e.g. the remote clusters."""
    return {
        "cluster": status.cluster,
        "version": status.version,
        "ca_pins": sorted(status.ca_pins),
        "authorities": status.authorities,
        "rotation_in_progress": status.rotation_in_progress,
        "instances": instances,
        "versions_known": all(entry["version"] for entry in instances),
        **others,
    }


def _add(entries: Dict[str, Dict[str, Any]], sighting: Sighting) -> None:
    entry = entries.setdefault(
        sighting.id,
        {"id": sighting.id, "host": "", "services": [], "version": None, "expires": None, "address": ""},
    )
    entry["services"].append(sighting.service)
    for key in ("host", "version", "expires", "address"):
        entry[key] = entry[key] or getattr(sighting, key)


def part(resource: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a part of a resource; an empty one where something else stands, which says nothing then."""
    found = resource.get(key)
    return found if isinstance(found, dict) else {}


def _version(found: Any) -> Optional[str]:
    text = name(found or "")
    return (text[1:] if text.startswith("v") else text) or None
