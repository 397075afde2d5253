# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action around the planner: what it takes and what it returns, and that its documentation says the same."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.lockstep.teleport.plugins.action.upgrade_plan import ARGUMENTS, ActionModule
from ansible_collections.lockstep.teleport.plugins.modules import upgrade_plan as documented
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import fleet


def run(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the action with these arguments of a task."""
    task = mock.MagicMock(async_val=0, check_mode=check_mode, diff=False, args=arguments, environment=None)
    make: Any = ActionModule
    action = make(task, mock.MagicMock(), mock.MagicMock(check_mode=check_mode), None, None, None)
    result: dict[str, Any] = action.run(task_vars={})
    return result


def test_a_plan_is_returned_with_all_that_belongs_to_it() -> None:
    result = run(target_version="6.2.31", instances=fleet("a main auth 5.2.5"))
    assert (result["changed"], result["failed"]) == (False, False)
    assert result["plan"]["hops"] == [{"index": 0, "to": "6.2.31"}]
    assert result["findings"] == result["plan"]["findings"]
    assert result["markdown"].startswith("# Teleport upgrade to 6.2.31")
    assert result["msg"].startswith("1 hop(s), 1 stage(s) and 1 change(s) lead to 6.2.31")


def test_check_mode_gives_the_same() -> None:
    arguments: dict[str, Any] = {"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5")}
    assert run(check_mode=True, **arguments) == run(**arguments)


def test_null_is_as_good_as_left_out() -> None:
    arguments: dict[str, Any] = {"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5")}
    nulls: dict[str, Any] = {name: None for name, option in ARGUMENTS.items() if not option.get("required")}
    assert run(**arguments, **nulls) == run(**arguments)


@pytest.mark.parametrize("name", ["target_version", "instances"])
def test_null_is_no_answer_to_what_has_to_be_said(name: str) -> None:
    arguments: dict[str, Any] = {"target_version": "6.2.31", "instances": fleet("a main auth 5.2.5"), name: None}
    with pytest.raises(AnsibleError, match=f"missing required arguments: {name}"):
        run(**arguments)


def test_at_the_target_it_succeeds_with_nothing_to_do() -> None:
    result = run(target_version="6.2.31", instances=fleet("a main auth 6.2.31"))
    assert (result["changed"], result["failed"], result["plan"]["hops"], result["plan"]["stages"]) == (
        False,
        False,
        [],
        [],
    )


def test_a_refusal_fails_with_all_findings() -> None:
    result = run(target_version="5.2.5", instances=fleet("a main auth 6.2.31\nn main agent ?"))
    assert (result["changed"], result["failed"]) == (False, True)
    assert {item["code"] for item in result["findings"] if item["severity"] == "blocker"} == {
        "downgrade",
        "target-older-than-cluster",
        "version-unknown",
    }
    for item in result["findings"]:
        assert set(item) == {"code", "severity", "cluster", "host", "message", "hint"}
        assert item["severity"] != "blocker" or item["message"] in result["msg"]
    assert "**Refused.**" in result["markdown"]


def test_a_missing_argument_is_told() -> None:
    with pytest.raises(AnsibleError, match="target_version"):
        run(instances=[])


def test_the_documentation_has_the_arguments_of_the_action() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert set(options) == set(ARGUMENTS)
    for name, argument in ARGUMENTS.items():
        for key in ("type", "elements", "required", "default", "choices"):
            assert options[name].get(key) == argument.get(key), f"{name}.{key}"
