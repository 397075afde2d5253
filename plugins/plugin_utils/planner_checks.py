# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said against an upgrade before any stage is drawn up, one predicate each; `CHECKS` lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import BLOCKER, WARNING
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_hops import Route
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_input import ROLLING, Request
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import (
    AGENT,
    CLIENT,
    PROXY,
    RUNNING,
    UNREACHABLE,
    Cluster,
    Instance,
)

_NAMED_EXAMPLES = 3
#: The first line whose auth servers may share a backend with those of the line before (Teleport PR 51807, RFD 126).
FIRST_ROLLING_LINE = "17"


@dataclass(frozen=True)
class Situation:
    """What the checks look at: the request and the hops it leads to."""

    request: Request
    route: Route

    @property
    def clusters(self) -> list[Cluster]:
        """The clusters that have instances."""
        return self.request.topology.populated

    @property
    def target(self) -> Version | None:
        """The target, unless it could not be read."""
        return self.request.target


Check = Callable[[Situation], Iterator[Finding]]


def empty_inventory(situation: Situation) -> Iterator[Finding]:
    """Nothing to plan for is no success: a mistyped pattern would pass for a finished upgrade."""
    if not situation.request.topology.instances:
        yield finding("no-instances", "No instance was given.")


def duplicate_hosts(situation: Situation) -> Iterator[Finding]:
    """One host holds one instance."""
    counts = Counter(instance.host for instance in situation.request.topology.instances)
    for host, count in counts.items():
        if count > 1:
            yield finding("duplicate-host", f"{count} instances claim the name {host}.", host=host)


def clusters_without_auth(situation: Situation) -> Iterator[Finding]:
    """Every order starts with auth."""
    for cluster in situation.clusters:
        if not cluster.auths:
            yield finding(
                "no-auth",
                f"None of the {_count(cluster.instances)} in cluster {cluster.name} runs the Auth Service"
                f" ({_examples(cluster.instances)}).",
                cluster=cluster.name,
            )


def trust(situation: Situation) -> Iterator[Finding]:
    """Every leaf leads to a root cluster whose version is known."""
    topology = situation.request.topology
    if topology.cyclic:
        yield finding(
            "trust-cycle", f"The trust of these clusters leads in a circle: {', '.join(sorted(topology.cyclic))}."
        )
    for cluster in topology.clusters.values():
        root = topology.clusters.get(cluster.root or "")
        if root is None or root.instances or not cluster.instances:
            continue
        code = "root-unseen" if root.name in situation.request.declared else "root-unknown"
        yield finding(code, f"It trusts the cluster {root.name}, of which no instance is known.", cluster=cluster.name)


def empty_clusters(situation: Situation) -> Iterator[Finding]:
    """A declared cluster that nobody belongs to is most likely a misspelling."""
    clusters = situation.request.topology.clusters.values()
    named = {cluster.root for cluster in clusters if cluster.instances}
    for cluster in clusters:
        if not cluster.instances and cluster.name not in named:
            yield finding("cluster-empty", f"No instance belongs to cluster {cluster.name}.", cluster=cluster.name)


def unknown_versions(situation: Situation) -> Iterator[Finding]:
    """Nothing is planned from a guess, not even where another finding on the host says why: that one may be waived."""
    unread = {item.host for item in situation.request.problems if item.code == "input-invalid"}
    for instance in situation.request.topology.instances:
        if instance.version is None and instance.host not in unread:
            code = "auth-version-unknown" if instance.is_auth else "version-unknown"
            yield _on(instance, code, "What it runs is not known.")


def unreachable_instances(situation: Situation) -> Iterator[Finding]:
    """Whoever cannot be asked cannot be upgraded either."""
    for instance in situation.request.topology.instances:
        if instance.state == UNREACHABLE:
            code = "auth-unreachable" if instance.is_auth else "unreachable"
            yield _on(instance, code, "It cannot be reached.")


