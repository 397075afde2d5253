# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the gate's patience: when it looks again, when it stops, and what it returns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.action import cluster_gate
from ansible_collections.lockstep.teleport.plugins.action.cluster_gate import ActionModule

INSTANCE = {"host": "auth-1", "bin_dir": "/usr/local/bin", "config": {"path": "/etc/teleport.yaml"}}


def view(version: str, pins: tuple[str, ...] = ("sha256:00",)) -> dict[str, Any]:
    return {"cluster": "north", "version": version, "ca_pins": list(pins), "authorities": [], "instances": [],
            "remote_clusters": [], "trusted_clusters": [], "observed_at": "2026-11-22T20:00:00Z"}  # fmt: skip


class Gate:
    """The action with a clock of its own and prepared answers; the last one is repeated."""

    def __init__(
        self, *answers: dict[str, Any], check_mode: bool = False, seconds_per_look: float = 0.5, **arguments: Any
    ) -> None:
        given = {"instance": INSTANCE, **arguments}
        action: Any = ActionModule
        task = SimpleNamespace(args=given, check_mode=check_mode, async_val=0, diff=False, action="cluster_gate")
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
        self.action = action(task, connection, SimpleNamespace(check_mode=check_mode), None, None, None)
        self.now = 100.0
        self.asked: list[dict[str, Any]] = []
        self.slept: list[float] = []
        self.answers = list(answers)
        self.seconds_per_look = seconds_per_look
        self.action.clock = lambda: self.now
        self.action.sleep = self._sleep
        self.action._execute_module = self._execute

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def _execute(self, **keywords: Any) -> dict[str, Any]:
        self.asked.append(keywords)
        self.now += self.seconds_per_look
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def run(self) -> dict[str, Any]:
        result: dict[str, Any] = self.action.run(task_vars={})
        return result


GOOD = {"cluster_view": view("17.7.20")}
OLD = {"cluster_view": view("16.5.13")}
SILENT = {"failed": True, "msg": "tctl status failed (1): connection refused"}
EXPECT = {"version": "17.7.20"}


def test_a_good_cluster_passes_at_the_first_look_without_a_pause() -> None:
    gate = Gate(GOOD, expect=EXPECT)
    result = gate.run()
    assert not result["failed"]
    assert (result["looks"], gate.slept, result["findings"], result["changed"]) == (1, [], [], False)
    assert result["seen"]["version"] == "17.7.20"
    assert gate.asked[0]["module_args"] == {"instance": INSTANCE, "timeout": 30, "attempts": 1}


def test_it_waits_for_what_time_cures() -> None:
    gate = Gate(SILENT, OLD, GOOD, expect=EXPECT)
    result = gate.run()
    assert not result["failed"]
    assert (result["looks"], gate.slept) == (3, [1.0, 2.0])


def test_it_waits_longer_from_look_to_look_up_to_the_interval() -> None:
    gate = Gate(OLD, expect=EXPECT, patience=21, seconds_per_look=0.0, interval=6)
    gate.run()
    assert gate.slept == [1.0, 2.0, 4.0, 6.0, 6.0, 2.0]


def test_patience_ends_and_everything_is_told() -> None:
    gate = Gate(OLD, expect={**EXPECT, "agents_at_least": 1}, patience=20)
    result = gate.run()
    assert result["failed"]
    assert [finding["code"] for finding in result["findings"]] == ["gate-version", "gate-agents"]
    assert "[gate-version]" in result["msg"]
    assert "[gate-agents]" in result["msg"]
    assert 20 <= result["waited"] < 26


def test_the_default_outlasts_the_blip_of_75_seconds() -> None:
    gate = Gate(OLD, expect=EXPECT)
    assert gate.run()["waited"] >= 90


def test_what_no_waiting_cures_fails_at_once() -> None:
    gate = Gate(GOOD, expect={"ca_pins": ["sha256:ff"]})
    result = gate.run()
    assert result["failed"]
    assert (result["looks"], gate.slept) == (1, [])


def test_a_cluster_that_stays_silent_is_a_finding_with_its_reason() -> None:
    result = Gate(SILENT, expect=EXPECT, patience=10).run()
    assert [finding["code"] for finding in result["findings"]] == ["gate-silent"]
    assert "connection refused" in result["msg"]
    assert result["seen"] is None


@pytest.mark.parametrize(("answer", "failed"), [(GOOD, False), (OLD, True)])
def test_check_mode_judges_what_is_there_now(answer: Any, failed: Any) -> None:
    gate = Gate(answer, expect=EXPECT, check_mode=True)
    assert gate.run()["failed"] is failed
    assert len(gate.asked) == 1


def test_a_misspelt_expectation_fails_before_anyone_is_asked() -> None:
    gate = Gate(GOOD, expect={"verison": "17.7.20"})
    result = gate.run()
    assert result["failed"]
    assert "expect.verison is not known" in result["msg"]
    assert gate.asked == []


def agents(*hosts: str) -> dict[str, Any]:
    listed = [
        {"id": host, "host": host, "services": ["agent"], "version": "17.7.20", "expires": None, "address": ""}
        for host in hosts
    ]
    return {"cluster_view": {**view("17.7.20"), "instances": listed}}


BEFORE = agents("n1", "n2")["cluster_view"]


def test_agents_that_only_have_to_reconnect_get_more_time() -> None:
    gate = Gate(
        *[agents("n1")] * 12, agents("n1", "n2"), expect={"before": BEFORE}, patience=20, reconnect_patience=600
    )
    result = gate.run()
    assert not result["failed"]
    assert result["waited"] > 20


def test_the_patience_for_agents_ends_as_well() -> None:
    result = Gate(agents("n1"), expect={"before": BEFORE}, patience=20, reconnect_patience=100).run()
    assert result["failed"]
    assert 100 <= result["waited"] < 110
    assert "gate-lost" in result["msg"]


def test_whatever_else_is_wrong_gets_no_more_time_than_before() -> None:
    gate = Gate(OLD, expect={**EXPECT, "before": BEFORE}, patience=20, reconnect_patience=600)
    assert gate.run()["waited"] < 30


def test_whoever_watches_is_told_what_the_gate_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(cluster_gate.display, "display", told.append)
    Gate(agents("n1"), expect={"before": BEFORE}, patience=20, reconnect_patience=100).run()
    assert len(told) == 3
    assert told[0].startswith("The gate of north waits, 3")
    assert "of 100 s: 1 instances were connected before and are gone: n2." in told[0]


def test_a_gate_that_opens_soon_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(cluster_gate.display, "display", told.append)
    Gate(OLD, GOOD, expect=EXPECT).run()
    assert told == []
