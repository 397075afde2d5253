# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the hosts and clusters said to what the planner takes.

Everything here is a pure function over values: variables of hosts go in, plain data comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.backends import kinds
from ansible_collections.lockstep.teleport.plugins.plugin_utils import (
    around,
    hooks,
    pins,
    preflight,
    run_settings,
    trusted_clusters,
)
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_input import ROLLING

Instance = dict[str, Any]

DEFAULT_CLUSTER = "main"
BACKEND_NEEDS_COMMAND = "backend-needs-command"
EDIT_KEYS = ("rule", "before", "after", "lines")
PLANNER_KEYS = ("services", "version", "edition", "interrupted", "unfinished", "concerns")


def collect(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], asked_limit: Iterable[str]
) -> dict[str, Any]:
    """Return the planner's instances, the findings of all hosts, and whom to ask about each cluster.

    *hosts* are all hosts of the inventory pattern, whatever --limit says; *asked_limit* are those the run may
    touch. A host that was not observed is an instance in state ``unreachable``: it can never be forgotten.

    The result has ``instances`` (see ``upgrade_plan``), ``findings``, ``asked`` (for each cluster the host of one
    running Auth Service), ``silent`` (the clusters without one), ``names`` (for each host all names under which its
    cluster may list it), ``hooks`` (the user's task files by the point at which they run), ``drains`` (the proxies that
    leave a load balancer), ``groups`` (of each auth group that something else manages, one host) and ``settings`` (the
    variables of the run that the inventory gives to hosts only).
    """
    allowed = set(asked_limit)
    pairs = [(host, hostvars[host]) for host in hosts]
    sole = _sole_cluster(pairs)
    instances: list[Instance] = []
    findings: list[dict[str, Any]] = []
    names: dict[str, list[str]] = {}
    for host, variables in pairs:
        seen = observation(variables)
        names[host] = [host, *_own_names(seen)]
        cluster = cluster_of(variables, seen, sole)
        instances.append(planner_instance(host, cluster, seen))
        pinned = pins.pinned_versions(variables.get("teleport_artifact_checksums"), seen)
        if pinned is not None:
            instances[-1]["pinned_versions"] = pinned
        if seen is None and host not in allowed:
            findings.append(_left_out(host, cluster))
        elif seen is not None:
            findings.extend({**finding, "host": host, "cluster": cluster} for finding in seen["findings"])
            findings.extend(_unsavable(host, cluster, variables, seen))
    findings.extend(_shared_names(instances, names))
    own = hostvars.get("localhost") or {}
    settings, differences = run_settings.taken(own, pairs)
    clusters = {instance["host"]: instance["cluster"] for instance in instances}
    findings.extend(_differing(clusters[difference.other], difference) for difference in differences)
    asked = _one_auth_per_cluster(instances)
    return {
        "instances": instances,
        "findings": findings,
        "asked": sorted(asked.values()),
        "silent": sorted({instance["cluster"] for instance in instances} - set(asked)),
        "names": names,
        **around.surrounded(instances, dict(pairs)),
        "settings": settings,
        "hooks": hooks.named([own, *(variables for _host, variables in pairs)]),
    }


