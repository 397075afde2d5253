# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against a rollback. Every check looks for itself, so that all reasons are named at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_input import Backup, Member, Request
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_state import State
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import AUTH, CLIENT

#: What speaks against a backup on its host, and the code of the finding.
_PROBLEMS = {
    "foreign": "rollback-backup-foreign",
    "unusable": "rollback-backup-unusable",
    "elsewhere": "rollback-backup-elsewhere",
}


def judge(request: Request, state: State) -> list[Finding]:
    """Return everything that speaks against the rollback or should be known before."""
    checks = (_cluster, _hosts, _backup, _distance, _leaves, _unmanaged, _acknowledged)
    return [item for check in checks for item in check(request, state)]


def judge_steps(request: Request, moving: Collection[str]) -> list[Finding]:
    """Return what the hosts that have to go back said when they were asked whether they can."""
    told = sorted((host, reason) for host, reason in request.refusals.items() if host in moving)
    return [finding("rollback-host-refuses", reason, cluster=request.cluster, host=host) for host, reason in told]


def _cluster(request: Request, state: State) -> Iterator[Finding]:
    del state
    if not request.members:
        there = ", ".join(sorted({member.cluster for member in request.others})) or "none"
        asked = f"cluster {request.cluster!r}" if request.cluster else "no cluster"
        yield finding(
            "rollback-cluster-unknown",
            f"A rollback of {asked} was asked for; the inventory has these clusters: {there}.",
        )
    elif not request.auths:
        yield finding("no-auth", "None of its hosts runs an Auth Service.", cluster=request.cluster)


def _hosts(request: Request, state: State) -> Iterator[Finding]:
    del state
    for member in request.members:
        place = {"cluster": member.cluster, "host": member.host}
        is_auth = member.phase == AUTH
        if not member.reachable:
            code = "auth-unreachable" if is_auth else "rollback-unreachable"
            yield finding(code, f"{member.host} cannot be reached.", **place)
        elif member.version is None:
            code = "auth-version-unknown" if is_auth else "rollback-version-unknown"
            yield finding(code, f"What {member.host} runs is not known.", **place)


def _backup(request: Request, state: State) -> Iterator[Finding]:
    if state.backup is None:
        if state.restores or (state.to is None and request.auths):
            yield finding("rollback-no-backup", _no_backup(request), cluster=request.cluster)
        return
    if state.restores:
        yield from _problems(request)
        yield from _fits(request, state.backup, state)
        if request.newer_backups:
            newer = ", ".join(request.newer_backups)
            yield finding(
                "rollback-newer-backup",
                f"{state.backup.name} is not the newest of its version; later ones are {newer}.",
                cluster=request.cluster,
            )


def _no_backup(request: Request) -> str:
    hosts = ", ".join(sorted(auth.host for auth in request.auths))
    if request.acknowledge:
        return f"No auth host ({hosts}) holds a backup named {request.acknowledge!r}, or the one in the path given."
    wanted = f"of {request.version}" if request.version else "of the release line before"
    return f"No auth host ({hosts}) holds a backup {wanted}; without one there is no way back across a release line."


def _problems(request: Request) -> Iterator[Finding]:
    """What is offered and cannot be used. As long as one host offers a sound one, the others are passed over."""
    if any(not offer.problems for offer in request.backups):
        return
    for offer in request.backups:
        for code, message in offer.problems:
            yield finding(_PROBLEMS[code], message, cluster=request.cluster, host=offer.holder)


def _fits(request: Request, backup: Backup, state: State) -> Iterator[Finding]:
    place = {"cluster": request.cluster, "host": backup.holder}
    if request.version is not None and backup.version != request.version:
        yield finding(
            "rollback-backup-version",
            f"{backup.path} is of {backup.version_text}, the version to return to is {request.version}.",
            **place,
        )
    editions = sorted({auth.edition for auth in request.auths if auth.edition})
    if backup.edition and editions and backup.edition not in editions:
        yield finding(
            "edition-change",
            f"{backup.path} is of edition {backup.edition}, installed is {', '.join(editions)}.",
            **place,
        )
    if state.to is not None and state.line is None:
        yield finding("line-unknown", f"{backup.path} is of {state.to}, which is of no known release line.", **place)


def _distance(request: Request, state: State) -> Iterator[Finding]:
    if state.to is None or state.line is None:
        return
    for auth in request.auths:
        if auth.version is None or auth.line is None:
            continue
        place = {"cluster": auth.cluster, "host": auth.host}
        if auth.line - state.line > 1:
            between = ", ".join(request.catalogue.line_at(line) for line in range(state.line + 1, auth.line))
            yield finding(
                "rollback-too-far",
                f"{auth.host} is at {auth.version}; {between} lies between it and {state.to}.",
                **place,
            )
        elif auth.line < state.line:
            yield finding("rollback-not-back", f"{auth.host} is at {auth.version}; {state.to} is newer.", **place)
    if state.top is not None and state.top < state.to and state.top_line == state.line:
        yield finding(
            "rollback-not-back",
            f"The newest auth server is at {state.top}; {state.to} is newer.",
            cluster=request.cluster,
        )


def _leaves(request: Request, state: State) -> Iterator[Finding]:
    if state.to is None or state.line is None:
        return
    root = request.roots.get(request.cluster)
    for other in request.others:
        if other.phase != AUTH or other.line is None:
            continue
        if request.roots.get(other.cluster) == request.cluster and other.line > state.line:
            yield finding(
                "rollback-leaf-newer",
                f"Leaf {other.cluster} is at {other.version} ({other.host}), its root would be at {state.to}.",
                cluster=other.cluster,
                host=other.host,
            )
        if other.cluster == root and other.line - state.line > 1:
            yield finding(
                "rollback-leaf-behind",
                f"The root {root} is at {other.version} ({other.host}), its leaf would be at {state.to}.",
                cluster=request.cluster,
                host=other.host,
            )


def _unmanaged(request: Request, state: State) -> Iterator[Finding]:
    for stranger in request.unmanaged:
        newer = state.to is not None and stranger.version is not None and stranger.version > state.to
        if newer and stranger.phase != CLIENT:
            yield finding(
                "rollback-unmanaged-newer",
                f"The cluster lists {stranger.host} with {stranger.version}, and the inventory lacks it.",
                cluster=request.cluster,
                host=stranger.host,
            )


def _acknowledged(request: Request, state: State) -> Iterator[Finding]:
    if not state.restores or state.backup is None or state.backup.problems or state.backup.restored:
        return
    if request.acknowledge == state.backup.name:
        return
    yield finding(
        "rollback-unacknowledged",
        f"{_standing(request.auths)} What was written since {state.backup.created or 'the backup'} would be lost.",
        cluster=request.cluster,
        hint=f"To accept that, name the backup: -e teleport_rollback_acknowledge={state.backup.name}",
    )


def _standing(auths: list[Member]) -> str:
    serving = [auth for auth in auths if auth.runs]
    if serving:
        versions = ", ".join(sorted({str(auth.version) for auth in serving}))
        return f"The cluster is up: {', '.join(auth.host for auth in serving)} serves at {versions}."
    return "No auth server runs, but clients may have written to the backend since."
