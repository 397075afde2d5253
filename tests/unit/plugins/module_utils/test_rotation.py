# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clusters of several generations say of a rotation, in the form in which real ones print it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import rotation
from ansible_collections.lockstep.teleport.plugins.module_utils.rotation import Expected, Report

ID = "0821122f-4e6c-4397-879b-8c2bc7719a26"
ZERO = "0001-01-01T00:00:00Z"
SCHEDULE = dict.fromkeys(("update_clients", "update_servers", "standby"), ZERO)
IDLE = {"current_id": "", "started": ZERO, "last_rotated": ZERO, "schedule": SCHEDULE}
IN_PROGRESS = {
    "state": "in_progress",
    "phase": "update_clients",
    "mode": "manual",
    "current_id": ID,
    "started": "2026-11-22T18:56:20.121642911Z",
    "grace_period": "30h0m0s",
    "last_rotated": ZERO,
}
OLD, NEW = (base64.b64encode(text).decode() for text in (b"old", b"new"))


def resource(kind: str, keys: Mapping[str, Any], moved: Mapping[str, Any] | None = None) -> dict[str, Any]:
    spec = {"type": kind, "cluster_name": "main.example", **keys, **({"rotation": dict(moved)} if moved else {})}
    return {"kind": "cert_authority", "version": "v2", "metadata": {"name": "main.example"}, "spec": spec}


#: The same two keys as 4.2 and as 8.3 and later show them.
BEFORE_7 = {"checking_keys": [OLD, NEW], "tls_key_pairs": [{"cert": OLD + "T"}, {"cert": NEW + "T"}]}
FROM_7 = {
    "active_keys": {"ssh": [{"public_key": NEW}], "tls": [{"cert": NEW + "T"}]},
    "additional_trusted_keys": {"ssh": [{"public_key": OLD}], "tls": [{"cert": OLD + "T"}]},
}


@pytest.mark.parametrize("keys", [BEFORE_7, FROM_7, {**BEFORE_7, **FROM_7}], ids=["4.2", "18", "8.3"])
def test_authorities_are_read_the_same_in_every_generation(keys: dict[str, Any]) -> None:
    (found,) = rotation.authorities([resource("host", keys, IN_PROGRESS)])
    assert (found.cluster, found.type, found.phase) == ("main.example", "host", "update_clients")
    assert (found.mode, found.current_id, found.grace_period) == ("manual", ID, "30h0m0s")
    assert found.last_rotated is None
    (other,) = rotation.authorities([resource("host", BEFORE_7)])
    assert found.keys == other.keys
    assert (other.phase, other.current_id) == ("standby", "")


def heartbeat(name: str, moved: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "expires": "2026-11-22T19:06:22.615197158Z"},
        "spec": {"hostname": f"h-{name}", "rotation": dict(moved), **spec},
    }


def test_heartbeats_say_the_phase_and_for_whom() -> None:
    found = rotation.reports("nodes", [heartbeat("n1", IN_PROGRESS), heartbeat("n2", IDLE, version="8.3.12")])
    assert [(one.id, one.host, one.phase, one.current_id) for one in found] == [
        ("n1", "h-n1", "update_clients", ID),
        ("n2", "h-n2", "standby", ""),
    ]
    (app,) = rotation.reports("app_server", [heartbeat("grafana", IDLE, host_id="uuid-1")])
    assert app.id == "uuid-1"


@pytest.mark.parametrize("broken", [{}, {"spec": None}, {"spec": {"rotation": "x"}}, {"metadata": []}])
def test_what_is_no_resource_is_at_rest_and_breaks_nothing(broken: dict[str, Any]) -> None:
    assert rotation.authorities([broken])[0].phase == "standby"
    assert rotation.reports("nodes", [broken])[0].phase == "standby"


def authority(phase: str, current_id: str = ID, kind: str = "host", mode: str = "manual") -> rotation.Authority:
    return rotation.Authority("main.example", kind, phase, mode, current_id, None, "30h0m0s", None, [])


