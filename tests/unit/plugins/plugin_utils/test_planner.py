# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The planner by its tables, and what holds for all its answers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import CODES, SEVERITIES
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import digest_of
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import (
    FINDINGS,
    FindingCase,
    StageCase,
    fleet,
    lines,
    stages,
)
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_stage_cases import STAGES


@pytest.mark.parametrize("case", FINDINGS, ids=lambda case: case.name)
def test_finding(case: FindingCase) -> None:
    assert case.holds(), case.ask().plan["findings"]


@pytest.mark.parametrize("case", STAGES, ids=lambda case: case.name)
def test_stages(case: StageCase) -> None:
    outcome = case.ask()
    assert not outcome.refused, outcome.message
    assert stages(outcome.plan) == lines(case.expected)


def test_every_code_has_a_case() -> None:
    told = {case.expected.split()[1] for case in FINDINGS}
    # Long plans, the planner's own defects, preflight rules, rollbacks, rotations and what surrounds an upgrade have
    # tests of their own.
    elsewhere = {code for code in CODES if code.startswith(("rollback-", "rotation-")) or code.endswith("-unusable")}
    assert set(CODES) - told == {"more-stages-than-one-run", "plan-inconsistent", *rules(), *elsewhere}


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_it_means_and_what_to_do(code: str) -> None:
    row = CODES[code]
    assert row.severity in SEVERITIES
    assert row.meaning.endswith(".")
    assert row.hint.endswith(".")
    assert row.severity == "blocker" or not row.waivable


def test_all_blockers_are_told_at_once() -> None:
    outcome = plan_upgrade(
        {
            "target_version": "6.2",
            "instances": [*fleet("a main auth ?\nb leaf agent 5.2.5 unreachable"), {"host": "x"}],
            "clusters": {"leaf": {"root": "mian"}},
            "hop_versions": {"5": "6.0.0", "4.9": "4.9.0"},
            "batches": ["0%"],
            "edition": "oss",
        }
    )
    assert outcome.refused
    codes = {item["code"] for item in outcome.plan["findings"] if item["severity"] == "blocker"}
    assert codes == {
        "target-invalid",
        "pin-invalid",
        "input-invalid",
        "auth-version-unknown",
        "no-auth",
        "root-unknown",
        "unreachable",
    }
    for text in ("hop_versions.5: 6.0.0", "batches: found '0%'", "edition is 'oss'", "host b", "cluster leaf", "'6.2'"):
        assert text in outcome.message


def instance(**keys: object) -> dict[str, list[dict[str, object]]]:
    """Write the input of one auth server with further keys."""
    return {"instances": [{"host": "a", "services": ["auth"], "version": "17.5.2", **keys}]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"instances": ["a"]}, "instances[0] is 'a'"),
        ({"instances": [{"services": ["auth"]}]}, "an instance needs a host"),
        ({"instances": [{"host": "a", "services": []}]}, "services is []"),
        ({"instances": [{"host": "a", "services": "auth"}]}, "services is 'auth'"),
        ({"instances": [{"host": "a", "services": ["auth"], "version": 17.7}]}, "17.7 is not a Teleport version"),
        ({"instances": [{"host": "a", "services": ["auth"], "version": "1.2"}]}, "'1.2' is not a Teleport version"),
        ({"instances": [{"host": "a", "services": ["auth"], "version": ["x"]}]}, "['x'] is not a Teleport version"),
        ({"instances": [{"host": "a", "services": ["auth"], "state": "gone"}]}, "state is 'gone'"),
        (instance(interrupted="yes"), "interrupted is 'yes'; allowed are true and false"),
        (instance(concerns=[{"rule": ["glibc-too-old"]}]), "concerns of a is [{'rule': ['glibc-too-old']}]"),
        (instance(concerns=[{"rule": "glibc-too-old", "change": 5}]), "concerns of a is [{'rule'"),
        (instance(config_edits=5), "host a: config_edits is not what instance_info returns"),
        (instance(config_edits=[{"rule": []}]), "host a: config_edits is not what"),
        (instance(config_edits=[{"rule": "assist-removed", "lines": 5}]), "host a: config_edits is not what"),
        ({"findings": [{"code": "odd", "severity": ["info"], "message": "m"}]}, "[odd] m"),
        ({"clusters": ["leaf"]}, "clusters is ['leaf']"),
        ({"clusters": {"leaf": "main"}}, "clusters.leaf is 'main'"),
        ({"clusters": {"leaf": {"roots": "main"}}}, "clusters.leaf is {'roots': 'main'}"),
        ({"clusters": {"leaf": {"root": 7}}}, "clusters.leaf is {'root': 7}"),
        ({"hop_versions": ["6.2.31"]}, "hop_versions: found ['6.2.31']"),
        ({"hop_versions": {"six": "6.2.31"}}, "hop_versions.six"),
        ({"hop_versions": {"6": "6.2"}}, "hop_versions.6: '6.2' is not a Teleport version"),
        ({"auth_strategy": "yolo"}, "auth_strategy is 'yolo'"),
        ({"allow_prerelease": ["rc1"]}, "allow_prerelease[0]: 'rc1'"),
        ({"proxy_batches": []}, "proxy_batches: the list is empty"),
    ],
)
def test_bad_input_is_told_in_one_message(options: dict[str, Any], message: str) -> None:
    data = {"target_version": "17.7.20", "instances": fleet("a main auth 17.5.2"), **options}
    outcome = plan_upgrade(data)
    assert outcome.refused
    assert message in outcome.message


