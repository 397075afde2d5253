# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import verify
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue

CATALOGUE = Catalogue.load()


def serves(server: str, client: str) -> bool:
    return CATALOGUE.serves(Version.parse(server), Version.parse(client))


def row(host: str, version: str | None, *services: str, cluster: str = "main") -> dict[str, Any]:
    return {"host": host, "cluster": cluster, "services": list(services) or ["agent"], "version": version}


def seen(version: str | None, **changes: Any) -> dict[str, Any]:
    instance = {
        "state": "running",
        "version": version,
        "running_version": version,
        "installed_version": version,
        "unit": {"name": "teleport.service"},
        "ready": {"source": "diag", "http_status": 200, "status": "ok"},
        "held": False,
        "interrupted": False,
        **changes,
    }
    return {"observe_result": {"instance": instance}}


def judge(*rows: dict[str, Any], target: str = "", clusters: Any = None, **hostvars: dict[str, Any]) -> list[Any]:
    """Codes and hosts of what is found; hosts without variables of their own run what their row says."""
    observed = {entry["host"]: seen(entry["version"]) for entry in rows}
    inventory = {"findings": [], "instances": list(rows)}
    found = verify.verify(inventory, {**observed, **hostvars}, target, serves, clusters)
    assert all(finding["severity"] == "blocker" and finding["message"] and finding["hint"] for finding in found)
    return [(finding["code"], finding["host"]) for finding in found]


AUTH = row("a1", "16.5.18", "auth")


def test_a_cluster_as_it_should_be() -> None:
    rows = (AUTH, row("p1", "16.5.18", "proxy"), row("n1", "15.5.4"), row("c1", "15.5.4", "client"))
    assert judge(*rows) == []


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({}, "unreachable"),
        (seen("16.5.18", state="stopped"), "not-running"),
        (seen("16.5.18", ready={"source": "diag", "http_status": 503, "status": "degraded"}), "not-ready"),
        (seen("16.5.18", held=True), "interrupted"),
        (seen("16.5.18", interrupted=True), "interrupted"),
        (seen("16.5.18", installed_version="17.7.20"), "not-restarted"),
        (seen("15.5.4"), "not-at-target"),
    ],
)
def test_what_is_wrong_with_a_host_is_found(variables: dict[str, Any], code: str) -> None:
    assert judge(AUTH, target="16.5.18", a1=variables) == [(code, "a1")]


@pytest.mark.parametrize("ready", [None, {"source": "diag", "http_status": 200, "status": "ok"}])
def test_a_host_that_cannot_tell_whether_it_is_ready_is_believed(ready: dict[str, Any] | None) -> None:
    assert judge(AUTH, a1=seen("16.5.18", ready=ready)) == []


def test_findings_of_the_observation_are_passed_on() -> None:
    finding = {"code": "limited"}
    assert verify.verify({"findings": [finding], "instances": []}, {}, "", serves) == [finding]


@pytest.mark.parametrize(
    ("auth", "proxy", "agent", "found"),
    [
        ("16.5.18", "16.5.18", "14.3.36", [("incompatible", "n1")]),
        ("16.5.18", "16.5.18", "17.7.20", [("incompatible", "n1")]),
        ("16.5.18", "17.7.20", "16.5.18", [("incompatible", "p1")]),
        ("16.5.18", "15.5.4", "16.5.18", [("incompatible", "n1")]),
        ("17.7.20", "15.5.4", "17.7.20", [("incompatible", "p1"), ("incompatible", "n1")]),
        ("16.5.18", "15.5.4", "15.5.4", []),
    ],
)
def test_auth_serves_everybody_and_proxies_serve_agents(
    auth: str, proxy: str, agent: str, found: list[tuple[str, str]]
) -> None:
    assert judge(row("a1", auth, "auth"), row("p1", proxy, "proxy"), row("n1", agent)) == found


def test_client_tools_are_held_against_proxies_too() -> None:
    rows = (AUTH, row("p1", "15.5.4", "proxy"), row("c1", "16.5.18", "client"))
    assert judge(*rows) == [("incompatible", "c1")]


def test_proxies_are_not_held_against_each_other() -> None:
    assert judge(AUTH, row("p1", "15.5.4", "proxy"), row("p2", "16.5.18", "proxy")) == []


def test_auth_servers_of_two_versions_are_found_and_both_have_to_serve() -> None:
    rows = (row("a1", "16.5.18", "auth"), row("a2", "17.7.20", "auth"), row("n1", "15.5.4"))
    assert judge(*rows) == [("auth-versions", None), ("incompatible", "n1")]


def test_a_cluster_without_a_known_auth_server() -> None:
    assert judge(row("n1", "16.5.18"), row("a1", None, "auth"), a1={}) == [("unreachable", "a1"), ("no-auth", None)]


@pytest.mark.parametrize(
    ("root", "leaf", "found"),
    [
        ("16.5.18", "16.5.18", []),
        ("17.7.20", "16.5.18", []),
        ("17.7.20", "15.5.4", [("leaf-incompatible", "b1")]),
        ("16.5.18", "17.7.20", [("leaf-incompatible", "b1")]),
    ],
)
def test_a_root_serves_its_leaf(root: str, leaf: str, found: list[tuple[str, str]]) -> None:
    rows = (row("a1", root, "auth"), row("b1", leaf, "auth", cluster="branch"))
    assert judge(*rows, clusters={"main": None, "branch": {"root": "main"}}) == found
    assert judge(*rows, clusters={}) == []


def test_a_root_that_is_not_in_the_inventory_is_not_judged() -> None:
    assert judge(AUTH, clusters={"main": {"root": "elsewhere"}}) == []


@pytest.mark.parametrize("clusters", ["main", ["main"], {"branch": "main"}])
def test_trust_of_another_kind_is_told(clusters: Any) -> None:
    with pytest.raises(ValueError, match="teleport_clusters is .*allowed is a mapping"):
        judge(AUTH, clusters=clusters)


def test_a_rotation_is_found() -> None:
    asked = {"gate_asked": {"cluster_view": {"rotation_in_progress": True}}}
    assert judge(AUTH, a1={**seen("16.5.18"), **asked}) == [("rotation-in-progress", "a1")]


def test_ten_thousand_agents_are_asked_about_by_version() -> None:
    asked: list[tuple[str, str]] = []

    def counting(server: str, client: str) -> bool:
        asked.append((server, client))
        return True

    rows = [AUTH, *(row(f"p{n}", "15.5.4", "proxy") for n in range(50)), *(row(f"n{n}", "15.5.4") for n in range(1000))]
    inventory = {"findings": [], "instances": rows}
    verify.verify(inventory, {entry["host"]: seen(entry["version"]) for entry in rows}, "", counting)
    assert len(asked) == 50 + 2 * 1000, "each against one auth and one proxy version, however many proxies there are"
