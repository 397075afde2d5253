# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge hosts and clusters as they are, without a plan. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.observed import (
    BACKEND_NEEDS_COMMAND,
    observation,
)

Finding = dict[str, Any]
HostVars = Mapping[str, Mapping[str, Any]]
Serves = Callable[[str, str], bool]
Roots = Mapping[str, Mapping[str, Any] | None]

HTTP_OK = 200


def verify(
    inventory: Mapping[str, Any], hostvars: HostVars, target: str, serves: Serves, clusters: Roots | None = None
) -> list[Finding]:
    """Return every finding about the hosts and clusters of an inventory.

    *inventory* is what ``observed.collect`` returned, *target* the version that everyone must run or ``""``, *serves*
    the compatibility rule of a server and a client version, and *clusters* names the root of each leaf as
    ``teleport_clusters`` does. Raises ``ValueError`` when *clusters* is of another kind.
    """
    # What only a backup needs says nothing about whether the cluster is well.
    findings: list[Finding] = [item for item in inventory["findings"] if item["code"] != BACKEND_NEEDS_COMMAND]
    for instance in inventory["instances"]:
        findings.extend(_host_findings(instance, observation(hostvars[instance["host"]]), target))
    by_cluster = _by_cluster(inventory["instances"])
    for name, members in by_cluster.items():
        findings.extend(_cluster_findings(name, members, serves))
        findings.extend(_view_findings(name, members, hostvars))
    for leaf, root in _roots(clusters or {}).items():
        findings.extend(_trust_findings(leaf, root, by_cluster, serves))
    return findings


def _finding(code: str, instance: Mapping[str, Any], message: str, hint: str) -> Finding:
    return {
        "code": code,
        "severity": "blocker",
        "cluster": instance["cluster"],
        "host": instance.get("host"),
        "message": message,
        "hint": hint,
    }


def _host_findings(instance: Mapping[str, Any], seen: Mapping[str, Any] | None, target: str) -> Iterable[Finding]:
    host = instance["host"]
    if seen is None:
        yield _finding("unreachable", instance, f"{host} could not be observed.", "Reach it and verify again.")
        return
    if seen["state"] != "running":
        unit = (seen.get("unit") or {}).get("name")
        message = f"{host}: {unit} is not running."
        yield _finding(
            "not-running", instance, message, "Read its journal; run the upgrade again if it was interrupted."
        )
    elif _not_ready(seen):
        yield _finding("not-ready", instance, f"{host} is not ready: {_ready_text(seen)}.", "Read its journal.")
    if seen.get("held") or seen.get("interrupted"):
        message = f"{host} carries the mark of an unfinished upgrade."
        yield _finding("interrupted", instance, message, "Run the upgrade again: it finishes what it finds.")
    running, installed = seen.get("running_version"), seen.get("installed_version")
    if running and installed and running != installed:
        message = f"{host} runs {running} while {installed} is installed: somebody installed without restarting."
        yield _finding("not-restarted", instance, message, "Run the upgrade, or restart the unit in the right order.")
    if target and seen.get("version") != target:
        message = f"{host} runs {seen.get('version')}, the target is {target}."
        yield _finding("not-at-target", instance, message, "Run the upgrade.")


def _not_ready(seen: Mapping[str, Any]) -> bool:
    ready = seen.get("ready")
    return ready is not None and ready["http_status"] != HTTP_OK


def _ready_text(seen: Mapping[str, Any]) -> str:
    ready = seen["ready"]
    return f"{ready['source']} answered {ready['http_status']} {ready['status']}"


def _by_cluster(instances: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    clusters: dict[str, list[Mapping[str, Any]]] = {}
    for instance in instances:
        clusters.setdefault(instance["cluster"], []).append(instance)
    return clusters


def _cluster_findings(name: str, members: Iterable[Mapping[str, Any]], serves: Serves) -> Iterable[Finding]:
    known = [member for member in members if member["version"]]
    auths = _versions(known, "auth")
    if not auths:
        yield _finding(
            "no-auth", {"cluster": name}, f"Cluster {name} has no auth server that could be observed.", "Add it."
        )
        return
    if len(auths) > 1:
        told = ", ".join(f"{version} ({host})" for version, host in sorted(auths.items()))
        message = f"The auth servers of cluster {name} run different versions on one backend: {told}."
        yield _finding("auth-versions", {"cluster": name}, message, "Run the upgrade: it brings them to one version.")
    proxies = {version: host for version, host in _versions(known, "proxy").items() if version not in auths}
    for member in known:
        is_server = not {"auth", "proxy"}.isdisjoint(member["services"])
        servers = (("auth", auths), ("proxy", {} if is_server else proxies))
        for kind, versions in servers if "auth" not in member["services"] else ():
            yield from _served_findings(member, kind, versions, serves)


def _versions(members: Iterable[Mapping[str, Any]], service: str) -> dict[str, str]:
    """Return the versions that a service runs at, each with one host: thousands of hosts run a handful of versions."""
    found: dict[str, str] = {}
    for member in members:
        if service in member["services"]:
            found.setdefault(member["version"], member["host"])
    return found


def _served_findings(
    member: Mapping[str, Any], kind: str, servers: Mapping[str, str], serves: Serves
) -> Iterable[Finding]:
    for version, host in servers.items():
        if not serves(version, member["version"]):
            message = f"{member['host']} runs {member['version']}, which {kind} {version} ({host}) does not serve."
            yield _finding("incompatible", member, message, "Run the upgrade: it brings the versions back in order.")


def _roots(clusters: object) -> dict[str, str]:
    """Return the root of each leaf."""
    if not isinstance(clusters, Mapping) or not all(isinstance(row or {}, Mapping) for row in clusters.values()):
        raise ValueError(f"teleport_clusters is {clusters!r}; allowed is a mapping, e.g. {{leaf: {{root: main}}}}.")
    return {str(name): str(row["root"]) for name, row in clusters.items() if row and row.get("root")}


def _trust_findings(
    leaf: str, root: str, by_cluster: Mapping[str, list[Mapping[str, Any]]], serves: Serves
) -> Iterable[Finding]:
    known = {name: [member for member in by_cluster.get(name, ()) if member["version"]] for name in (leaf, root)}
    for root_version in _versions(known[root], "auth"):
        for leaf_version, host in _versions(known[leaf], "auth").items():
            if not serves(root_version, leaf_version):
                message = (
                    f"Leaf cluster {leaf} runs {leaf_version}, which its root {root} at {root_version} does not serve."
                )
                where = {"cluster": leaf, "host": host}
                yield _finding(
                    "leaf-incompatible", where, message, "Run the upgrade over both: it keeps them one line apart."
                )


def _view_findings(name: str, members: Iterable[Mapping[str, Any]], hostvars: HostVars) -> Iterable[Finding]:
    for member in members:
        asked = hostvars[member["host"]].get("gate_asked")
        view = asked.get("cluster_view") if isinstance(asked, Mapping) else None
        if view and view["rotation_in_progress"]:
            message = f"Cluster {name}: a CA rotation is in progress."
            yield _finding("rotation-in-progress", member, message, "Finish it before an upgrade.")
