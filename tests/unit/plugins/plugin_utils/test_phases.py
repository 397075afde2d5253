# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of a plan is whose, and when it is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils import phases
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import digest_of, sealed
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

ORDER = ["l1", "la1", "a1", "a2", "p1", "n1", "n2", "c1", "b1", "bp1", "bn1"]


def step(phase: str, host: str, to: str) -> dict[str, Any]:
    return {"phase": phase, "cluster": "main", "host": host, "from": "15.5.4", "to": to, "batch": 0}


def stage(hop: int, kind: str, level: int, to: str, *steps: tuple[str, str]) -> dict[str, Any]:
    listed = [step(phase, host, to) for phase, host in steps]
    return {"index": 0, "hop": hop, "kind": kind, "level": level, "to": to, "steps": listed}


def a_plan(*done: str) -> dict[str, Any]:
    """Two hops of a root and a leaf, without the steps of the first hop on hosts that have *done* theirs."""
    roots = [("auth", "a1"), ("auth", "a2"), ("proxy", "p1"), ("agent", "n1"), ("agent", "n2"), ("client", "c1")]
    leaves = [("auth", "b1"), ("proxy", "bp1"), ("agent", "bn1")]
    stages = [
        stage(0, "laggards", 0, "15.5.4", ("agent", "l1")),
        stage(0, "laggards", 1, "15.5.4", ("agent", "la1")),
        stage(0, "hop", 0, "16.5.18", *roots),
        stage(0, "hop", 1, "16.5.18", *leaves),
        stage(1, "hop", 0, "17.7.20", *roots),
        stage(1, "hop", 1, "17.7.20", *leaves),
    ]
    for one in stages[:4]:
        one["steps"] = [entry for entry in one["steps"] if entry["host"] not in done]
    kept = [{**one, "index": index} for index, one in enumerate(one for one in stages if one["steps"])]
    hops = [{"index": 0, "to": "16.5.18"}, {"index": 1, "to": "17.7.20"}]
    return sealed({"target_version": "17.7.20", "hops": hops, "stages": kept, "findings": []})


def hosts(plan: dict[str, Any]) -> list[str]:
    return [entry["host"] for one in plan["stages"] for entry in one["steps"]]


def approved(plan: dict[str, Any]) -> dict[str, Any]:
    instances = [{"host": "a1", "services": ["auth"]}, {"host": "n1", "services": ["agent"]}]
    variables = {"a1": {"ansible_host": "10.0.0.1", "ansible_password": "hunter2", "teleport_cluster": "main"}}
    return phases.approvable(plan, instances, variables)


def test_the_phases_are_the_first_hop_in_its_own_order() -> None:
    parts = [phases.part(a_plan(), phase) for phase in phases.PHASES]
    assert [host for part in parts for host in hosts(part)] == ORDER
    assert [hosts(part)[0] for part in parts] == ["l1", "p1", "n1", "b1"]
    for part in parts:
        assert [one["index"] for one in part["stages"]] == list(range(len(part["stages"])))
        assert part["digest"] == digest_of(part)


@pytest.mark.parametrize("phase", phases.PHASES)
def test_each_phase_waits_for_those_before_it(phase: str) -> None:
    mine = hosts(phases.part(a_plan(), phase))
    before = ORDER[: ORDER.index(mine[0])]
    assert phases.refusal(a_plan(*before), phase, {}) == ""
    # Once the roots have moved, la1 is one of the leaves' own.
    for missing in set(before) - ({"la1"} if phase == "leaves" else set()):
        told = phases.refusal(a_plan(*(set(before) - {missing})), phase, {})
        assert f"on the way to 16.5.18, {missing} come first" in told
        assert "lockstep.teleport.upgrade_" in told


def test_a_leaf_that_lags_behind_its_own_auth_server_is_the_leaves_own_business() -> None:
    plan = a_plan("l1", "a1", "a2", "p1", "n1", "n2", "c1")
    assert hosts(phases.part(plan, "leaves")) == ["la1", "b1", "bp1", "bn1"]
    assert phases.refusal(plan, "leaves", {}) == ""


