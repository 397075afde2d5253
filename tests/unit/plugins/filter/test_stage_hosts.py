# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that plays take hosts and batches from."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.filter.flow import FilterModule
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import fleet

FILTERS = FilterModule().filters()
PLAN = plan_upgrade(
    {"target_version": "6.2.31", "instances": fleet("b main auth 5.2.5\na main auth 5.2.5\nn main agent 5.2.5")}
).plan


def test_hosts_and_sizes_of_a_phase() -> None:
    assert FILTERS["stage_hosts"](PLAN, 0, "auth") == ["a", "b"]
    assert FILTERS["stage_serial"](PLAN, 0, "auth") == [1, 1]
    assert FILTERS["stage_hosts"](PLAN, 0, "agent") == ["n"]


@pytest.mark.parametrize("name", ["stage_hosts", "stage_serial"])
def test_nothing_where_there_is_no_stage(name: str) -> None:
    assert FILTERS[name]({}, 0, "auth") == []
    assert FILTERS[name](PLAN, 31, "auth") == []
    assert FILTERS[name](PLAN, 0, "client") == []


@pytest.mark.parametrize(
    ("index", "phase", "message"),
    [("x", "auth", "cannot use what it was given"), (0, "nodes", "'nodes' is not a phase")],
)
def test_a_wrong_question_is_told(index: object, phase: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        FILTERS["stage_hosts"](PLAN, index, phase)
