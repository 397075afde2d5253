# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which preflight rules a host or a cluster offends, whatever the target.

It is reduced to that where the facts are, so that a plan for many hosts is not made to carry all their facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.status_text import IDLE
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import CLUSTER, Rule, rules

Concern = dict[str, Any]


def concerns_of_host(facts: Mapping[str, Any], services: Collection[str]) -> list[Concern]:
    """Return ``{rule, found}`` for every rule that a host with these services and facts offends.

    *facts* are those of :mod:`.preflight_config` and of the host's surroundings, by name. One that is missing offends
    nothing: it was not observed.
    """
    return [
        {"rule": rule.id, "found": found}
        for rule in rules().values()
        if not set(rule.services).isdisjoint(services)
        for found in _found(rule, facts)
    ]


def concerns_of_cluster(view: Mapping[str, Any], edition: str, strangers: Iterable[str] = ()) -> list[Concern]:
    """Return ``{rule, found}`` for every rule that a cluster offends.

    *view* is its ``cluster_view``, *strangers* are the names of its instances that the inventory lacks.
    """
    return concerns_of_host(_cluster_facts(view, edition, strangers), (CLUSTER,))


def _found(rule: Rule, facts: Mapping[str, Any]) -> list[str]:
    found = [condition(facts[name]) if name in facts else "" for name, condition in rule.conditions]
    return [found[0]] if all(found) else []


def _cluster_facts(view: Mapping[str, Any], edition: str, strangers: Iterable[str]) -> dict[str, Any]:
    authorities = view.get("authorities") or []
    rotating = [f"{entry['type']}: {entry['text']}" for entry in authorities if entry["rotation"] != IDLE]
    roots, leaves = (
        [entry["name"] for entry in view.get(key) or []] for key in ("trusted_clusters", "remote_clusters")
    )
    return {
        **(view.get("facts") or {}),
        "edition": edition,
        "trusted_clusters": roots,
        "leaves": leaves,
        "resource_names": [*roots, *leaves],
        "node_names": sorted(strangers),
        "authorities": sorted({str(entry["type"]).lower() for entry in authorities}),
        "second_factor": (view.get("auth_preference") or {}).get("second_factor"),
        "rotation": rotating or (["unknown"] if view.get("rotation_in_progress") else []),
    }