def test_a_phase_with_nothing_left_to_do_does_nothing() -> None:
    assert phases.part(a_plan("l1", "la1", "a1", "a2"), "auth")["stages"] == []
    finished = sealed({"target_version": "17.7.20", "hops": [], "stages": [], "findings": []})
    for phase in phases.PHASES:
        assert phases.part(finished, phase)["stages"] == []
        assert phases.refusal(finished, phase, approved(finished)) == ""


def test_what_is_handed_on_is_small_and_has_no_secret() -> None:
    told = approved(a_plan())
    assert (told["digest"], told["to"], told["hops"]) == (a_plan()["digest"], "16.5.18", 2)
    assert told["work"]["auth"] == {"15.5.4": ["l1", "la1"], "16.5.18": ["a1", "a2"]}
    assert told["work"]["agents"] == {"16.5.18": ["n1", "n2", "c1"]}
    assert told["servers"] == {"a1": {"ansible_host": "10.0.0.1", "teleport_cluster": "main"}}


def test_what_is_left_of_the_approved_may_be_done_and_no_more() -> None:
    rest = a_plan("l1", "la1", "a1")
    assert phases.refusal(rest, "auth", approved(a_plan())) == ""
    told = phases.refusal(a_plan("l1"), "auth", approved(rest))
    assert "needs more than was approved" in told
    assert "la1 to 15.5.4, a1 to 16.5.18" in told


def test_a_share_of_the_inventory_is_enough_for_agents_alone() -> None:
    told = approved(a_plan())
    done = ["l1", "la1", "a1", "a2", "p1"]
    assert phases.refusal(a_plan(*done), "agents", told) == ""
    assert phases.slice_refusal(["n1"], "agents", told) == ""
    assert phases.slice_refusal([*ORDER, "new"], "auth", told) == ""
    for phase in ("auth", "proxies", "leaves"):
        refused = phases.slice_refusal(["n1", "n2"], phase, told)
        assert "does not see a1" in refused
        assert "job slicing" in refused


def test_an_unknown_phase_is_told() -> None:
    with pytest.raises(ValueError, match="'client' is no phase; allowed are auth, proxies, agents, leaves"):
        phases.part(a_plan(), "client")


def test_the_play_takes_over_every_variable_that_is_handed_on() -> None:
    _check, task = yaml.safe_load((ROOT / "roles" / "phase" / "tasks" / "servers.yml").read_text())
    assert set(task["ansible.builtin.add_host"]) - {"name", "groups"} == set(phases.DOOR)


SEEN: list[dict[str, Any]] = [
    {"host": "a1", "cluster": "main", "services": ["auth"], "version": "16.5.18"},
    {"host": "a2", "cluster": "main", "services": ["auth"], "version": None},
    {"host": "b1", "cluster": "branch", "services": ["auth"], "version": "17.0.1"},
    {"host": "n1", "cluster": "main", "services": ["agent"], "version": "15.5.4"},
]


@pytest.mark.parametrize(
    ("phase", "told", "expected"),
    [
        ("auth", {}, "17.7.20"),
        ("proxies", {}, "16.5.18"),
        ("leaves", {}, "16.5.18"),
        ("agents", {"to": "15.5.4"}, "15.5.4"),
        ("auth", {"to": "16.5.18"}, "16.5.18"),
    ],
)
def test_who_follows_goes_where_the_auth_servers_of_the_roots_are(
    phase: str, told: dict[str, Any], expected: str
) -> None:
    assert phases.target(SEEN, phase, told, {"branch": {"root": "main"}, "main": None}, "17.7.20") == expected


@pytest.mark.parametrize(
    ("limit", "phase", "servers", "told"),
    [
        (["localhost", "n1"], "auth", {}, ""),
        (["n1"], "agents", {"a1": {}}, ""),
        (["n1"], "agents", {}, "where teleport_approved_hop is given"),
        (["n1"], "auth", {"a1": {}}, "Run lockstep.teleport.upgrade_auth without --limit"),
        (["n1"], "", {"a1": {}}, "Run without --limit"),
    ],
)
def test_only_agents_whose_servers_are_known_run_under_a_limit(
    limit: list[str], phase: str, servers: dict[str, Any], told: str
) -> None:
    said = phases.limit_refusal(limit, ",".join(limit), phase, {"servers": servers} if servers else {})
    assert (told in said, bool(said)) == (True, bool(told))
