# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said against the versions that a plan would install, one predicate each; `RELEASE_CHECKS` lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import BLOCKER, WARNING
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_checks import Check, Situation
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_stages import HOP, Draft
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import AGENT, AUTH, CLIENT, PROXY, Topology

_NAMED_EXAMPLES = 3
_PASSED = "The plan takes them on from there; do not let it stop in between."


def installed_versions(situation: Situation) -> list[Version]:
    """Return what the plan installs, the target also when nothing is left to do."""
    versions = [hop.to for hop in situation.route.hops]
    if situation.target is not None and situation.target not in versions:
        versions.append(situation.target)
    return versions


def refusal(situation: Situation) -> str:
    """A version that is in place already is warned about: there is nothing left to refuse."""
    return BLOCKER if situation.route.hops else WARNING


def prereleases(situation: Situation) -> Iterator[Finding]:
    """Unfinished versions are installed by name only."""
    for version in installed_versions(situation):
        if version.is_prerelease and version not in situation.request.allowed_prereleases:
            yield finding("prerelease", f"{version} is a pre-release.", severity=refusal(situation))


def unknown_lines(situation: Situation) -> Iterator[Finding]:
    """A line between needs a version to go through; the target names its own."""
    catalogue, target = situation.request.catalogue, situation.target
    missing = situation.route.missing
    for line in missing[:_NAMED_EXAMPLES]:
        yield finding(
            "hop-version-missing",
            f"The plan goes through line {line}, and the catalogue names no version of it.",
            hint=f"Pin one, e.g. teleport_hop_versions: {{'{line}': '{line}.1.0'}}, or add a row to teleport_releases: "
            f"[{{line: '{line}', newest: '{line}.1.0'}}].",
        )
    if len(missing) > _NAMED_EXAMPLES:
        yield finding(
            "hop-version-missing",
            f"The same goes for {len(missing) - _NAMED_EXAMPLES} more lines, up to {missing[-1]}.",
            hint=f"Check the target {target} for a slip; else pin a version for each.",
        )
    if target is not None and not catalogue.knows(target.line):
        yield finding("target-line-unknown", f"The catalogue does not know line {target.line} of the target {target}.")


def unused_pins(situation: Situation) -> Iterator[Finding]:
    """A pin that has no effect may be one that was meant for something."""
    taken = {hop.to.line: hop.to for hop in situation.route.hops}
    for line, version in sorted(situation.request.pins.items()):
        if taken.get(line) != version:
            why = f"{taken[line]} is the target" if line in taken else "the plan does not go through that line"
            yield finding("pin-unused", f"{version} is pinned for line {line}, but {why}.")


def unsafe_versions(situation: Situation) -> Iterator[Finding]:
    """Below the minimum safe patch a version is refused, where there is one."""
    catalogue = situation.request.catalogue
    for version in installed_versions(situation):
        minimum = catalogue.minimum_safe(version.line)
        if minimum is not None and version < minimum:
            yield finding(
                "below-minimum-safe",
                f"{version} is below {minimum}, the minimum safe patch of line {version.line}"
                f" ({catalogue.row(version.line).why or 'see the catalogue'}).",
                severity=refusal(situation),
            )


def never_safe_lines(situation: Situation) -> Iterator[Finding]:
    """Lines without a safe patch must be passed and left, so they are warned about."""
    catalogue = situation.request.catalogue
    for version in installed_versions(situation):
        if catalogue.never_safe(version.line):
            floor = catalogue.row(version.line).floor
            below = f"; {version} even lacks fixes that {floor} has" if floor is not None and version < floor else ""
            yield finding("line-never-safe", f"Line {version.line} never got a safe patch{below}.")


def known_bad_versions(situation: Situation) -> Iterator[Finding]:
    """Some patches are poison."""
    for version in installed_versions(situation):
        for row in situation.request.catalogue.known_bad(version):
            severity = refusal(situation) if row.severity == BLOCKER else row.severity
            yield finding(
                "known-bad",
                f"{version}: {row.reason} (concerns: {', '.join(row.affects)}).",
                severity=severity,
                hint=f"{row.cure[:1].upper()}{row.cure[1:]}; or waive this if it does not concern you.",
            )


RELEASE_CHECKS: tuple[Check, ...] = (
    prereleases,
    unknown_lines,
    unused_pins,
    unsafe_versions,
    never_safe_lines,
    known_bad_versions,
)


