# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of rotations over random standings, against Teleport's own table of steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils import rotation
from ansible_collections.lockstep.teleport.plugins.plugin_utils import rotation_plan
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.rotation_samples import (
    FORWARD,
    authority,
    plan,
    survey,
)

TELEPORT = {
    "init": {"standby"},
    "update_clients": {"init"},
    "update_servers": {"update_clients"},
    "standby": {"update_servers", "rollback"},
    "rollback": {"init", "update_clients", "update_servers"},
}
STANDINGS = st.fixed_dictionaries(
    dict.fromkeys(
        ("host", "user", "db"), st.sampled_from(["standby", "init", "update_clients", "update_servers", "rollback"])
    )
)


@given(STANDINGS, st.sampled_from([*FORWARD, "rollback"]), st.booleans())
def test_every_plan_takes_steps_of_teleport_only_and_ends_where_it_should(
    standing: dict[str, str], until: str, lately: bool
) -> None:
    rotated = "2026-11-22T18:59:00Z" if lately else None
    found = [authority(kind, phase, rotated=rotated) for kind, phase in standing.items()]
    planned = plan(survey(authorities=found), until=until, types=list(standing))
    now = dict(standing)
    for step in planned["clusters"][0]["steps"]:
        for kind in step["types"]:
            assert now[kind] in TELEPORT[step["phase"]], (kind, now, step)
            now[kind] = step["phase"]
    if until in ("standby", "rollback"):
        assert not planned["refused"]
        assert set(now.values()) == {"standby"}
    elif not planned["refused"]:
        done = {until, "standby"} if lately else {until}
        assert set(now.values()) <= done
    again = [authority(kind, phase, rotated="2026-11-22T18:59:59Z") for kind, phase in now.items()]
    if not planned["refused"]:
        assert plan(survey(authorities=again), until=until, types=list(standing))["clusters"][0]["steps"] == []


@given(STANDINGS, st.lists(st.sampled_from(list(rotation.BY_NAME)), max_size=6))
def test_replay_refuses_exactly_what_teleport_refuses(standing: dict[str, str], wanted: list[str]) -> None:
    now = standing["host"]
    legal = True
    for phase in wanted:
        legal = legal and now in TELEPORT[phase]
        now = phase
    steps = [{"phase": phase, "types": ["host"]} for phase in wanted]
    if legal:
        assert rotation_plan.replay(standing, steps)["host"] == now
    else:
        with pytest.raises(ValueError, match="host cannot enter"):
            rotation_plan.replay(standing, steps)
