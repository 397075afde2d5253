# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which phases are left, and what speaks against them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import rotation_render
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.rotation_samples import (
    FORWARD,
    NOW,
    PINS,
    authority,
    codes,
    phases,
    plan,
    survey,
)


def test_a_cluster_at_rest_goes_through_all_phases() -> None:
    planned = plan(survey())
    assert phases(planned) == [(phase, ["host", "user"]) for phase in FORWARD]
    assert (planned["refused"], planned["hosts"], planned["locked"]) == (False, ["auth1"], ["auth1"])
    cluster = planned["clusters"][0]
    assert [one["host"] for one in cluster["expected"]] == ["auth1", "agent1"]
    assert "uuid-agent1" in cluster["expected"][1]["names"]
    assert "4. **standby** (host, user)" in planned["markdown"]


def test_a_rotation_that_was_cut_off_between_two_authorities_goes_on_there() -> None:
    seen = survey(authorities=[authority("host", "update_clients"), authority("user", "init")])
    assert phases(plan(seen)) == [
        ("update_clients", ["user"]),
        ("update_servers", ["host", "user"]),
        ("standby", ["host", "user"]),
    ]


def test_what_was_rotated_lately_is_done() -> None:
    lately = [authority(kind, rotated="2026-11-22T18:50:00.123456789Z") for kind in ("host", "user")]
    planned = plan(survey(authorities=lately))
    assert (phases(planned), codes(planned)) == ([], {"rotation-recent": "info"})
    assert (planned["hosts"], planned["locked"]) == ([], [])
    assert len(phases(plan(survey(authorities=lately), min_age=0))) == len(FORWARD)


def test_until_stops_early_and_refuses_what_lies_behind() -> None:
    assert [phase for phase, _types in phases(plan(survey(), until="update_clients"))] == ["init", "update_clients"]
    seen = survey(authorities=[authority("host", "update_servers"), authority("user", "update_servers")])
    planned = plan(seen, until="init")
    assert planned["refused"]
    assert codes(planned) == {"rotation-past": "blocker"}


def test_rollback_goes_back_from_wherever_it_stands_and_is_not_held_up() -> None:
    gone = [{"host": "agent1", "code": "offline", "message": "its cluster does not list it"}]
    seen = survey(authorities=[authority("host", "update_clients"), authority("user", "rollback")], missing=gone)
    planned = plan(seen, until="rollback")
    assert phases(planned) == [("rollback", ["host"]), ("standby", ["host", "user"])]
    assert (planned["refused"], codes(planned)["rotation-offline"]) == (False, "warning")
    assert phases(plan(survey(), until="rollback")) == []


def test_what_is_being_rolled_back_is_ended_and_nothing_is_begun() -> None:
    seen = survey(authorities=[authority("host", "rollback"), authority("user", "rollback")])
    planned = plan(seen)
    assert phases(planned) == [("standby", ["host", "user"])]
    assert codes(planned) == {"rotation-rolling-back": "info"}


def missing(code: str) -> dict[str, Any]:
    return survey(missing=[{"host": "agent1", "code": code, "message": "says so"}])


LEAF = {"name": "leaf.example", "connection": "online", "last_heartbeat": NOW}


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (None, "rotation-silent"),
        ({"failed": True, "msg": "no", "phases": {}}, "rotation-silent"),
        (survey(authorities=[authority("host")]), "rotation-type-unknown"),
        (survey(authorities=[authority("host", "init", "auto"), authority("user")]), "rotation-automatic"),
        (survey(auth_versions=["15.5.4", "16.5.18"]), "rotation-upgrade"),
        (missing("offline"), "rotation-offline"),
        (missing("behind"), "rotation-offline"),
        (missing("blind"), "rotation-blind"),
        (survey(remote_clusters=[{**LEAF, "connection": "offline"}]), "rotation-leaf-offline"),
        (survey(remote_clusters=[LEAF]), "rotation-trust-unseen"),
        (survey(trusted_clusters=[{"name": "root.example", "enabled": True}]), "rotation-trust-unseen"),
    ],
)
def test_what_speaks_against_it_refuses_and_touches_nothing(seen: Any, code: str) -> None:
    planned = plan(seen)
    assert codes(planned) == {code: "blocker"}
    assert (planned["refused"], planned["hosts"], planned["locked"]) == (True, [], [])
    assert "**Refused.**" in planned["markdown"]


def test_waived_losses_are_not_waited_for_and_the_unseen_costs_time() -> None:
    lost = plan(missing("offline"), waivers=["rotation-offline"])
    assert (lost["refused"], lost["clusters"][0]["ignored"]) == (False, ["agent1", "uuid-agent1"])
    assert lost["clusters"][0]["settle"] is False
    blind = plan(missing("blind"), waivers=["rotation-blind"])
    assert (blind["refused"], blind["clusters"][0]["settle"]) == (False, True)
    assert plan(survey(), types=["user"])["clusters"][0]["settle"] is True


