# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which questions make up a view of a cluster, and asking them."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import cluster_facts, cluster_view, status_text
from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import DEFAULT_CONFIG_PATH
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import Tctl, TctlError, UnknownToTctl
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

#: What every version lists. The plural names are the only ones that 3.2 and 4.0 know.
HEARTBEATS = (
    ("auth_servers", cluster_view.AUTH),
    ("proxies", cluster_view.PROXY),
    ("nodes", cluster_view.AGENT),
)


class AgentKind(NamedTuple):
    """A kind of resource that agents without SSH announce, and the majors whose ``tctl get`` knows it."""

    name: str
    first: int
    last: int


#: Agents that are no SSH nodes. From 11 on the inventory names every instance, whatever it serves.
AGENT_KINDS = (
    AgentKind("kube_service", 5, 10),
    AgentKind("app_server", 8, 10),
    AgentKind("db_server", 8, 10),
    AgentKind("windows_desktop_service", 9, 10),
)
INVENTORY_SINCE = 11

#: Last major whose successor has something against a GitHub connector.
CONNECTORS_ASKED = 10

#: Majors whose ``tctl`` shows ``cluster_auth_preference``, up to the last whose Auth Service runs with any value in it.
PREFERENCE_SHOWN = (6, 15)


def program_of(instance: Mapping[str, Any]) -> str:
    """Return the ``tctl`` to use for *instance*: the one on everybody's path, else the one beside the process's file.

    In this order, because a link in the path follows an upgrade while a path remembered from before does not.
    """
    folders = [str(instance.get("bin_dir") or ""), os.path.dirname(str(instance.get("exe") or ""))]
    for folder in folders:
        if folder and os.path.exists(os.path.join(folder, "tctl")):
            return os.path.join(folder, "tctl")
    where = " or ".join(folder for folder in folders if folder) or "bin_dir"
    raise TctlError(f"there is no tctl in {where}. Install it beside teleport.")


def tctl_of(host: Host, instance: Mapping[str, Any], seconds: float, attempts: int = 3) -> Tctl:
    """Return the way to ask an Auth Service on *host*; see :class:`Tctl` for *seconds* and *attempts*.

    Raises :class:`TctlError` where there is no ``tctl``.
    """
    config_path = str((instance.get("config") or {}).get("path") or DEFAULT_CONFIG_PATH)
    return Tctl(host, program_of(instance), config_path, seconds, attempts)


def ask(tctl: Tctl, wall: Callable[[], float] = time.time) -> Dict[str, Any]:
    """Ask the Auth Service of this host for everything a ``cluster_view`` holds.

    Besides the keys of :func:`cluster_view.compose` it has ``observed_at`` (RFC 3339, the auth host's clock, by which
    ``expires`` has to be judged) and ``unseen``: kinds of resources that this version cannot list. Raises
    :class:`TctlError` when the cluster does not answer.
    """
    observed_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall()))
    try:
        status = status_text.parse(tctl.text(["status"]))
    except status_text.StatusError as error:
        raise TctlError(f"tctl status: {error}") from error
    unseen: List[str] = []
    heartbeats = [
        sighting
        for kind, service in HEARTBEATS
        for sighting in cluster_view.from_heartbeats(service, tctl.resources(kind))
    ]
    major = major_of(status.version)
    inventory = cluster_view.from_inventory(_optional(tctl.inventory, "inventory", unseen)) if _has(major) else []
    for kind in AGENT_KINDS:
        if major is not None and kind.first <= major <= kind.last:
            found = _optional(partial(tctl.resources, kind.name), kind.name, unseen)
            heartbeats += cluster_view.from_heartbeats(cluster_view.AGENT, found)
    others = {
        "remote_clusters": cluster_view.remote_clusters(_clusters(tctl, "remote_cluster", unseen)),
        "trusted_clusters": cluster_view.trusted_clusters(_clusters(tctl, "trusted_cluster", unseen)),
        "auth_preference": _auth_preference(tctl, major, unseen),
        "observed_at": observed_at,
        "unseen": unseen,
    }
    return cluster_view.compose(status, cluster_view.merge(heartbeats, inventory), others)


def ask_facts(tctl: Tctl, version: Optional[str]) -> Dict[str, Any]:
    """Ask for the resources that preflight rules look at, and return the facts of :mod:`.cluster_facts`."""
    try:
        roles, users = tctl.resources("roles"), tctl.resources("users")
    except TctlError:
        # Whoever may not list them can upgrade all the same.
        return {}
    facts = {**cluster_facts.of_roles(roles), **cluster_facts.of_users(users, roles)}
    major = major_of(version)
    if major is not None and major <= CONNECTORS_ASKED:
        facts.update(cluster_facts.of_connectors(_optional(partial(tctl.resources, "github"), "github", [])))
    return facts


def _auth_preference(tctl: Tctl, major: Optional[int], unseen: List[str]) -> Optional[Dict[str, Any]]:
    first, last = PREFERENCE_SHOWN
    if major is None or not first <= major <= last:
        return None
    kind = "cluster_auth_preference"
    return cluster_view.auth_preference(_optional(partial(tctl.resources, kind), kind, unseen))


def _clusters(tctl: Tctl, kind: str, unseen: List[str]) -> List[Any]:
    return _optional(partial(tctl.resources, kind), kind, unseen)


def _optional(question: Callable[[], List[Any]], name: str, unseen: List[str]) -> List[Any]:
    try:
        return question()
    except UnknownToTctl:
        unseen.append(name)
        return []


def _has(major: Optional[int]) -> bool:
    return major is not None and major >= INVENTORY_SINCE


def major_of(version: Optional[str]) -> Optional[int]:
    """Return the major of a version that a cluster told; None where it told none, or none that can be read."""
    try:
        return Version.parse(version).major if version else None
    except VersionError:
        return None
