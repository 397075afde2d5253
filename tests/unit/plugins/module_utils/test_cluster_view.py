# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of putting heartbeats and inventory together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import cluster_view
from ansible_collections.lockstep.teleport.plugins.module_utils.cluster_view import Sighting
from ansible_collections.lockstep.teleport.plugins.module_utils.status_text import Status

ID_A = "1f0c6a52-0000-4000-8000-00000000000a"
ID_B = "1f0c6a52-0000-4000-8000-00000000000b"


def resource(kind: str, name: str, expires: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "version": "v2", "metadata": {"name": name, "expires": expires}, "spec": spec}


def test_one_process_with_three_services_is_one_instance() -> None:
    heartbeats = [
        *cluster_view.from_heartbeats(
            "agent", [resource("node", ID_A, "2026-11-22T19:05:00Z", hostname="n1", addr="a:3022", version="")]
        ),
        *cluster_view.from_heartbeats(
            "proxy", [resource("proxy", ID_A, "2026-11-22T19:06:00Z", hostname="n1", version="5.0.0")]
        ),
        *cluster_view.from_heartbeats(
            "auth", [resource("auth_server", ID_A, "2026-11-22T19:05:30Z", hostname="n1", version="4.4.12")]
        ),
    ]
    assert cluster_view.merge(heartbeats) == [
        {"id": ID_A, "host": "n1", "services": ["auth", "proxy", "agent"], "version": "5.0.0",
         "expires": "2026-11-22T19:06:00Z", "address": "a:3022"},
    ]  # fmt: skip


@pytest.mark.parametrize("spec", [{}, {"version": ""}, {"version": None}])
def test_no_version_before_4_3(spec: dict[str, Any]) -> None:
    [sighting] = cluster_view.from_heartbeats(
        "agent", [resource("node", ID_A, "2026-11-22T19:05:00Z", hostname="n1", **spec)]
    )
    assert sighting.version is None
    view = cluster_view.compose(Status("c", None, [], []), cluster_view.merge([sighting]), {})
    assert view["versions_known"] is False


def test_what_an_agent_serves_belongs_to_the_agent() -> None:
    apps = [
        resource("app_server", name, "2026-11-22T19:05:00Z", host_id=ID_B, hostname="apps", version="9.3.26")
        for name in ("grafana", "jenkins")
    ]
    assert [entry["id"] for entry in cluster_view.merge(cluster_view.from_heartbeats("agent", apps))] == [ID_B]


def inventory(name: str, services: list[str], version: str = "v17.7.20") -> dict[str, Any]:
    return resource("instance", name, "2026-11-22T19:05:00Z", hostname="n1", services=services, version=version)


def test_inventory_names_instances_without_ssh() -> None:
    found = cluster_view.from_inventory([inventory(ID_B, ["App", "Db", "Instance"])])
    assert found == [Sighting("agent", ID_B, "n1", "17.7.20", "2026-11-22T19:05:00Z", "")]


def test_inventory_does_not_contradict_a_heartbeat() -> None:
    heartbeat = Sighting("auth", ID_A, "n1", "17.7.20", "2026-11-22T19:06:00Z", "a:3025")
    stale = cluster_view.from_inventory([inventory(ID_A, ["Auth", "Proxy"], "v16.5.13")])
    [entry] = cluster_view.merge([heartbeat], stale)
    assert (entry["version"], entry["services"]) == ("17.7.20", ["auth"])


def test_inventory_adds_the_version_a_heartbeat_lacks() -> None:
    heartbeat = Sighting("agent", ID_A, "n1", None, "2026-11-22T19:06:00Z", "")
    [entry] = cluster_view.merge([heartbeat], cluster_view.from_inventory([inventory(ID_A, ["Node"])]))
    assert (entry["version"], entry["services"]) == ("17.7.20", ["agent"])


def test_leaves_and_roots_without_tokens() -> None:
    leaf = {
        "metadata": {"name": "leaf.example"},
        "status": {"connection": "online", "last_heartbeat": "2026-11-22T20:12:45Z"},
    }
    root = {"metadata": {"name": "root.example"}, "spec": {"enabled": True, "token": "hush"}}
    assert cluster_view.remote_clusters([leaf]) == [
        {"name": "leaf.example", "connection": "online", "last_heartbeat": "2026-11-22T20:12:45Z"}
    ]
    assert cluster_view.trusted_clusters([root]) == [{"name": "root.example", "enabled": True}]


def test_ten_thousand_agents_stay_small() -> None:
    agents = [
        Sighting("agent", f"{number:036d}", f"node-{number}", "17.7.20", "2026-11-22T19:05:00Z", "")
        for number in range(10_000)
    ]
    view = cluster_view.compose(Status("c", "17.7.20", [], []), cluster_view.merge(agents), {})
    assert len(view["instances"]) == 10_000
    assert len(json.dumps(view)) < 2_000_000
