# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows become objects of AWX, and what leads nowhere is told."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import awx_objects

SPECIFICATION = {
    "argument_specs": {"main": {"options": {"x": {"type": "str", "description": ["A. Set it with C(teleport_x)."]}}}}
}
OWN = {"name": "T", "playbook_dir": "playbooks/", "slices": 3, "notified": ["ops"]}


def test_a_job_is_sliced_only_where_its_row_says_so() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "a", "playbook": "a", "told": "", "asks": []},
        {"name": "b", "playbook": "b", "told": "", "asks": ["teleport_x"], "slices": True, "job_type": "check"},
    ]
    plain, sliced = awx_objects.templates(rows, OWN, {"limit": ""}, [SPECIFICATION])
    assert (plain["name"], plain["playbook"], plain["job_type"]) == ("T: a", "playbooks/a.yml", "run")
    assert (plain["job_slice_count"], sliced["job_slice_count"]) == (1, 3)
    assert (plain["survey_enabled"], plain["survey_spec"]) == (False, {})
    assert sliced["survey_spec"]["spec"][0]["variable"] == "teleport_x"
    assert {plain["limit"], sliced["limit"]} == {""}


def test_an_approval_runs_no_job() -> None:
    rows: list[dict[str, Any]] = [{"name": "go on", "approval": "Read it.", "success": ["run it"]}, {"name": "run it"}]
    approval, job = awx_objects.nodes(rows, "T", "Ops", 60)
    assert approval["identifier"] == "go-on"
    assert approval["unified_job_template"] == {
        "name": "T: go on",
        "type": "workflow_approval",
        "description": "Read it.",
        "timeout": 60,
    }
    assert approval["related"]["success_nodes"] == [{"identifier": "run-it"}]
    assert job["unified_job_template"] == {"name": "T: run it", "type": "job_template", "organization": {"name": "Ops"}}


def test_a_node_that_leads_nowhere_is_told() -> None:
    with pytest.raises(ValueError, match="node 'a' leads to 'b'; known are a"):
        awx_objects.nodes([{"name": "a", "failure": ["b"]}], "T", "Ops")


def test_templates_of_others_are_marked() -> None:
    text = awx_objects.dump({"plain": "a: b", "list": ["{{ x }}", 1], "deep": {"block": "{% if x %}\n"}})
    assert "plain: 'a: b'" in text
    assert "- !unsafe '{{ x }}'" in text
    assert "block: !unsafe" in text


def itself(text: str) -> str:
    return text


class Tagged(str):
    """Text as Ansible hands it on, which stays what it is whoever copies it."""

    __slots__ = ()
    __str__ = itself


class Number(int):
    """A number as Ansible hands it on."""


def test_what_ansible_adds_to_values_is_left_out() -> None:
    assert awx_objects.dump({Tagged("a"): Tagged("b"), "n": Number(4), "on": True}) == "a: b\nn: 4\n'on': true\n"
    assert awx_objects.dump({"a": Tagged("{{ x }}")}) == "a: !unsafe '{{ x }}'\n"