def auth_groups(situation: Situation) -> Iterator[Finding]:
    """Auth servers share a backend: they cannot be more than one line apart."""
    for cluster in situation.clusters:
        known = [auth for auth in cluster.auths if auth.line is not None and auth.version is not None]
        lines = [auth.line for auth in known if auth.line is not None]
        if lines and max(lines) - min(lines) > 1:
            versions = ", ".join(f"{auth.host} {auth.version}" for auth in known)
            yield finding("auth-group-split", f"Its auth servers run {versions}.", cluster=cluster.name)
        if known and all(auth.state != RUNNING for auth in known):
            yield finding("auth-stopped", "None of its auth servers runs.", cluster=cluster.name)


def editions(situation: Situation) -> Iterator[Finding]:
    """Editions never change silently: one per cluster, and the one asked for is the one installed.

    Nothing is installed on whom nobody can reach, and their edition, unlike their version, no cluster tells.
    """
    wanted = situation.request.edition
    for cluster in situation.clusters:
        seen = [item for item in cluster.instances if item.state != UNREACHABLE and item.version is not None]
        counts = Counter(instance.edition for instance in seen)
        if len(counts) > 1:
            found = ", ".join(f"{counts[name]} {name}" for name in sorted(counts))
            yield finding("edition-mixed", f"Its instances are of several editions: {found}.", cluster=cluster.name)
        for instance in seen:
            if wanted and instance.edition != wanted:
                yield _on(instance, "edition-change", f"It is {instance.edition}, asked for is {wanted}.")


def running_prereleases(situation: Situation) -> Iterator[Finding]:
    """What runs is a fact, not a wish; it only deserves a word."""
    for instance in situation.request.topology.instances:
        if instance.version is not None and instance.version.is_prerelease:
            yield _on(instance, "prerelease-running", f"It runs the pre-release {instance.version}.")


def downgrades(situation: Situation) -> Iterator[Finding]:
    """Nothing goes back, not even by a patch."""
    target = situation.target
    if target is None:
        return
    for cluster in situation.clusters:
        newest = max((auth.version for auth in cluster.auths if auth.version is not None), default=None)
        if newest is not None and newest > target:
            yield finding(
                "target-older-than-cluster", f"It is at {newest}, the target is {target}.", cluster=cluster.name
            )
        for instance in cluster.instances:
            if instance.version is not None and instance.version > target:
                yield _on(instance, "downgrade", f"It runs {instance.version}, the target is {target}.")


def newer_than_auth(situation: Situation) -> Iterator[Finding]:
    """Auth is the newest of its cluster; a target beyond the instance cures it, anything else does not."""
    for cluster in situation.clusters:
        serving = [auth for auth in cluster.auths if auth.state == RUNNING] or cluster.auths
        oldest = min((auth.version for auth in serving if auth.version is not None), default=None)
        for instance in cluster.others:
            if oldest is None or instance.version is None or instance.version <= oldest:
                continue
            cured = situation.target is not None and instance.version <= situation.target
            yield _on(
                instance,
                "newer-than-auth",
                f"It runs {instance.version}, an auth server of its cluster runs {oldest}.",
                severity=WARNING if cured else BLOCKER,
                hint=None if cured else f"Name a target that is {instance.version} or newer, or put it back by hand.",
            )


def out_of_step(situation: Situation) -> Iterator[Finding]:
    """What is out of order already, and what the plan puts right."""
    for cluster in situation.clusters:
        reached = max(_lines(cluster.auths), default=None)
        slowest = min(_lines(instance for instance in cluster.others if instance.phase == PROXY), default=None)
        for instance in cluster.others:
            if instance.line is None:
                continue
            if reached is not None and instance.line < reached - 1:
                yield _on(instance, "behind-auth", f"It runs {instance.version}, more than one line behind its auth.")
            if slowest is not None and instance.phase in (AGENT, CLIENT) and instance.line > slowest:
                yield _on(instance, "newer-than-proxy", f"It runs {instance.version}, a proxy is of an older line.")


def leaves(situation: Situation) -> Iterator[Finding]:
    """A leaf is of its root's line or the one before."""
    for leaf in situation.clusters:
        root = situation.request.topology.clusters.get(leaf.root or "")
        if root is None or not _lines(root.auths) or not _lines(leaf.auths):
            continue
        if max(_lines(leaf.auths)) > min(_lines(root.auths)):
            yield finding("leaf-newer", f"It is newer than its root {root.name}.", cluster=leaf.name)
        if min(_lines(leaf.auths)) < max(_lines(root.auths)) - 1:
            yield finding("leaf-behind", f"It is more than one line behind its root {root.name}.", cluster=leaf.name)


