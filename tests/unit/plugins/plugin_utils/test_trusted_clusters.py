# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clusters say of their trust is held against teleport_clusters, from both sides."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.trusted_clusters import findings

MAIN = {"cluster": "main.example", "trusted_clusters": [], "remote_clusters": []}
LEAF = {"cluster": "leaf.example", "trusted_clusters": [], "remote_clusters": []}
TRUSTS = {**LEAF, "trusted_clusters": [{"name": "main.example", "enabled": True}]}
DECLARED: dict[str, Any] = {"main": {}, "leaf": {"root": "main"}}


def listed(connection: str = "online", name: str = "leaf.example") -> dict[str, Any]:
    return {**MAIN, "remote_clusters": [{"name": name, "connection": connection, "last_heartbeat": None}]}


def instance(cluster: str, **more: Any) -> dict[str, Any]:
    return {"host": f"{cluster}-auth", "cluster": cluster, "state": "running", **more}


BOTH = [instance("main"), instance("leaf")]


def told(
    views: dict[str, Any], declared: dict[str, Any], instances: list[dict[str, Any]] | None = None
) -> list[tuple[str, str, str]]:
    found = findings(views, declared, BOTH if instances is None else instances)
    return [(item["code"], item["severity"], item["cluster"]) for item in found]


@pytest.mark.parametrize(
    "views",
    [{"main": listed(), "leaf": TRUSTS}, {"main": listed()}, {"leaf": TRUSTS}, {"main": listed(), "leaf": LEAF}],
)
def test_what_is_declared_and_reported_from_either_side_is_no_difference(views: dict[str, Any]) -> None:
    assert told(views, DECLARED) == []


@pytest.mark.parametrize(
    "views", [{"main": listed(), "leaf": TRUSTS}, {"main": listed(), "leaf": LEAF}, {"leaf": TRUSTS, "main": MAIN}]
)
@pytest.mark.parametrize("declared", [{}, {"leaf": {"root": "other"}}, {"leaf": None}])
def test_a_trust_that_is_not_declared_is_refused(views: dict[str, Any], declared: dict[str, Any]) -> None:
    assert ("trust-undeclared", "blocker", "leaf") in told(views, declared)


def test_a_leaf_that_the_inventory_lacks_is_told() -> None:
    assert told({"main": listed()}, {}, [instance("main")]) == [("leaf-unmanaged", "warning", "main")]


def test_a_root_that_the_inventory_lacks_is_told() -> None:
    assert told({"leaf": TRUSTS}, {}, [instance("leaf")]) == [("root-unmanaged", "warning", "leaf")]


def test_a_trust_that_was_switched_off_is_none() -> None:
    off = {**LEAF, "trusted_clusters": [{"name": "main.example", "enabled": False}]}
    assert told({"main": MAIN, "leaf": off}, {}) == []
    assert told({"main": MAIN, "leaf": off}, DECLARED) == [("trust-missing", "warning", "leaf")]


def test_a_declared_trust_that_nobody_knows_of_is_told() -> None:
    assert told({"main": MAIN, "leaf": LEAF}, DECLARED) == [("trust-missing", "warning", "leaf")]


def test_what_a_version_cannot_list_is_not_missed() -> None:
    assert told({"main": MAIN, "leaf": {**LEAF, "unseen": ["trusted_cluster"]}}, DECLARED) == []
    assert told({"main": MAIN}, DECLARED) == []


def test_a_declared_leaf_has_to_be_connected_before_an_upgrade() -> None:
    assert told({"main": listed("offline"), "leaf": TRUSTS}, DECLARED) == [("leaf-offline", "blocker", "main")]


@pytest.mark.parametrize("state", [{"state": "stopped"}, {"interrupted": True}])
def test_a_leaf_that_is_being_upgraded_may_be_offline(state: dict[str, Any]) -> None:
    instances = [instance("main"), instance("leaf", **state)]
    assert told({"main": listed("offline"), "leaf": TRUSTS}, DECLARED, instances) == [
        ("leaf-offline", "warning", "main")
    ]


def test_leaves_of_leaves_are_held_against_their_own_root() -> None:
    views = {
        "main": listed(),
        "leaf": {**TRUSTS, "remote_clusters": [{"name": "twig", "connection": "online"}]},
        "twig": {"cluster": "twig", "trusted_clusters": [{"name": "leaf.example", "enabled": True}]},
    }
    everybody = [*BOTH, instance("twig")]
    assert told(views, {**DECLARED, "twig": {"root": "leaf"}}, everybody) == []
    assert told(views, {**DECLARED, "twig": {"root": "main"}}, everybody) == [
        ("trust-undeclared", "blocker", "twig"),
        ("trust-missing", "warning", "twig"),
    ]
