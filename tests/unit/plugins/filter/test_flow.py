# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the plays: all there, documented as they are, and plain about bad input."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.filter.flow import FILTERS, FilterModule
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

HANDED = FilterModule().filters()
PLAYS = sorted([*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").glob("*.yml")])
ELSEWHERE = {"approved_digest", "stage_hosts", "stage_serial"}


def documented(name: str) -> dict[str, Any]:
    text = (ROOT / "plugins" / "filter" / f"{name}.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["DOCUMENTATION"]
    return found


def test_every_filter_of_the_plays_is_there_and_none_is_idle() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in PLAYS)
    used = set(re.findall(r"\|\s*lockstep\.teleport\.(\w+)", texts))
    assert used == set(HANDED) | ELSEWHERE


@pytest.mark.parametrize("name", sorted(HANDED))
def test_options_are_documented_in_the_order_they_are_taken(name: str) -> None:
    documentation = documented(name)
    _first, *taken = inspect.signature(FILTERS[name]).parameters.values()
    positional = [word.strip() for word in str(documentation.get("positional") or "").split(",") if word.strip()]
    assert len(positional) <= len(taken)
    assert set(positional) == set(documentation["options"]) - {"_input"}
    required = [option for option in positional if documentation["options"][option].get("required")]
    assert len(required) == len([one for one in taken if one.default is inspect.Parameter.empty])


def complaint(name: str, arguments: list[Any]) -> str | None:
    """What a filter says of its input, the only way it may say it; None when it can make something of it."""
    try:
        HANDED[name](*arguments)
    except AnsibleFilterError as told:
        return str(told)
    return None


@pytest.mark.parametrize("bad", [5, None, "text", {"x": 1}, [5]], ids=repr)
@pytest.mark.parametrize("name", sorted(HANDED))
def test_bad_input_is_told_in_one_message(name: str, bad: Any) -> None:
    parameters = list(inspect.signature(FILTERS[name]).parameters.values())
    needed = [one for one in parameters if one.default is inspect.Parameter.empty]
    told = complaint(name, [bad] * len(needed))
    assert told is None or told.startswith(f"lockstep.teleport.{name}: ")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("auth_part", ({"stages": []}, 0, "a1"), "auth_part: 'a1' is not in what it was given; 'ansible-doc -t filter"),
        ("failure_budget", ("many", 9), "failure_budget: teleport_max_failed_agents is 'many'"),
        ("stage_auth_hosts", (None, 0), "stage_auth_hosts: it cannot use what it was given"),
        ("stage_auth_hosts", ({"stages": [1]}, "x"), "stage_auth_hosts: it cannot use what it was given"),
        ("verify_findings", ({"findings": [], "instances": []}, {}, "", None, "main"), "teleport_clusters is 'main'"),
        ("verify_findings", ({"findings": [], "instances": []}, {}, "", [{"line": "x"}]), "verify_findings: "),
        ("upgrade_report", ({}, [], []), "upgrade_report: 'stages' is not in what it was given"),
    ],
)
def test_the_message_says_what_and_where_to_look(name: str, arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(message)):
        HANDED[name](*arguments)


def test_verify_findings_judges_by_the_catalogue_and_its_overrides() -> None:
    rows = [("a1", "auth", "17.7.20"), ("n1", "agent", "16.5.18")]
    instances = [{"host": h, "cluster": "main", "services": [s], "version": v} for h, s, v in rows]
    hostvars = {h: {"observe_result": {"instance": {"state": "running", "version": v}}} for h, _s, v in rows}
    inventory = {"findings": [], "instances": instances}
    assert HANDED["verify_findings"](inventory, hostvars, "") == []
    found = HANDED["verify_findings"](inventory, hostvars, "17.7.20")
    assert [finding["code"] for finding in found] == ["not-at-target"]
