# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the trust between clusters that they report against the one that the inventory declares. Pure.

Root clusters are upgraded before the leaves that trust them, in the order that ``teleport_clusters`` gives. A trust
that does not stand there would be broken unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import BLOCKER, WARNING

View = Mapping[str, Any]
Finding = dict[str, Any]

_ONLINE = "online"


class Trust(NamedTuple):
    """A leaf trusts a root. ``connection`` is what the root says of it, None when only the leaf was heard."""

    leaf: str
    root: str
    connection: str | None = None


class Known(NamedTuple):
    """The inventory's instances by cluster, and which clusters were heard."""

    members: dict[str, list[Mapping[str, Any]]]
    heard: frozenset[str]

    def may_be(self, cluster: str | None) -> bool:
        """Whether this may be a cluster that another one names: it was not heard, so what it calls itself is open."""
        return cluster in self.members and cluster not in self.heard


def findings(
    views: Mapping[str, View], declared: Mapping[str, Any], instances: Iterable[Mapping[str, Any]]
) -> list[Finding]:
    """Return every difference, and every declared leaf that is not connected.

    *views* are the ``cluster_view`` by the inventory's name of the cluster, *declared* is ``teleport_clusters``, and
    *instances* are those of the inventory: a leaf of which something is stopped or unfinished may well be offline.
    """
    roots = {str(name): (row or {}).get("root") for name, row in declared.items()}
    known = Known({}, frozenset(views))
    for instance in instances:
        known.members.setdefault(instance["cluster"], []).append(instance)
    reported = list(_reported(views))
    return [
        *_undeclared(reported, roots, known),
        *_missing(reported, roots, views),
        *_offline(reported, roots, known),
    ]


def _reported(views: Mapping[str, View]) -> Iterator[Trust]:
    """Each trust once, by the inventory's names: a cluster may call itself by another."""
    names = {str(view.get("cluster")): name for name, view in views.items()}
    found: dict[tuple[str, str], Trust] = {}
    for name, view in views.items():
        for entry in view.get("trusted_clusters") or ():
            if entry["enabled"]:
                trust = Trust(name, names.get(entry["name"], entry["name"]))
                found.setdefault(trust[:2], trust)
    for name, view in views.items():
        for entry in view.get("remote_clusters") or ():
            trust = Trust(names.get(entry["name"], entry["name"]), name, entry["connection"])
            found[trust[:2]] = trust
    yield from (found[pair] for pair in sorted(found))


def _undeclared(reported: Iterable[Trust], roots: Mapping[str, str | None], known: Known) -> Iterator[Finding]:
    for trust in reported:
        if roots.get(trust.leaf) == trust.root:
            continue
        if trust.leaf in known.members and trust.root in known.members:
            message = (
                f"It trusts {trust.root}, and teleport_clusters does not say so: its root has to be upgraded first."
            )
            hint = f"Declare it: teleport_clusters: {{{trust.leaf}: {{root: {trust.root}}}}}."
            yield _finding("trust-undeclared", BLOCKER, trust.leaf, message, hint)
        elif trust.leaf in known.members and not known.may_be(roots.get(trust.leaf)):
            message = f"It trusts {trust.root}, of which the inventory has no host."
            hint = "Upgrade that cluster before each hop, or add its hosts to the inventory."
            yield _finding("root-unmanaged", WARNING, trust.leaf, message, hint)
        elif trust.leaf not in known.members and not any(
            known.may_be(leaf) for leaf, root in roots.items() if root == trust.root
        ):
            message = f"{trust.leaf} trusts it, and the inventory has no host of that leaf."
            hint = "Upgrade that leaf after each hop, or add its hosts: it is cut off when two lines lie between."
            yield _finding("leaf-unmanaged", WARNING, trust.root, message, hint)


def _missing(
    reported: Iterable[Trust], roots: Mapping[str, str | None], views: Mapping[str, View]
) -> Iterator[Finding]:
    found = {trust[:2] for trust in reported}
    for leaf, root in sorted(roots.items()):
        # Only of clusters that were both heard the names are known, and not every version lists them.
        heard = leaf in views and root in views and "trusted_cluster" not in (views[leaf].get("unseen") or ())
        if root and heard and (leaf, root) not in found:
            message = f"teleport_clusters says that it trusts {root}, and the cluster knows nothing of it."
            hint = "Correct teleport_clusters, or look at tctl get trusted_cluster."
            yield _finding("trust-missing", WARNING, leaf, message, hint)


def _offline(reported: Iterable[Trust], roots: Mapping[str, str | None], known: Known) -> Iterator[Finding]:
    for trust in reported:
        if trust.connection in (None, _ONLINE) or roots.get(trust.leaf) != trust.root:
            continue
        unsettled = [
            one["host"]
            for one in known.members.get(trust.leaf, ())
            if one["state"] != "running" or one.get("interrupted")
        ]
        message = (
            f"Its leaf {trust.leaf} is {trust.connection}: whether an upgrade breaks the connection could not be told."
        )
        hint = "Mend the connection first: look at the proxies on both sides."
        severity = WARNING if unsettled else BLOCKER
        yield _finding("leaf-offline", severity, trust.root, message, hint)


def _finding(code: str, severity: str, cluster: str, message: str, hint: str) -> Finding:
    return {"code": code, "severity": severity, "cluster": cluster, "host": None, "message": message, "hint": hint}
