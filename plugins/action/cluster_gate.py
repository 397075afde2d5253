# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a cluster again and again until it shows what is expected, or until patience runs out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.lockstep.teleport.plugins.plugin_utils import gate
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.gate_expectation import (
    Expectation,
    ExpectationError,
    read,
)

_MODULE = "lockstep.teleport.cluster_info"
_PATIENCE = 90.0
#: Seconds before the second look, doubled from look to look up to the interval: most gates open within a moment.
_FIRST_WAIT = 1.0
#: Seconds after which whoever watches the run is told again what it waits for.
_TOLD_EVERY = 30.0

display = Display()


class ActionModule(ActionBase):
    """Judges on the controller what ``cluster_info`` saw on the auth host."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    #: Replaced in tests.
    clock: Callable[[], float] = staticmethod(time.monotonic)
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a pass, or a failure with all findings of the last look."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, arguments = self.validate_argument_spec(
            argument_spec={
                "instance": {"type": "dict", "required": True},
                "expect": {"type": "dict", "default": {}},
                "patience": {"type": "float", "default": _PATIENCE},
                "reconnect_patience": {"type": "float", "default": 0.0},
                "interval": {"type": "float", "default": 5.0},
                "timeout": {"type": "int", "default": 30},
            }
        )
        try:
            expect = read(arguments["expect"])
        except ExpectationError as error:
            return {**result, "failed": True, "changed": False, "msg": str(error)}
        if self._task.check_mode:
            arguments = {**arguments, "patience": 0.0, "reconnect_patience": 0.0}
        return {**result, "changed": False, **self._wait(expect, arguments, task_vars or {})}

    def _wait(self, expect: Expectation, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        began, told = self.clock(), 0.0
        looks = 0
        while True:
            view, findings = self._look(expect, arguments, variables)
            looks += 1
            waited = self.clock() - began
            patience = arguments["patience"]
            if gate.is_reconnecting(findings):
                patience = max(patience, arguments["reconnect_patience"])
            if not findings or gate.is_lasting(findings) or waited >= patience:
                return _outcome(view, findings, waited, looks)
            if waited >= told + _TOLD_EVERY:
                told = waited
                display.display(_progress(findings, waited, patience))
            wait = min(_FIRST_WAIT * 2 ** (looks - 1), arguments["interval"])
            self.sleep(min(wait, max(patience - waited, 0.0)))

    def _look(
        self, expect: Expectation, arguments: Mapping[str, Any], variables: dict[str, Any]
    ) -> tuple[Mapping[str, Any] | None, list[Finding]]:
        # One attempt per look: this loop is the patience, a second one inside would only hide how long it takes.
        answer = self._execute_module(
            module_name=_MODULE,
            module_args={"instance": arguments["instance"], "timeout": arguments["timeout"], "attempts": 1},
            task_vars=variables,
        )
        view = answer.get("cluster_view")
        if not isinstance(view, Mapping):
            reason = str(answer.get("msg") or "cluster_info returned no view")
            return None, [gate.silent(expect.cluster, f"The cluster does not answer: {reason}")]
        return view, gate.judge(expect, view)


def _progress(findings: list[Finding], waited: float, patience: float) -> str:
    more = f" And {len(findings) - 1} more." if len(findings) > 1 else ""
    where = findings[0].cluster or "the cluster"
    return f"The gate of {where} waits, {waited:.0f} of {patience:.0f} s: {findings[0].message}{more}"


def _outcome(view: Mapping[str, Any] | None, findings: list[Finding], waited: float, looks: int) -> dict[str, Any]:
    outcome: dict[str, Any] = {
        "failed": bool(findings),
        "findings": [finding.as_dict() for finding in findings],
        "waited": round(waited, 1),
        "looks": looks,
        "seen": gate.summary(view) if view is not None else None,
    }
    if findings:
        messages = " ".join(f"[{finding.code}] {finding.message} {finding.hint}" for finding in findings)
        outcome["msg"] = f"The gate does not open after {waited:.0f} s: {messages}"
    return outcome