def report(host: str, phase: str, current_id: str = ID) -> Report:
    return Report(f"id-{host}", host, "nodes", phase, current_id, "", "8.3.12")


EXPECTED = [Expected("agent1", frozenset({"agent1", "id-agent1"})), Expected("agent2", frozenset({"agent2"}))]
BEHIND = ("agent1", "behind")
BOTH = ("agent1", "agent2")


@pytest.mark.parametrize(
    ("phase", "seen", "completed", "found"),
    [
        ("init", [report(host, "init") for host in BOTH], False, []),
        ("init", [report("agent1", "init")], False, [("agent2", "offline")]),
        (
            "update_clients",
            [report("agent1", "init"), report("agent2", "update_clients")],
            False,
            [("agent1", "behind")],
        ),
        ("init", [report("agent1", "init", "earlier"), report("agent2", "init")], False, [("agent1", "behind")]),
        ("init", [report(host, "init") for host in (*BOTH, "x")], False, []),
        ("init", [*(report(host, "init") for host in BOTH), report("x", "standby", "")], False, [("x", "behind")]),
        ("standby", [report(host, "standby", "") for host in BOTH], False, []),
        ("standby", [report("agent1", "standby"), report("agent2", "standby", "")], True, [("agent2", "behind")]),
        ("standby", [report("agent1", "update_servers"), report("agent2", "standby")], False, [("agent1", "behind")]),
    ],
)
def test_gate_names_everybody_who_has_not_reported(
    phase: str, seen: list[Report], completed: bool, found: list[tuple[str, str]]
) -> None:
    missing = rotation.missing(authority(phase), seen, EXPECTED, completed=completed)
    assert [(one.host, one.code) for one in missing] == found


def test_known_but_silent_is_blind_and_accepted_losses_are_passed_over() -> None:
    seen = [report("agent1", "init")]
    (one,) = rotation.missing(authority("init"), seen, EXPECTED, listed=["agent2"])
    assert (one.host, one.code) == ("agent2", "blind")
    assert rotation.missing(authority("init"), seen, EXPECTED, ignored=["agent2"]) == []
    behind = [report("agent1", "standby", ""), report("agent2", "init")]
    assert rotation.missing(authority("init"), behind, EXPECTED, ignored=["agent1"]) == []


@pytest.mark.parametrize("target", rotation.BY_NAME)
@pytest.mark.parametrize("now", [phase.name for phase in rotation.PHASES])
def test_only_steps_that_teleport_takes_are_decided(now: str, target: str) -> None:
    taken = {
        ("standby", "init"), ("init", "update_clients"), ("update_clients", "update_servers"),
        ("update_servers", "standby"), ("init", "rollback"), ("update_clients", "rollback"),
        ("update_servers", "rollback"), ("rollback", "standby"),
    }  # fmt: skip
    decision = rotation.decide([authority(now)], ["host"], target)
    assert decision.types == (["host"] if (now, target) in taken else [])
    assert bool(decision.refusal) == ((now, target) not in taken and now != target)


def test_a_rotation_that_goes_by_itself_and_a_type_that_is_not_there_are_refused() -> None:
    assert "automatic" in rotation.decide([authority("init", mode="auto")], ["host"], "update_clients").refusal
    assert "there is no db authority" in rotation.decide([authority("init")], ["db"], "update_clients").refusal


def test_one_that_is_ahead_waits_for_the_other() -> None:
    own = [authority("update_clients"), authority("init", kind="user")]
    assert rotation.decide(own, ["host", "user"], "update_clients") == rotation.Decision(["user"])
    assert rotation.decide(own, ["host", "user"], "update_servers").refusal.startswith("the user authority is in init")


def test_copies_must_hold_every_key_of_the_other_cluster() -> None:
    held = authority("standby")._replace(keys=["a", "b"])
    other = authority("standby")._replace(cluster="other.example", keys=["a", "b", "c"])
    assert rotation.lacking([held, other], {"host": ["a", "b"]}, "main.example") == []
    assert rotation.lacking([held, other], {"host": ["c"], "user": ["a"]}, "main.example") == ["host", "user"]
