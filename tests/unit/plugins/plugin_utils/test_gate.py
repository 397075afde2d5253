# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the judge of a gate: each rule passes what is good and finds what is not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import gate
from ansible_collections.lockstep.teleport.plugins.plugin_utils.gate_expectation import ExpectationError, read

PIN = "sha256:" + "c3" * 32
NOW = "2026-11-22T20:00:00Z"
SOON = "2026-11-22T20:09:00.123456789Z"


def entry(name: str, *services: str, version: str | None = "17.7.20", expires: str | None = SOON) -> dict[str, Any]:
    return {"id": f"id-{name}", "host": name, "services": list(services), "version": version, "expires": expires,
            "address": ""}  # fmt: skip


def view(*instances: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "cluster": "north",
        "version": "17.7.20",
        "ca_pins": [PIN],
        "authorities": [{"type": kind, "rotation": "idle", "text": "never updated"} for kind in ("host", "user")],
        "rotation_in_progress": False,
        "instances": list(instances) or [entry("auth-1", "auth"), entry("node-1", "agent")],
        "versions_known": True,
        "remote_clusters": [],
        "trusted_clusters": [],
        "observed_at": NOW,
        "unseen": [],
        **changes,
    }


def codes(expect: dict[str, Any], seen: dict[str, Any]) -> list[str]:
    return [finding.code for finding in gate.judge(read(expect), seen)]


def test_nothing_expected_and_nothing_wrong() -> None:
    assert codes({}, view()) == []


def test_all_of_it_at_once() -> None:
    everything = {
        "cluster": "north",
        "version": "17.7.20",
        "instances": [{"host": "node-1", "version": "17.7.20"}],
        "before": view(),
        "agents_at_least": 1,
    }
    assert codes(everything, view()) == []


# -- the Auth Service asked


def test_another_cluster() -> None:
    assert codes({"cluster": "south"}, view()) == ["gate-wrong-cluster"]


def test_another_version() -> None:
    assert "gate-version" in codes({"version": "17.7.21"}, view(entry("auth-1", "auth", version="17.7.21")))


def test_a_version_that_is_not_told_is_no_pass() -> None:
    seen = view(entry("auth-1", "auth", version=None), version=None)
    assert codes({"version": "4.1.11"}, seen) == ["gate-blind"]
    assert codes({"version": "4.1.11", "proven": ["id-auth-1"]}, seen) == []


def test_a_rotation_is_always_found() -> None:
    rotating = [{"type": "host", "rotation": "in_progress", "text": "rotating clients (mode: manual)"}]
    assert codes({}, view(authorities=rotating)) == ["gate-rotation"]


def test_the_ca_pin_must_not_change() -> None:
    assert codes({"before": view()}, view(ca_pins=["sha256:" + "dd" * 32])) == ["gate-ca-pins"]
    assert codes({"ca_pins": [PIN]}, view(ca_pins=[])) == ["gate-ca-pins"]


def test_authorities_may_be_added_but_not_lost() -> None:
    more = [{"type": kind, "rotation": "idle", "text": ""} for kind in ("host", "user", "jwt")]
    assert codes({"before": view()}, view(authorities=more)) == []
    assert codes({"before": view(authorities=more)}, view()) == ["gate-authority"]


# -- instances


EXPECTED = {"host": "inventory-name", "host_uuid": "id-node-1", "version": "17.7.20"}


@pytest.mark.parametrize(
    "names", [{"host": "node-1"}, {"host": "x", "hostname": "node-1"}, {"host": "x", "id": "id-node-1"}]
)
def test_an_instance_is_found_by_any_of_its_names(names: Any) -> None:
    assert codes({"instances": [{"version": "17.7.20", **names}]}, view()) == []


def test_an_instance_that_is_not_listed() -> None:
    [found] = gate.judge(read({"instances": [EXPECTED]}), view(entry("auth-1", "auth")))
    assert (found.code, found.host) == ("gate-not-listed", "inventory-name")


def test_an_instance_listed_with_the_old_version_only() -> None:
    assert codes({"instances": [EXPECTED]}, view(entry("node-1", "agent", version="16.5.13"))) == ["gate-instance"]


def test_proof_on_the_host_does_not_outweigh_an_old_version_in_the_list() -> None:
    seen = view(entry("node-1", "agent", version="16.5.13"))
    assert codes({"instances": [EXPECTED], "proven": ["id-node-1"]}, seen) == ["gate-instance"]


def test_an_old_entry_beside_the_new_one_does_no_harm() -> None:
    old = {**entry("node-1", "agent", version="16.5.13"), "id": "id-of-before"}
    expected = {"host": "node-1", "version": "17.7.20"}
    assert codes({"instances": [expected]}, view(old, entry("node-1", "agent"))) == []


def test_before_4_3_only_proof_on_the_host_counts() -> None:
    seen = view(entry("node-1", "agent", version=None), versions_known=False)
    assert codes({"instances": [EXPECTED]}, seen) == ["gate-blind"]
    assert codes({"instances": [EXPECTED], "proven": ["id-node-1"]}, seen) == []
    assert codes({"instances": [EXPECTED], "proven": ["id-node-2"]}, seen) == ["gate-blind"]


# -- a second Auth Service


def second(**changes: Any) -> dict[str, Any]:
    return view(entry("auth-1", "auth"), {**entry("auth-2", "auth", version="16.5.13"), **changes})


def test_a_second_auth_at_another_version() -> None:
    [found] = gate.judge(read({"version": "17.7.20"}), second())
    assert (found.code, found.host) == ("gate-second-auth", "auth-2")


