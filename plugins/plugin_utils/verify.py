# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge hosts and clusters as they are, without a plan. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.observed import observation

Finding = dict[str, Any]
HostVars = Mapping[str, Mapping[str, Any]]
Serves = Callable[[str, str], bool]

HTTP_OK = 200


def verify(inventory: Mapping[str, Any], hostvars: HostVars, target: str, serves: Serves) -> list[Finding]:
    """Return every finding about the hosts and clusters of an inventory.

    *inventory* is what ``observed.collect`` returned, *target* the version that everyone must run or ``""``, and
    *serves* the compatibility rule of a server and a client version.
    """
    findings: list[Finding] = list(inventory["findings"])
    for instance in inventory["instances"]:
        findings.extend(_host_findings(instance, observation(hostvars[instance["host"]]), target))
    for name, members in _by_cluster(inventory["instances"]).items():
        findings.extend(_cluster_findings(name, members, serves))
        findings.extend(_view_findings(name, members, hostvars))
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
    auth = next((member for member in known if "auth" in member["services"]), None)
    if auth is None:
        yield _finding(
            "no-auth", {"cluster": name}, f"Cluster {name} has no auth server that could be observed.", "Add it."
        )
        return
    for member in known:
        if not serves(auth["version"], member["version"]):
            served = f"auth {auth['version']} ({auth['host']})"
            message = f"{member['host']} runs {member['version']}, which {served} does not serve."
            yield _finding("incompatible", member, message, "Run the upgrade: it brings the versions back in order.")


def _view_findings(name: str, members: Iterable[Mapping[str, Any]], hostvars: HostVars) -> Iterable[Finding]:
    for member in members:
        asked = hostvars[member["host"]].get("gate_asked")
        view = asked.get("cluster_view") if isinstance(asked, Mapping) else None
        if view and view["rotation_in_progress"]:
            message = f"Cluster {name}: a CA rotation is in progress."
            yield _finding("rotation-in-progress", member, message, "Finish it before an upgrade.")