def observation(variables: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what ``instance_info`` said of a host, ``None`` when it could not be asked."""
    result = variables.get("observe_result")
    return result.get("instance") if isinstance(result, Mapping) else None


def cluster_of(variables: Mapping[str, Any], seen: Mapping[str, Any] | None, sole: str | None) -> str:
    """Name a host's cluster: the inventory's word, else the instance's own, else the only cluster there is."""
    named = variables.get("teleport_cluster")
    if named:
        return str(named)
    own = seen.get("cluster") if seen else None
    return str(own or sole or DEFAULT_CLUSTER)


def planner_instance(host: str, cluster: str, seen: Mapping[str, Any] | None) -> Instance:
    """Reduce an observation to what the planner reads, so that nothing else can change a plan's digest."""
    if seen is None:
        return {"host": host, "cluster": cluster, "services": ["agent"], "version": None, "state": "unreachable"}
    kept = {key: seen[key] for key in PLANNER_KEYS if seen.get(key) not in (None, [])}
    if seen.get("config_edits"):
        # The bytes are the host's business.
        kept["config_edits"] = [{key: edit[key] for key in EDIT_KEYS} for edit in seen["config_edits"]]
    # A host whose configuration could not be read has its own blocker; it must not be lost to the plan besides.
    kept["services"] = kept.get("services") or ["agent"]
    return {"host": host, "cluster": cluster, "version": None, "state": seen["state"], **kept}


def merge_views(
    instances: Iterable[Instance],
    hostvars: Mapping[str, Mapping[str, Any]],
    declared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Add what the clusters report: ``instances``, completed, and ``unmanaged``, those the inventory lacks.

    ``cluster_concerns`` holds, by cluster, which preflight rules its own answers offend, and ``findings`` how the trust
    between them differs from *declared*, ``teleport_clusters``; none where that is not given.

    Instances are matched by host UUID, and by node name where the UUID could not be read: Teleport names an instance by
    the UUID in its data directory. An unreachable host gets the services and version its cluster last saw, because
    a silent auth server must not pass for an agent.
    """
    own = list(instances)
    views = dict(_views(own, hostvars))
    reported = [{**entry, "cluster": cluster} for cluster, view in views.items() for entry in view["instances"]]
    by_name = {entry["host"]: entry for entry in reported if entry["host"]}
    known = set(_known_names(own, hostvars))
    strangers = [entry for entry in reported if known.isdisjoint({entry["id"], entry["host"]})]
    return {
        "instances": [_completed(instance, by_name.get(instance["host"])) for instance in own],
        "unmanaged": sorted((_stranger(entry) for entry in strangers), key=lambda i: (i["cluster"], i["host"])),
        "cluster_concerns": {
            cluster: preflight.concerns_of_cluster(
                view,
                _edition(own, cluster),
                [entry["host"] for entry in strangers if entry["cluster"] == cluster and "agent" in entry["services"]],
            )
            for cluster, view in views.items()
        },
        "findings": [] if declared is None else trusted_clusters.findings(views, declared, own),
    }


def _edition(instances: Iterable[Mapping[str, Any]], cluster: str) -> str:
    found = (entry.get("edition") for entry in instances if entry["cluster"] == cluster and "auth" in entry["services"])
    return next(filter(None, found), "community")


def _completed(instance: Instance, entry: Mapping[str, Any] | None) -> Instance:
    if instance["state"] != "unreachable" or entry is None:
        return instance
    return {**instance, "cluster": entry["cluster"], "services": entry["services"], "version": entry["version"]}


def _stranger(entry: Mapping[str, Any]) -> Instance:
    return {
        "host": entry["host"] or entry["id"],
        "cluster": entry["cluster"],
        "services": entry["services"],
        "version": entry["version"],
    }


def _own_names(seen: Mapping[str, Any] | None) -> list[str]:
    if seen is None:
        return []
    return [str(name or "") for name in (seen.get("host_uuid"), seen.get("hostname"), seen["config"].get("nodename"))]


def _known_names(instances: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    for instance in instances:
        yield instance["host"]
        yield from filter(None, _own_names(observation(hostvars[instance["host"]])))


def _views(
    instances: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Mapping[str, Any]]
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for instance in instances:
        if "auth" in instance["services"]:
            asked = hostvars[instance["host"]].get("gate_asked")
            view = asked.get("cluster_view") if isinstance(asked, Mapping) else None
            if view:
                yield instance["cluster"], view


def _sole_cluster(pairs: Iterable[tuple[str, Mapping[str, Any]]]) -> str | None:
    names = set()
    for _host, variables in pairs:
        named = variables.get("teleport_cluster") or (observation(variables) or {}).get("cluster")
        if named:
            names.add(str(named))
    return names.pop() if len(names) == 1 else None


def _one_auth_per_cluster(instances: Iterable[Instance]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for instance in instances:
        if "auth" in instance["services"] and instance["state"] == "running":
            chosen.setdefault(instance["cluster"], instance["host"])
    return chosen


def _shared_names(instances: Iterable[Instance], names: Mapping[str, list[str]]) -> Iterable[dict[str, Any]]:
    """Find hosts that their cluster cannot tell apart: one UUID means cloned hosts, or one host under two names."""
    for position, code, what, hint in (
        (1, "duplicate-host", "host UUID", "Take one name out, or give the clone a UUID of its own (host_uuid)."),
        (3, "duplicate-name", "node name", "Give each instance a nodename of its own in teleport.yaml."),
    ):
        holders: dict[tuple[str, str], list[str]] = {}
        for instance in instances:
            own = names[instance["host"]]
            if len(own) > position and own[position]:
                holders.setdefault((instance["cluster"], own[position]), []).append(instance["host"])
        for (cluster, name), hosts in holders.items():
            if len(hosts) > 1:
                message = f"{' and '.join(hosts)} claim one {what}, {name}: their cluster cannot tell them apart."
                yield _blocker(code, cluster, hosts[0], message, hint)


def _unsavable(
    host: str, cluster: str, variables: Mapping[str, Any], seen: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    """Find a backend that nobody can save: that must be known before its Auth Service is down."""
    config = seen.get("config") or {}
    own = variables.get("teleport_backup_command") and variables.get("teleport_restore_command")
    # Teleport's clone has no common moment: a group that is rolled through writes all the time.
    rolls = variables.get("teleport_auth_strategy") == ROLLING
    own = own or (variables.get("teleport_backup_method") == "clone" and not rolls)
    if own or "auth" not in seen["services"] or not config.get("storage"):
        return
    message = kinds.refusal(config["storage"])
    if message:
        hint = "Set teleport_backup_command and teleport_restore_command for the cluster's auth hosts."
        yield _blocker(BACKEND_NEEDS_COMMAND, cluster, host, message, hint)


def _differing(cluster: str, difference: run_settings.Difference) -> dict[str, Any]:
    name, first, other = difference
    message = f"{name} differs between {first} and {other}, and a run has only one."
    hint = f"Give {name} to all hosts alike, in the group teleport, or as an extra variable."
    return _blocker("setting-differs", cluster, other, message, hint)


def _left_out(host: str, cluster: str) -> dict[str, Any]:
    message = f"{host} was left out by --limit, so what runs there is not known."
    hint = "Run without --limit: the order can only be kept over all hosts."
    return _blocker("limited", cluster, host, message, hint)


def _blocker(code: str, cluster: str, host: str, message: str, hint: str) -> dict[str, Any]:
    return {"code": code, "severity": "blocker", "cluster": cluster, "host": host, "message": message, "hint": hint}
