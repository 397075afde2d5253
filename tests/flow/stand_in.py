# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for every action that would touch a host, so that plays run as they are and nothing else does.

What happens is scripted by the host's variables: ``answers`` maps an action to what it returns, ``seen`` is the
instance that is observed, ``stand_in_hosts`` has both for hosts that the inventory lacks, and ``script`` maps
``<action> <version or state>`` or ``<action>`` to ``fail``, ``lose`` (the connection), ``pause`` (ask for one) or a
command, as a list, that is run. ``looks`` is what differs from ``seen`` at the first, second … look, or ``lose``; the
last one stands for all that follow. ``proves`` is the process that an upgrade proves. Each call is a line in FLOW_LOG.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

VIEW: dict[str, Any] = {"cluster": "main", "version": None, "instances": [], "rotation_in_progress": False}


class ActionModule(ActionBase):
    """One action of any name."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do as the script says."""
        variables = task_vars or {}
        name = self._task.action.rsplit(".", 1)[-1]
        version = str(self._task.args.get("version") or "")
        host = str(self._task.delegate_to or variables["inventory_hostname"])
        own = dict(variables["hostvars"][host]) if self._task.delegate_to else {}
        variables = {**variables, **own, **(variables.get("stand_in_hosts") or {}).get(host, {})}
        call = {"name": name, "version": version, "host": host, "expect": self._task.args.get("expect")}
        call["state"] = self._task.args.get("state") or "present"
        call["stable_for"] = self._task.args.get("stable_for")
        call["config_edit"] = self._task.args.get("config_edit")
        call["share"] = self._task.args.get("share")
        call["check"] = bool(self._task.check_mode)
        log = Path(os.environ["FLOW_LOG"])
        with log.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(call, default=str) + "\n")
        script = variables.get("script") or {}
        done = None if self._task.check_mode else script.get(f"{name} done")
        fate = done or script.get(f"{name} {version or call['state']}") or script.get(name)
        if fate == "pause":
            Path(str(variables["teleport_pause_file"])).touch()
        if isinstance(fate, list):
            subprocess.run(fate, check=True)
        looks = variables.get("looks") if name == "instance_info" else None
        look = _look(looks, log, host) if looks else {}
        if "lose" in (fate, look):
            raise AnsibleConnectionFailure("the connection is gone")
        result: dict[str, Any] = super().run(tmp, task_vars)
        answers = {
            "instance_info": {"instance": {**variables["seen"], **(look or {})}},
            "cluster_info": {"cluster_view": variables.get("view") or VIEW},
            "instance_upgrade": {"instance_after": {"version": version, "main_pid": variables.get("proves")}},
            "cluster_lock": {"held": True},
        }
        scripted = (variables.get("answers") or {}).get(name, {})
        answer = {} if fate == "fail" else answers.get(name, scripted)
        answer = _hostile(answer)
        return {
            **result,
            **answer,
            "failed": fate == "fail",
            "changed": name == "instance_upgrade",
            "msg": _hostile(variables.get("says") or str(fate)),
        }


def _look(looks: list[Any], log: Path, host: str) -> Any:
    # Another host may be in the middle of the last line.
    whole = log.read_text(encoding="utf-8").rpartition("\n")[0]
    calls = [json.loads(line) for line in whole.splitlines()]
    number = sum(call["name"] == "instance_info" and call["host"] == host for call in calls)
    return looks[min(number, len(looks)) - 1]


def _hostile(answer: Any) -> Any:
    """Put what a hostile host says (FLOW_TEXT) in place of ``@TEXT@``, as data that came over the network."""
    text = json.dumps(os.environ.get("FLOW_TEXT", ""))[1:-1]
    return json.loads(json.dumps(answer, default=str).replace("@TEXT@", text))