def test_an_instance_ahead_of_the_target_is_no_cure_of_the_plan() -> None:
    rows = fleet("a main auth 17.5.2\nn main agent 17.7.26")
    plan = plan_upgrade({"target_version": "17.7.20", "instances": rows}).plan
    (hint,) = (item["hint"] for item in plan["findings"] if item["code"] == "newer-than-auth")
    assert hint.startswith("Name a target that is 17.7.26 or newer")


def test_a_slip_in_the_target_does_not_list_all_the_lines_there_never_were() -> None:
    outcome = plan_upgrade({"target_version": "177.20.0", "instances": fleet("a main auth 17.5.2")})
    texts = [item["message"] for item in outcome.plan["findings"] if item["code"] == "hop-version-missing"]
    assert len(texts) == 4
    assert "155 more lines, up to 176" in texts[-1]
    assert "Check the target 177.20.0" in outcome.message


def test_a_refused_upgrade_has_nothing_to_carry_out() -> None:
    plan = plan_upgrade({"target_version": "5.2.5", "instances": fleet("a main auth 6.2.31")}).plan
    assert (plan["hops"], plan["stages"]) == ([], [])
    assert plan["findings"]


def test_a_plan_has_the_promised_form() -> None:
    plan = plan_upgrade({"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5\nn main agent 5.2.5")}).plan
    assert plan["digest"] == digest_of(plan)
    assert plan["target_version"] == "6.2.31"
    assert plan["hops"] == [{"index": 0, "to": "6.2.31"}]
    stage = plan["stages"][0]
    assert {key: stage[key] for key in ("index", "hop", "level", "to", "kind")} == {
        "index": 0,
        "hop": 0,
        "level": 0,
        "to": "6.2.31",
        "kind": "hop",
    }
    assert stage["steps"] == [
        {
            "phase": "auth",
            "cluster": "main",
            "host": "a",
            "from": "5.2.5",
            "to": "6.2.31",
            "batch": 0,
            "migrates": True,
        },
        {"phase": "agent", "cluster": "main", "host": "n", "from": "5.2.5", "to": "6.2.31", "batch": 1},
    ]


def test_defaults_and_extra_keys_of_an_instance() -> None:
    row = {"host": "a", "services": ["auth"], "version": "v6.2.31", "unit": {"name": "teleport"}, "state": None}
    outcome = plan_upgrade({"target_version": "v6.2.31", "instances": [row], "clusters": {"main": None}})
    assert not outcome.refused
    assert outcome.plan["stages"] == []
    assert outcome.plan["target_version"] == "6.2.31"


def test_a_plan_longer_than_one_run_says_so() -> None:
    names = [f"c{number:02}" for number in range(40)]
    clusters = {name: {"root": root} for root, name in pairwise(names)}
    rows = fleet("\n".join(f"a-{name} {name} auth 5.2.5" for name in names))
    plan = plan_upgrade({"target_version": "6.2.31", "instances": rows, "clusters": clusters}).plan
    assert len(plan["stages"]) == 40
    assert [item["severity"] for item in plan["findings"] if item["code"] == "more-stages-than-one-run"] == ["info"]


def test_the_message_of_a_long_refusal_ends_with_a_count() -> None:
    rows = fleet("a main auth 5.2.5\n" + "\n".join(f"n{number} main agent ?" for number in range(150)))
    outcome = plan_upgrade({"target_version": "6.2.31", "instances": rows})
    assert "150 blockers" in outcome.message
    assert outcome.message.endswith("- and 50 more, see 'findings'.")
    assert len(outcome.plan["findings"]) >= 150
