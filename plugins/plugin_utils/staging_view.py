# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts of a plan need before its upgrade begins, and how far they got with it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact, installation
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan

_OF_OTHER_MEANS = (installation.PACKAGE, installation.MANAGED_UPDATES)
#: Failures that are told in full; the rest are counted.
MOST_TOLD = 20


def staging_paths(plan: Plan) -> dict[str, list[str]]:
    """Return the versions that each host of a plan will run, in their order."""
    paths: dict[str, list[str]] = {}
    for stage in plan.get("stages") or []:
        for step in stage["steps"]:
            path = paths.setdefault(step["host"], [])
            if step["to"] not in path:
                path.append(step["to"])
    return paths


def staging_shares(paths: Mapping[str, list[str]], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return which hosts fetch for others, and what: of those in *paths* whose ``teleport_stage_seeds`` names some.

    ``files`` has the file names of the tarballs by seed, ``sources`` the seed by host. The hosts that name the same
    seeds are dealt out to them in turn. Who has everything needs no seed, and so do hosts of packages and those with
    Teleport's own updater. Raises ``ValueError`` for a seed that is not in the inventory.
    """
    files: dict[str, list[str]] = {}
    sources: dict[str, str] = {}
    turns: Counter[tuple[str, ...]] = Counter()
    for host, versions in paths.items():
        seeds = tuple(_seeds(host, hostvars))
        names = _tarballs(hostvars[host]["observe_result"]["instance"], versions) if seeds else []
        if not names:
            continue
        sources[host] = host if host in seeds else seeds[turns[seeds] % len(seeds)]
        turns[seeds] += host not in seeds
        served = files.setdefault(sources[host], [])
        served += [name for name in names if name not in served]
    return {"files": files, "sources": sources}


def _tarballs(instance: Mapping[str, Any], versions: Iterable[str]) -> list[str]:
    """Return the names of the tarballs that a host lacks, by what was observed of it."""
    if instance.get("install_method") in _OF_OTHER_MEANS:
        return []
    edition, kept = instance.get("edition") or COMMUNITY, instance.get("kept_versions") or []
    return [
        artifact.artifact_name(version, edition, instance["architecture"])
        for version in versions
        if installation.folder_name(version, edition) not in kept
    ]


def _seeds(host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    seeds = hostvars[host].get("teleport_stage_seeds") or []
    if isinstance(seeds, str) or not all(isinstance(seed, str) for seed in seeds):
        raise ValueError(f"teleport_stage_seeds of {host} is {seeds!r}; allowed is a list of hosts of the inventory.")
    for seed in seeds:
        if seed not in hostvars:
            raise ValueError(f"teleport_stage_seeds of {host} names {seed!r}, which is no host of the inventory.")
    return seeds


def staging_summary(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], sources: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Sum up what ``instance_stage`` returned on *hosts* as ``artifacts_staged``.

    ``ready`` counts the hosts that have everything, ``left_alone`` those that fetch by other means, ``handed_on`` those
    of the ready that fetched from a seed of their site (*sources*, by host). ``fetched_bytes`` is what came from afar:
    to seeds, which returned it as ``artifacts_shared``, and to hosts that have none. ``failed`` has ``host`` and
    ``msg`` of each that lacks something.
    """
    ready = left_alone = handed_on = 0
    seeds = sources or {}
    fetched = sum(int(_shared(seed, hostvars).get("fetched_bytes") or 0) for seed in set(seeds.values()))
    failed = []
    for host in hosts:
        result = hostvars[host].get("artifacts_staged") or {"msg": "It was not reached."}
        if "brought" not in result:
            failed.append({"host": host, "msg": _why_not(result, seeds.get(host), hostvars)})
            continue
        fetched += 0 if host in seeds else int(result.get("fetched_bytes") or 0)
        is_ready = bool(result.get("changed") or result.get("present"))
        ready += is_ready
        left_alone += not is_ready
        handed_on += is_ready and host in seeds
    counts = {"ready": ready, "left_alone": left_alone, "handed_on": handed_on}
    return {**counts, "fetched_bytes": fetched, "failed": failed}


def _shared(seed: str, hostvars: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return hostvars[seed].get("artifacts_shared") or {"msg": "It was not reached."}


def _why_not(result: Mapping[str, Any], seed: str | None, hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    """Return why a host has nothing: where its seed serves nothing, it was not even tried."""
    if seed is None or "url" in _shared(seed, hostvars):
        return str(result.get("msg", ""))
    return f"{seed}, which is to fetch for it, serves nothing: {_shared(seed, hostvars).get('msg', '')}"


def staging_message(summary: Mapping[str, Any], dry_run: bool = False) -> str:
    """Return one paragraph about a summary, with at most ``MOST_TOLD`` failures; of what would be in a *dry_run*."""
    lines = [f"{summary['ready']} hosts have all artefacts, {summary['fetched_bytes'] >> 20} MiB were fetched."]
    if dry_run:
        lines = [f"{summary['ready']} hosts have all artefacts, or can have them and have room for them."]
    if summary["handed_on"]:
        lines.append(f"{summary['handed_on']} of them by way of hosts of their site.")
    if summary["left_alone"]:
        lines.append(f"{summary['left_alone']} hosts fetch their releases by other means when they are upgraded.")
    failed = summary["failed"]
    if failed:
        told = " ".join(f"{one['host']}: {one['msg']}" for one in failed[:MOST_TOLD])
        more = f" And {len(failed) - MOST_TOLD} more." if len(failed) > MOST_TOLD else ""
        lines.append(f"{len(failed)} hosts do not have them: {told}{more} Run the same again: it continues.")
    return " ".join(lines)