def test_who_lags_behind_in_a_running_rotation_is_waited_for() -> None:
    running = [authority("host", "init"), authority("user", "init")]
    planned = plan({**missing("behind"), "authorities": running}, waivers=["rotation-offline"])
    assert codes(planned)["rotation-behind"] == "info"
    assert planned["clusters"][0]["ignored"] == []


def test_a_stopped_instance_is_offline_however_long_its_cluster_lists_it() -> None:
    stopped = {"host": "agent2", "cluster": "main", "services": ["agent"], "state": "stopped"}
    assert codes(plan(survey(), {"members": [stopped]})) == {"rotation-offline": "blocker"}
    waived = plan(survey(), {"members": [stopped]}, waivers=["rotation-offline"])
    assert (waived["refused"], waived["clusters"][0]["ignored"]) == (False, ["agent2", "uuid-agent2"])


def test_an_unfinished_host_is_an_upgrade_on_its_way() -> None:
    stuck = {"host": "agent2", "cluster": "main", "services": ["agent"], "state": "running", "interrupted": True}
    assert codes(plan(survey(), {"members": [stuck]})) == {"rotation-upgrade": "blocker"}


def test_leaf_in_the_inventory_is_asked_for_its_copies() -> None:
    leaf = {"host": "leaf1", "cluster": "leaf", "services": ["auth"], "state": "running"}
    own = survey(cluster="leaf.example", trusted_clusters=[{"name": "main.example", "enabled": True}])
    hosts = {"members": [leaf], "variables": {"leaf1": {"rotation_seen": own}}}
    planned = plan(survey(remote_clusters=[LEAF]), hosts)
    assert [one["cluster"] for one in planned["clusters"]] == ["leaf", "main"]
    (peer,) = planned["clusters"][1]["peers"]
    assert (peer["host"], peer["types"]) == ("leaf1", ["host", "user"])
    (peer,) = planned["clusters"][0]["peers"]
    assert (peer["host"], peer["types"]) == ("auth1", ["host"])


def test_configurations_with_the_old_pin_are_named() -> None:
    variables = {"agent1": {"observe_result": {"instance": {"config": {"ca_pins": PINS}}}}}
    planned = plan(survey(), {"variables": variables})
    assert codes(planned) == {"rotation-pins": "warning"}
    assert planned["clusters"][0]["pinned"] == ["agent1"]
    now = {"ca_pins": ["sha256:00bb"], "phases": {"host": "standby"}}
    done = [{"phase": "init", "types": ["host"], "at": NOW}]
    seen = {"auth1": {"rotation_now": now, "rotation_done": done}}
    document = rotation_render.build_report(planned, seen, {}, False)
    assert document["clusters"][0]["configs_to_change"] == ["agent1"]
    assert (document["clusters"][0]["ca_pins_gone"], document["clusters"][0]["ca_pins_new"]) == (PINS, ["sha256:00bb"])
    assert len(document["clusters"][0]["left"]) == len(FORWARD) - 1
    assert "- CA pin new: `sha256:00bb`" in document["markdown"]
    assert "- CA pin as before" not in document["markdown"]


def test_a_rotation_that_goes_on_names_the_pin_that_was_made_before_it_was_killed() -> None:
    planned = plan({**survey(), "ca_pins": [*PINS, "sha256:00bb"]})
    seen = {"auth1": {"rotation_now": {"ca_pins": ["sha256:00bb"], "phases": {}}}}
    markdown = rotation_render.build_report(planned, seen, {}, False)["markdown"]
    assert f"- CA pin gone: `{PINS[0]}`" in markdown
    assert "- CA pin as before: `sha256:00bb`" in markdown


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"until": "init2"}, "teleport_rotate_until is 'init2'; allowed are init, update_clients"),
        ({"grace_period": "two days"}, "teleport_rotate_grace_period is 'two days'; allowed is a time like 48h"),
        ({"grace_period": ""}, "teleport_rotate_grace_period is ''"),
    ],
)
def test_unreadable_wishes_are_named(wishes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="teleport_rotate") as raised:
        plan(survey(), **wishes)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("wishes", "code"),
    [({"clusters": ["other"]}, "rotation-cluster-unknown"), ({"grace_period": "0s"}, "rotation-grace")],
)
def test_wishes_that_would_do_harm_are_refused(wishes: dict[str, Any], code: str) -> None:
    assert codes(plan(survey(), **wishes)) == {code: "blocker"}
