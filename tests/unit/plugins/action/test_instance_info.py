# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action asks a host once, again only when it guessed wrong, and shows nothing of the raw configuration."""

from __future__ import annotations

import base64
import json
import zlib
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.action.instance_info import ActionModule

SECRET = "hunter2-hunter2"


def observed(config: str, data_dir: str = "/var/lib/teleport", diag_addr: str | None = None) -> dict[str, Any]:
    content = base64.b64encode(zlib.compress(config.encode())).decode()
    return {
        "systemd": True,
        "unit_error": None,
        "busy": False,
        "session_inside_unit": False,
        "wall": 0.0,
        "clock_off": 0.0,
        "unit": {"name": "teleport.service", "load_state": "loaded", "main_pid": 3},
        "options": {},
        "programs": {"exe": "/x", "running": None, "installed": None, "clients": {}},
        "install_method": "tarball",
        "kept_versions": [],
        "architecture": "amd64",
        "hostname": "h",
        "config_file": {"path": "/c", "found": True, "error": None, "sha256": "0", "content": content},
        "held": False,
        "unfinished": False,
        "free_bytes": {},
        "surroundings": {},
        "used": {"data_dir": data_dir, "diag_addr": diag_addr},
        "host_uuid": None,
        "ready": None,
    }


class Action(ActionModule):
    """The action with a host that answers from a list."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        parts: Any = self
        parts._task = SimpleNamespace(args={"service": "tp"}, no_log=False, delegate_to=None)
        parts._play_context = SimpleNamespace(no_log=False)
        parts._connection = SimpleNamespace(transport="local", _play_context=SimpleNamespace(no_log=False))
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def _execute_module(self, *_arguments: Any, **options: Any) -> dict[str, Any]:
        assert self._task.no_log
        assert self._play_context.no_log
        assert self._connection._play_context.no_log
        self.asked.append(options["module_args"])
        return self.answers.pop(0)


@pytest.fixture(autouse=True)
def _base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})


def answer(config: str, **changes: Any) -> dict[str, Any]:
    request = {"bin_dir": "/usr/local/bin", "versions_dir": "/opt/teleport-versions"}
    return {"changed": False, "request": request, "observed": observed(config, **changes)}


def test_common_case_is_one_question() -> None:
    action = Action(answer("teleport: {}"))
    result = action.run(task_vars={"inventory_hostname": "h1"})
    assert result["instance"]["host"] == "h1"
    assert action.asked == [{"service": "tp"}]


def test_wrong_guess_is_a_second_question_with_the_right_values() -> None:
    config = "teleport: {data_dir: /d, diag_addr: 'x:1'}"
    action = Action(answer(config), answer(config, data_dir="/d", diag_addr="x:1"))
    result = action.run(task_vars={})
    assert action.asked[1] == {"service": "tp", "data_dir": "/d", "diag_addr": "x:1"}
    assert result["instance"]["config"]["data_dir"] == "/d"


@pytest.mark.parametrize("config", [f"teleport: {{auth_token: {SECRET}}}", f"teleport: {{auth_token: {SECRET}"])
def test_nothing_raw_is_shown_and_logging_is_as_before(config: str) -> None:
    action = Action(answer(config))
    result = json.dumps(action.run(task_vars={}))
    assert SECRET not in result
    assert observed(config)["config_file"]["content"] not in result
    assert not action._task.no_log
    assert not action._connection._play_context.no_log


def test_failure_of_the_module_is_passed_on() -> None:
    assert Action({"failed": True, "msg": "no python"}).run(task_vars={}) == {"failed": True, "msg": "no python"}


class Unreachable(Action):
    """The action with a host that is not there, or was not for a moment."""

    there_again = False

    def _execute_module(self, *_arguments: Any, **_options: Any) -> dict[str, Any]:
        raise AnsibleConnectionFailure("<error censored due to no log>")

    def _low_level_execute_command(self, *_arguments: Any, **_options: Any) -> dict[str, Any]:
        assert not self._connection._play_context.no_log
        if self.there_again:
            return {"rc": 0}
        raise AnsibleConnectionFailure("Permission denied (publickey)")


@pytest.mark.parametrize(("there_again", "said"), [(False, "Permission denied"), (True, "censored")])
def test_why_a_host_cannot_be_reached_is_said(there_again: bool, said: str) -> None:
    action = Unreachable()
    action.there_again = there_again
    with pytest.raises(AnsibleConnectionFailure, match=said):
        action.run(task_vars={"inventory_hostname": "h1"})


def test_a_host_that_another_one_asks_for_goes_by_its_own_name() -> None:
    action = Action(answer("teleport: {}"))
    action._task.delegate_to = "a1"
    assert action.run(task_vars={"inventory_hostname": "h1"})["instance"]["host"] == "a1"
