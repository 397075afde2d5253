# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A survey asks for what the argument specification asks for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.lockstep.teleport.plugins.plugin_utils import survey
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

ROLES = ("plan", "agent", "halt", "lock", "rollback")
SPECIFICATIONS = [yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text()) for role in ROLES]
JOBS = yaml.safe_load((ROOT / "roles/awx/vars/main/jobs.yml").read_text())
ASKED = sorted({variable for job in JOBS["awx_jobs"] for variable in job["asks"]} | set(JOBS["awx_workflow_asks"]))


def question(option: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"description": ["What it is. Set it with C(teleport_x)."], **option}
    made = survey.build(["teleport_x"], [{"argument_specs": {"main": {"options": {"role_x": told}}}}], **more)
    found: dict[str, Any] = made["spec"][0]
    return found


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"type": "str", "required": True}, {"type": "text", "required": True, "min": 1, "default": ""}),
        ({"type": "str", "default": "a"}, {"type": "text", "required": False, "min": 0, "default": "a"}),
        ({"type": "raw", "default": 0}, {"type": "text", "default": "0"}),
        ({"type": "int", "default": 600}, {"type": "integer", "default": 600, "min": 0}),
        ({"type": "bool", "default": False}, {"type": "multiplechoice", "choices": "true\nfalse", "default": "false"}),
        ({"choices": ["a", "b"], "default": "b"}, {"type": "multiplechoice", "choices": "a\nb", "default": "b"}),
        ({"type": "list", "elements": "str", "default": ["a", "b"]}, {"type": "text", "default": "a,b"}),
    ],
)
def test_a_question_is_its_option(option: dict[str, Any], expected: dict[str, Any]) -> None:
    made = question(option)
    assert {key: made[key] for key in expected} == expected
    assert (made["variable"], made["question_name"]) == ("teleport_x", "X")
    assert made["question_description"].startswith("What it is.")
    assert "C(" not in made["question_description"]


def test_what_a_job_needs_has_to_be_answered() -> None:
    assert question({"type": "str", "default": ""}, required=["teleport_x"])["required"] is True


def test_what_cannot_be_asked_for_is_told() -> None:
    with pytest.raises(ValueError, match="teleport_x is a dict, which no survey can ask for"):
        question({"type": "dict"})
    with pytest.raises(ValueError, match="no role takes teleport_y; known are teleport_"):
        survey.build(["teleport_y"], SPECIFICATIONS)


@pytest.mark.parametrize("variable", ASKED)
def test_each_answer_that_a_survey_takes_the_role_takes_too(variable: str) -> None:
    (asked,) = survey.build([variable], SPECIFICATIONS)["spec"]
    option = next(
        {"type": option.get("type", "str"), "choices": option.get("choices"), "elements": option.get("elements")}
        for specification in SPECIFICATIONS
        for entry in specification["argument_specs"].values()
        for option in (entry.get("options") or {}).values()
        if f"C({variable})" in " ".join(option["description"])
    )
    validator = ArgumentSpecValidator({"x": {key: value for key, value in option.items() if value is not None}})
    answers = asked["choices"].splitlines() or [asked["default"] if asked["type"] == "integer" else "17.7.20"]
    for answer in answers:
        assert validator.validate({"x": answer}).error_messages == []
    if asked["choices"]:
        assert validator.validate({"x": "none of them"}).error_messages != []
