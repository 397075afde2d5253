# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.observed import collect, merge_views


def seen(**changes: Any) -> dict[str, Any]:
    instance = {
        "services": ["agent"],
        "version": "15.5.3",
        "edition": "community",
        "state": "running",
        "interrupted": False,
        "cluster": None,
        "findings": [],
        "config": {"nodename": None},
        **changes,
    }
    return {"observe_result": {"instance": instance}}


def view(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"gate_asked": {"cluster_view": {"instances": list(entries)}}}


def entry(name: str, *services: str, version: str | None = "15.5.3", uuid: str = "") -> dict[str, Any]:
    return {"id": uuid or f"uuid-{name}", "host": name, "services": list(services) or ["agent"], "version": version}


def test_the_inventory_names_the_cluster_before_the_instance_does() -> None:
    hostvars = {"a": {**seen(cluster="own"), "teleport_cluster": "named"}, "b": seen(cluster="own"), "c": seen()}
    found = collect(hostvars, hostvars, hostvars)
    assert [i["cluster"] for i in found["instances"]] == ["named", "own", "main"]


def test_the_planner_is_told_what_was_killed() -> None:
    hostvars = {"a": seen(interrupted=True, unfinished=True)}
    assert collect(hostvars, hostvars, hostvars)["instances"][0]["unfinished"]


def test_a_silent_host_belongs_to_the_only_cluster_there_is() -> None:
    hostvars = {"auth": seen(services=["auth"], cluster="east"), "node": seen()}
    assert {i["cluster"] for i in collect(hostvars, hostvars, hostvars)["instances"]} == {"east"}


def test_one_running_auth_server_of_each_cluster_is_asked() -> None:
    hostvars = {
        "a1": seen(services=["auth"], cluster="east", state="stopped"),
        "a2": seen(services=["auth"], cluster="east"),
        "a3": seen(services=["auth"], cluster="east"),
        "b1": seen(services=["auth", "proxy"], cluster="west"),
        "n1": seen(cluster="east"),
        "c1": seen(services=["auth"], cluster="north", state="stopped"),
    }
    found = collect(hostvars, hostvars, hostvars)
    assert (found["asked"], found["silent"]) == (["a2", "b1"], ["north"])


def test_a_host_that_limit_leaves_out_is_a_blocker_and_stays_in_the_plan() -> None:
    hostvars: dict[str, dict[str, Any]] = {"in": seen(), "out": {}}
    found = collect(hostvars, hostvars, ["in"])
    assert [(f["code"], f["host"], f["severity"]) for f in found["findings"]] == [("limited", "out", "blocker")]
    assert found["instances"][1]["state"] == "unreachable"


def test_a_host_without_readable_configuration_stays_in_the_plan() -> None:
    hostvars = {"n1": seen(services=[])}
    assert collect(hostvars, hostvars, hostvars)["instances"][0]["services"] == ["agent"]


def test_two_hosts_that_claim_one_name_are_named() -> None:
    hostvars = {
        "n1": seen(host_uuid="u1", config={"nodename": "db"}),
        "n2": seen(host_uuid="u1", config={"nodename": "web"}),
        "n3": seen(host_uuid="u3", config={"nodename": "db"}),
        "n4": {**seen(host_uuid="u4", config={"nodename": "db"}), "teleport_cluster": "other"},
    }
    for name in ("n1", "n2", "n3"):
        hostvars[name]["teleport_cluster"] = "east"
    found = collect(hostvars, hostvars, hostvars)["findings"]
    assert [(f["code"], f["message"].split(" claim ")[0]) for f in found] == [
        ("duplicate-host", "n1 and n2"),
        ("duplicate-name", "n1 and n3"),
    ]


def test_findings_of_hosts_carry_their_host_and_cluster() -> None:
    finding = {"code": "config-missing", "severity": "blocker", "message": "m", "hint": "h"}
    hostvars = {"n1": {**seen(findings=[finding]), "teleport_cluster": "east"}}
    found = collect(hostvars, hostvars, hostvars)
    assert found["findings"] == [{**finding, "host": "n1", "cluster": "east"}]


def test_whoever_the_cluster_reports_and_the_inventory_lacks_is_unmanaged() -> None:
    hostvars = {
        "auth": {
            **seen(services=["auth"], cluster="east", host_uuid="uuid-1", hostname="auth"),
            **view(
                entry("renamed", "auth", uuid="uuid-1"),
                entry("node.example.org", uuid="uuid-2"),
                entry("stranger", version="14.4.1"),
            ),
        },
        "node": seen(cluster="east", config={"nodename": "node.example.org"}),
    }
    instances = collect(hostvars, hostvars, hostvars)["instances"]
    merged = merge_views(instances, hostvars)
    assert merged["unmanaged"] == [{"host": "stranger", "cluster": "east", "services": ["agent"], "version": "14.4.1"}]
    assert merged["instances"] == instances


def test_a_silent_auth_server_does_not_pass_for_an_agent() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "auth1": {**seen(services=["auth"], cluster="east"), **view(entry("auth1", "auth"), entry("auth2", "auth"))},
        "auth2": {"observe_result": {"unreachable": True}},
    }
    instances = collect(hostvars, hostvars, hostvars)["instances"]
    assert instances[1]["services"] == ["agent"]
    silent = merge_views(instances, hostvars)["instances"][1]
    assert (silent["services"], silent["version"], silent["state"]) == (["auth"], "15.5.3", "unreachable")


@pytest.mark.parametrize(
    ("storage", "variables", "services", "found"),
    [
        ({"type": "firestore", "collection_name": "c"}, {}, ["auth"], True),
        ({"type": "postgresql", "conn_string": "postgresql://db/t", "auth_mode": "azure"}, {}, ["auth"], True),
        ({"type": "postgresql", "conn_string": "postgresql://db/t"}, {}, ["auth"], False),
        ({"type": "sqlite", "path": "/d"}, {}, ["auth"], False),
        ({"type": "firestore"}, {}, ["proxy"], False),
        ({"type": "firestore"}, {"teleport_backup_command": ["save"]}, ["auth"], True),
        (
            {"type": "firestore"},
            {"teleport_backup_command": ["save"], "teleport_restore_command": "load"},
            ["auth"],
            False,
        ),
        ({"type": "firestore"}, {"teleport_backup_method": "clone"}, ["auth"], False),
        (
            {"type": "firestore"},
            {"teleport_backup_method": "clone", "teleport_auth_strategy": "rolling"},
            ["auth"],
            True,
        ),
    ],
)
def test_a_backend_that_only_its_user_can_save_is_found_before_the_plan(
    storage: dict[str, Any], variables: dict[str, Any], services: list[str], found: bool
) -> None:
    config = {"nodename": None, "storage": storage, "data_dir": "/d"}
    hostvars = {name: {**seen(services=services, config=config), **variables} for name in ("a", "b")}
    findings = collect(hostvars, hostvars, hostvars)["findings"]
    wanted = [("backend-needs-command", "a", "main"), ("backend-needs-command", "b", "main")]
    assert [(item["code"], item["host"], item["cluster"]) for item in findings] == (wanted if found else [])
    assert all("teleport_backup_command" in item["message"] for item in findings)