def laggard_versions(situation: Situation, drafts: Iterable[Draft]) -> Iterator[Finding]:
    """Laggards get what their auth servers run, which no hop may have chosen: a pre-release only by name, too."""
    catalogue, chosen = situation.request.catalogue, installed_versions(situation)
    for draft in drafts:
        to = draft.to
        if to in chosen:
            continue
        chosen.append(to)
        shown = f"{_examples([move.instance.host for move in draft.moves])} would be brought to {to}, what auth runs"
        if to.is_prerelease and to not in situation.request.allowed_prereleases:
            hint = "Name it in teleport_allow_prerelease, or bring these instances up by hand first."
            yield finding("prerelease", f"{shown}: a pre-release.", hint=hint)
        minimum = catalogue.minimum_safe(to.line)
        if minimum is not None and to < minimum:
            message = f"{shown}, which is below {minimum}, the minimum safe patch of line {to.line}."
            yield finding("below-minimum-safe", message, severity=WARNING, hint=_PASSED)
        for row in catalogue.known_bad(to):
            yield finding("known-bad", f"{shown}: {row.reason}.", severity=WARNING, hint=_PASSED)


def unpinned_artifacts(drafts: Iterable[Draft]) -> Iterator[Finding]:
    """Where digests are pinned, a host refuses what is not: that is told before any other has moved."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for draft in drafts:
        for move in draft.moves:
            pinned = move.instance.pinned_versions
            if pinned is not None and str(draft.to) not in pinned:
                lacking.setdefault((move.instance.cluster, str(draft.to)), []).append(move.instance.host)
    for (cluster, version), hosts in lacking.items():
        message = f"No digest of {version} is pinned that {len(hosts)} of its hosts could use ({_examples(hosts)})."
        yield finding("artifact-unpinned", message, cluster=cluster)


def _examples(hosts: list[str]) -> str:
    return ", ".join(hosts[:_NAMED_EXAMPLES]) + (", …" if len(hosts) > _NAMED_EXAMPLES else "")


_SERVED = {AUTH: (PROXY, AGENT, CLIENT), PROXY: (AGENT, CLIENT)}


def known_bad_pairs(topology: Topology, catalogue: Catalogue, drafts: Iterable[Draft]) -> Iterator[Finding]:
    """Versions that meet while the stages are carried out, and are known not to work together."""
    at = _Versions(topology)
    for draft in drafts:
        for cluster in sorted({move.instance.cluster for move in draft.moves}):
            if draft.kind == HOP:
                for relation, client in sorted(at.served_by(cluster, draft)):
                    yield from _bad_pair(catalogue, draft.to, client, relation, cluster)
        at.arrive(draft)


class _Versions:
    """Which versions each phase of each cluster is at, as the stages go by."""

    def __init__(self, topology: Topology) -> None:
        self._leaves: dict[str, list[str]] = {}
        self._at: dict[tuple[str, str], dict[str, Version]] = {}
        for cluster in topology.populated:
            if cluster.root:
                self._leaves.setdefault(cluster.root, []).append(cluster.name)
            for instance in cluster.instances:
                if instance.version is not None:
                    self._at.setdefault((cluster.name, instance.phase), {})[instance.host] = instance.version

    def served_by(self, cluster: str, draft: Draft) -> set[tuple[str, Version]]:
        """Return who will meet the servers that this stage moves, with the relation between them."""
        moving = {move.instance.phase for move in draft.moves if move.instance.cluster == cluster}
        met = {
            (f"{server}-{client}", version)
            for server, clients in _SERVED.items()
            if server in moving
            for client in clients
            for version in set(self._at.get((cluster, client), {}).values())
        }
        if AUTH in moving:
            for leaf in self._leaves.get(cluster, []):
                met |= {("root-leaf", version) for version in self._at.get((leaf, AUTH), {}).values()}
        return met

    def arrive(self, draft: Draft) -> None:
        """Let a stage have been carried out."""
        for move in draft.moves:
            self._at[move.instance.cluster, move.instance.phase][move.instance.host] = draft.to


def _bad_pair(catalogue: Catalogue, server: Version, client: Version, relation: str, cluster: str) -> Iterator[Finding]:
    for row in catalogue.bad_pairs_of(server, client):
        if row.between in ("any", relation):
            yield finding(
                "known-bad-pair",
                f"{server} will meet {client} ({relation}): {row.reason}.",
                cluster=cluster,
                severity=row.severity,
                hint=f"{row.cure[:1].upper()}{row.cure[1:]}.",
            )