def left_behind(situation: Situation) -> Iterator[Finding]:
    """Instances that stay as they are must not be cut off by the others moving on."""
    if "unreachable" not in situation.request.waivers:
        return
    for cluster in situation.clusters:
        for instance in cluster.others:
            if instance.state == UNREACHABLE:
                lost = _lost(situation, cluster, instance)
                if lost:
                    yield _on(instance, "left-behind", lost)


def unmanaged_instances(situation: Situation) -> Iterator[Finding]:
    """What the clusters report and the inventory lacks never moves: say so, and refuse to cut it off."""
    for instance in situation.request.topology.unmanaged:
        cluster = situation.request.topology.clusters.get(instance.cluster)
        lost = _lost(situation, cluster, instance) if cluster else ""
        if instance.is_auth:
            yield _on(
                instance, "unmanaged-auth", f"It runs the Auth Service at {instance.version or 'an unknown version'}."
            )
        elif instance.version is None:
            yield _on(instance, "unmanaged-version-unknown", "Its cluster reports it, without a version.")
        elif lost:
            yield _on(instance, "unmanaged-left-behind", lost)
        else:
            yield _on(instance, "unmanaged", f"Its cluster reports it at {instance.version}; it will still be served.")


def _lost(situation: Situation, cluster: Cluster, instance: Instance) -> str:
    """Say which version cuts an instance off that stays as it is; nothing when it is served to the end.

    A proxy is a server too: nobody behind it may be of a newer line.
    """
    if instance.line is None:
        return ""
    serves_others = instance.phase == PROXY and any(other.phase in (AGENT, CLIENT) for other in cluster.others)
    allowed = 0 if serves_others else 1
    now = max(_lines(cluster.auths), default=instance.line)
    if now - instance.line > allowed and now - instance.line > 1:
        return f"It runs {instance.version}, more than one line behind its auth already, and does not move."
    for hop in situation.route.hops:
        if hop.line - instance.line > allowed:
            return f"It runs {instance.version} and does not move; the hop to {hop.to} leaves it behind."
    return ""


def rolling_auth(situation: Situation) -> Iterator[Finding]:
    """Two lines on one backend: only since upstream allows it, or inside a line."""
    request = situation.request
    if request.strategy != ROLLING:
        return
    first_allowed = request.catalogue.index(FIRST_ROLLING_LINE)
    for cluster in situation.clusters:
        lines = _lines(cluster.auths)
        for hop in situation.route.hops:
            if lines and min(lines) < hop.line < first_allowed:
                yield finding(
                    "rolling-not-allowed",
                    f"The hop to {hop.to} cannot be rolled through its auth group.",
                    cluster=cluster.name,
                )


def _lines(instances: Iterator[Instance] | list[Instance]) -> list[int]:
    return [instance.line for instance in instances if instance.line is not None]


def _on(instance: Instance, code: str, message: str, severity: str | None = None, hint: str | None = None) -> Finding:
    return finding(code, message, cluster=instance.cluster, host=instance.host, severity=severity, hint=hint)


def _count(instances: tuple[Instance, ...]) -> str:
    return "1 instance" if len(instances) == 1 else f"{len(instances)} instances"


def _examples(instances: tuple[Instance, ...]) -> str:
    names = [instance.host for instance in instances[:_NAMED_EXAMPLES]]
    return ", ".join(names) + (", …" if len(instances) > _NAMED_EXAMPLES else "")


CHECKS: tuple[Check, ...] = (
    empty_inventory,
    duplicate_hosts,
    clusters_without_auth,
    trust,
    empty_clusters,
    unknown_versions,
    unreachable_instances,
    auth_groups,
    editions,
    running_prereleases,
    downgrades,
    newer_than_auth,
    out_of_step,
    leaves,
    left_behind,
    unmanaged_instances,
    rolling_auth,
)
