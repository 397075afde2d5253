# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cures are made by the hop that needs them, stand in the plan, and nothing is changed that does not stand there."""

from __future__ import annotations

import copy
import hashlib
from itertools import pairwise
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_cures, preflight_rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.page import plan_page
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.render import render
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay import replay

BAD = "tls-rsa-with-aes-128-gcm-sha256"
TEXT = f"""\
teleport:
  auth_token: hunter2
  ciphersuites: [{BAD}, tls-rsa-with-aes-128-cbc-sha, tls-ecdhe-rsa-with-aes-128-gcm-sha256]
auth_service:
  enabled: yes
  assist: {{}}
"""
OFFENDED = ["ciphersuites-http2", "ciphersuites-removed", "ca-signature-sha1", "assist-removed"]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_each_change_is_made_to_what_the_one_before_left() -> None:
    found = config_cures.chain(TEXT, OFFENDED, "3.2.15", ["all"])
    assert [edit["rule"] for edit in found] == [
        "ciphersuites-http2", "ca-signature-sha1", "assist-removed", "ciphersuites-removed"
    ]  # fmt: skip
    assert found[0]["before"] == digest(TEXT)
    assert all(earlier["after"] == later["before"] for earlier, later in pairwise(found))
    content = TEXT.encode()
    for edit in found:
        for at, length, text in reversed(edit["spans"]):
            content = content[:at] + text.encode() + content[at + length :]
    assert hashlib.sha256(content).hexdigest() == found[-1]["after"]
    assert b"hunter2" in content
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("version", "wanted", "rules"),
    [
        ("15.5.4", ["all"], ["assist-removed", "ciphersuites-removed"]),
        ("15.5.4", ["ciphersuites-removed"], ["ciphersuites-removed"]),
        ("15.5.4", [], []),
        (None, ["all"], []),
    ],
)
def test_only_what_is_wanted_and_lies_ahead_is_changed(
    version: str | None, wanted: list[str], rules: list[str]
) -> None:
    assert [edit["rule"] for edit in config_cures.chain(TEXT, OFFENDED, version, wanted)] == rules


def test_a_rule_that_cannot_be_cured_is_no_cure() -> None:
    assert config_cures.wrong_cures(["all", "ciphersuites-removed", "kernel-too-old", "x"]) == ["kernel-too-old", "x"]


def test_every_cure_takes_its_rule_away() -> None:
    curable = {rule.id for rule in preflight_rules.rules().values() if rule.edit}
    assert curable >= {"ciphersuites-http2", "ciphersuites-removed", "ca-signature-sha1", "storage-type-implicit"}
    assert config_cures.offer(TEXT, "assist-removed") == ["- auth_service.assist (line 6, 1 line)"]
    assert config_cures.offer(TEXT, "kernel-too-old") == []


def data(target: str = "18.9.2", wanted: tuple[str, ...] = ("all",), **more: Any) -> dict[str, Any]:
    concerns = [{"rule": rule, "found": BAD} for rule in ("assist-removed", "ciphersuites-removed")]
    edits = config_cures.chain(TEXT, ["assist-removed", "ciphersuites-removed"], "15.5.4", wanted)
    row = {"services": ["auth"], "version": "15.5.4", "cluster": "main", "concerns": concerns, "config_edits": edits}
    plain = {"services": ["agent"], "version": "15.5.4", "cluster": "main"}
    instances = [{"host": "auth1", **row}, {"host": "node1", **plain}]
    return {"target_version": target, "instances": instances, **more}


def test_the_hop_that_needs_a_change_makes_it() -> None:
    plan = plan_upgrade(data()).plan
    made = [(stage["to"].partition(".")[0], stage.get("config_edits")) for stage in plan["stages"]]
    assert [line for line, _edits in made] == ["16", "17", "18"]
    assert [list(edits or {}) for _line, edits in made] == [["auth1"], [], ["auth1"]]
    first, last = (edits["auth1"] for _line, edits in made if edits)
    assert (first["rules"], last["rules"]) == (["assist-removed"], ["ciphersuites-removed"])
    assert first["before"] == digest(TEXT)
    assert first["after"] == last["before"]


def test_what_the_plan_cures_does_not_block_it() -> None:
    outcome = plan_upgrade(data())
    assert not outcome.refused
    found = {item["code"]: item["severity"] for item in outcome.plan["findings"]}
    assert found["assist-removed"] == found["ciphersuites-removed"] == "info"


def test_what_nobody_wants_cured_blocks_and_is_offered() -> None:
    request = data(wanted=())
    request["instances"][0]["concerns"][1]["change"] = config_cures.offer(TEXT, "ciphersuites-removed")
    outcome = plan_upgrade(request)
    assert outcome.refused
    (found,) = (item for item in outcome.plan["findings"] if item["code"] == "ciphersuites-removed")
    assert f"- teleport.ciphersuites: {BAD} (line 3)" in found["hint"]
    assert "teleport_config_cures" in found["hint"]


def test_a_plan_that_does_not_go_there_changes_nothing() -> None:
    assert [stage.get("config_edits") for stage in plan_upgrade(data("15.5.5")).plan["stages"]] == [None]


def test_a_change_is_part_of_the_digest_and_shown() -> None:
    plan = plan_upgrade(data()).plan
    line = f"- teleport.ciphersuites: {BAD} (line 3)"
    assert line in render(plan)
    assert line in plan_page(plan)
    other = data()
    other["instances"][0]["config_edits"][1]["lines"] = ["- something else"]
    assert plan_upgrade(other).plan["digest"] != plan["digest"]


@pytest.mark.parametrize("damage", ["early", "late", "missing", "foreign", "content", "order"])
def test_the_replay_notices_a_change_that_is_not_due(damage: str) -> None:
    request = data()
    plan = copy.deepcopy(plan_upgrade(request).plan)
    first, between, last = plan["stages"]
    assert replay(plan, request, Catalogue.load()) == []
    if damage == "early":
        between["config_edits"] = last.pop("config_edits")
    elif damage == "late":
        between["config_edits"] = first.pop("config_edits")
    elif damage == "missing":
        del last["config_edits"]
    elif damage == "foreign":
        first["config_edits"]["node9"] = first["config_edits"]["auth1"]
    elif damage == "content":
        last["config_edits"]["auth1"]["after"] = "0" * 64
    else:
        first["config_edits"], last["config_edits"] = last["config_edits"], first["config_edits"]
    assert any("teleport.yaml" in text for text in replay(plan, request, Catalogue.load()))


def test_what_is_no_change_is_refused() -> None:
    request = data()
    request["instances"][0]["config_edits"] = [{"rule": "kernel-too-old"}]
    assert "input-invalid" in {item["code"] for item in plan_upgrade(request).plan["findings"]}
