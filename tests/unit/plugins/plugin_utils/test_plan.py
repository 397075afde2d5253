# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as data: batches as Ansible cuts them, digests, and what plays ask."""

from __future__ import annotations

import random
from typing import Any

import pytest
from ansible.executor.playbook_executor import PlaybookExecutor

from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import digest_of
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_batches import BatchError, cut, read_sizes
from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import hosts_of, serial_sizes
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import fleet

SERIALS: list[list[int | str]] = [
    [1, "10%", "25%"],
    [1],
    ["30%"],
    ["33%", 2],
    ["1%"],
    ["29%", "57%"],
    [5, 1],
    ["100%"],
    [1000],
    [2, "50%", 3],
]


class _Inventory:
    def __init__(self, hosts: list[str]) -> None:
        self.hosts = hosts

    def get_hosts(self, _pattern: object, order: object = None) -> list[str]:
        return list(self.hosts)


class _Play:
    hosts = "all"
    order = None

    def __init__(self, serial: list[int | str]) -> None:
        self.serial = serial


def ansible_batches(hosts: list[str], serial: list[int | str]) -> list[list[str]]:
    """Cut hosts the way the installed ansible-core cuts the hosts of a play."""
    executor: Any = PlaybookExecutor.__new__(PlaybookExecutor)
    executor._inventory = _Inventory(hosts)
    return executor._get_serialized_batches(_Play(serial))  # type: ignore[no-any-return]


@pytest.mark.parametrize("serial", SERIALS, ids=str)
@pytest.mark.parametrize("total", [1, 2, 3, 7, 10, 11, 99, 250])
def test_batches_are_those_of_a_play(total: int, serial: list[int | str]) -> None:
    hosts = [f"n{number:03}" for number in range(total)]
    assert list(cut(total, read_sizes(serial))) == [len(batch) for batch in ansible_batches(hosts, serial)]


def test_a_play_over_the_hosts_of_a_phase_takes_the_batches_of_the_plan() -> None:
    rows = fleet("a main auth 5.2.5\n" + "\n".join(f"n{number} main agent 5.2.5" for number in range(23)))
    plan = plan_upgrade({"target_version": "6.2.31", "instances": rows, "batches": [1, "10%", "25%"]}).plan
    batches: dict[int, list[str]] = {}
    for step in plan["stages"][0]["steps"][1:]:
        batches.setdefault(step["batch"], []).append(step["host"])
    sizes: list[int | str] = list(serial_sizes(plan, 0, "agent"))
    assert ansible_batches(hosts_of(plan, 0, "agent"), sizes) == list(batches.values())


@pytest.mark.parametrize("value", [[], [0], [-1], ["0%"], ["101%"], [None], [True], [1.5], ["a"], ["%"], ["2.5%"], {}])
def test_a_size_that_is_a_slip_is_refused(value: object) -> None:
    with pytest.raises(BatchError, match="allowed are"):
        read_sizes(value)


@pytest.mark.parametrize(("value", "sizes"), [(3, (3,)), ("3", (3,)), ([" 25% ", "4"], ("25%", 4)), (("5%",), ("5%",))])
def test_sizes_are_read_as_ansible_writes_them(value: object, sizes: tuple[int | str, ...]) -> None:
    assert read_sizes(value) == sizes


@pytest.mark.parametrize("plan", [{}, {"stages": None}, {"stages": []}])
def test_without_a_plan_there_are_no_hosts(plan: dict[str, Any]) -> None:
    assert hosts_of(plan, 0, "agent") == []
    assert serial_sizes(plan, 0, "agent") == []


@pytest.mark.parametrize("index", [-1, 1, 31])
def test_beyond_the_stages_there_are_no_hosts(index: int) -> None:
    plan = plan_upgrade({"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5")}).plan
    assert hosts_of(plan, 0, "auth") == ["a"]
    assert hosts_of(plan, index, "auth") == []


def test_a_phase_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="'agents' is not a phase; allowed are auth, proxy, agent, client"):
        hosts_of({}, 0, "agents")


def test_the_digest_follows_the_content_and_not_the_order_of_the_input() -> None:
    rows = fleet("a main auth 5.2.5\nb main auth 5.2.5\nn main agent 5.2.5\nm main agent 5.2.5")
    data = {"target_version": "6.2.31", "instances": rows, "waivers": ["x", "y"]}
    digest = plan_upgrade(data).plan["digest"]
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert plan_upgrade({**data, "waivers": ["y", "x"]}).plan["digest"] == digest
    assert plan_upgrade({**data, "target_version": "6.1.2"}).plan["digest"] != digest
    assert plan_upgrade({**data, "batches": [4]}).plan["digest"] != digest


def test_a_changed_plan_does_not_match_its_digest() -> None:
    plan = plan_upgrade({"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5")}).plan
    assert digest_of(plan) == plan["digest"]
    plan["stages"][0]["steps"][0]["host"] = "b"
    assert digest_of(plan) != plan["digest"]