@pytest.mark.parametrize("name", ["auth-2", "id-auth-2"])
def test_unless_it_was_proven_to_be_stopped(name: Any) -> None:
    assert codes({"version": "17.7.20", "stopped": [name]}, second()) == []


def test_or_its_entry_is_over() -> None:
    assert codes({"version": "17.7.20"}, second(expires="2026-11-22T19:59:59Z")) == []


def test_two_auths_at_one_version_are_fine() -> None:
    assert codes({"version": "17.7.20"}, second(version="17.7.20")) == []


# -- losses


def test_an_agent_that_vanished() -> None:
    [found] = gate.judge(read({"before": view()}), view(entry("auth-1", "auth")))
    assert found.code == "gate-lost"
    assert "node-1" in found.message


def test_an_agent_that_was_silent_already_is_nobodys_loss() -> None:
    # Heartbeats come every five to six minutes and last ten.
    before = view(entry("auth-1", "auth"), entry("node-1", "agent", expires="2026-11-22T20:03:29Z"))
    assert codes({"before": before}, view(entry("auth-1", "auth"))) == []
    before = view(entry("auth-1", "auth"), entry("node-1", "agent", expires="2026-11-22T20:03:30Z"))
    assert codes({"before": before}, view(entry("auth-1", "auth"))) == ["gate-lost"]


def test_an_agent_with_a_new_identity_is_not_lost() -> None:
    again = {**entry("node-1", "agent"), "id": "id-of-the-reinstalled"}
    assert codes({"before": view()}, view(entry("auth-1", "auth"), again)) == []


def test_a_peer_stopped_on_purpose_is_not_lost() -> None:
    before = view(entry("auth-1", "auth"), entry("auth-2", "auth"))
    assert codes({"before": before, "stopped": ["auth-2"]}, view(entry("auth-1", "auth"))) == []


def test_records_without_an_end_are_counted_on() -> None:
    for endless in (None, "0001-01-01T00:00:00Z"):
        before = view(entry("auth-1", "auth"), entry("node-1", "agent", expires=endless))
        assert codes({"before": before}, view(entry("auth-1", "auth"))) == ["gate-lost"]


def test_ten_of_the_lost_are_named() -> None:
    before = view(*(entry(f"node-{number:03}", "agent") for number in range(500)))
    [found] = gate.judge(read({"before": before}), view(entry("auth-1", "auth")))
    assert found.message.startswith("500 instances")
    assert found.message.endswith("node-009 and 490 more.")


def test_a_number_of_agents() -> None:
    expired = entry("node-2", "agent", expires="2026-11-22T19:59:00Z")
    seen = view(entry("auth-1", "auth"), entry("node-1", "agent"), expired)
    assert codes({"agents_at_least": 1}, seen) == []
    assert codes({"agents_at_least": 2}, seen) == ["gate-agents"]


@pytest.mark.parametrize("now", [[], [{"name": "leaf", "connection": "offline", "last_heartbeat": None}]])
def test_a_leaf_that_was_connected_must_be_connected(now: Any) -> None:
    before = view(remote_clusters=[{"name": "leaf", "connection": "online", "last_heartbeat": NOW}])
    assert codes({"before": before}, view(remote_clusters=now)) == ["gate-leaf"]
    assert codes({"before": view(remote_clusters=now)}, view(remote_clusters=now)) == []


def test_a_trust_must_stay() -> None:
    before = view(trusted_clusters=[{"name": "root", "enabled": True}])
    assert codes({"before": before}, view(trusted_clusters=[{"name": "root", "enabled": False}])) == ["gate-trust"]
    assert codes({"before": before}, before) == []


# -- around the rules


def test_all_findings_come_together() -> None:
    seen = view(entry("auth-1", "auth"), ca_pins=[], version="16.5.13")
    expect = {"version": "17.7.20", "instances": [EXPECTED], "before": view(), "agents_at_least": 1}
    assert codes(expect, seen) == ["gate-version", "gate-ca-pins", "gate-not-listed", "gate-lost", "gate-agents"]


def test_only_what_never_heals_is_lasting() -> None:
    assert gate.is_lasting(gate.judge(read({"ca_pins": [PIN]}), view(ca_pins=[])))
    assert not gate.is_lasting(gate.judge(read({"version": "17.7.21"}), view()))
    assert not gate.is_lasting([])


def test_the_summary_is_small() -> None:
    many = view(*(entry(f"n{number}", "agent") for number in range(1000)), entry("old", "agent", version=None))
    assert gate.summary(many) == {
        "cluster": "north",
        "version": "17.7.20",
        "instances": 1001,
        "versions": {"17.7.20": 1000, "unknown": 1},
        "leaves_online": 0,
    }


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ({"versoin": "17"}, "expect.versoin is not known; allowed are agents_at_least"),
        ({"instances": [{"host": "h"}]}, "every entry needs host and version"),
        ({"instances": ["h"]}, "every entry needs host and version"),
        ({"proven": "h1"}, "expect.proven is 'h1'; it has to be a list"),
        ({"agents_at_least": "many"}, "has to be a number"),
        ({"agents_at_least": float("inf")}, "has to be a number"),
        ({"before": "view"}, "give the cluster_view"),
    ],
)
def test_a_wrong_expectation_is_one_message(expect: Any, message: Any) -> None:
    with pytest.raises(ExpectationError, match=message):
        read(expect)


def test_judging_ten_thousand_agents_is_quick() -> None:
    import time

    many = view(*(entry(f"n{number}", "agent") for number in range(10_000)), entry("auth-1", "auth"))
    expected = [{"host": f"n{number}", "version": "17.7.20"} for number in range(10_000)]
    began = time.monotonic()
    assert codes({"version": "17.7.20", "instances": expected, "before": many}, many) == []
    assert time.monotonic() - began < 2.0
