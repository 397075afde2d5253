# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps an instance from being what is wanted, judged from one look, and how often is looked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import liveness, readiness, service
from ansible_collections.lockstep.teleport.plugins.module_utils.liveness import Goal, Look, shortcoming
from ansible_collections.lockstep.teleport.plugins.module_utils.readiness import parse_answer
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost, program

GOAL = Goal("teleport.service", "18.9.2")
UNIT = service.parse_unit("teleport.service", "ActiveState=active\nSubState=running\nMainPID=4711\n")


@pytest.mark.parametrize(
    ("body", "numbers", "expected"),
    [
        ('{"status":"ok"}', (4711,), ""),
        ('{"status":"ok","pid":4711}', (4711,), ""),
        # The unit has a namespace of processes of its own.
        ('{"status":"ok","pid":1}', (4711, 1), ""),
        # A process that was left over serves the port that the unit's own would have.
        ('{"status":"ok","pid":4242}', (4711,), "diag is answered by process 4242 instead of 4711"),
        ('{"status":"ok","pid":1}', (4711,), "diag is answered by process 1 instead of 4711"),
    ],
)
def test_who_answers_is_compared_with_who_runs(body: str, numbers: tuple[int, ...], expected: str) -> None:
    answer = parse_answer("diag", 200, body.encode())
    assert shortcoming(Look(UNIT, GOAL.version, answer, (), None, numbers), GOAL) == expected


def test_what_is_not_ready_is_said_first() -> None:
    answer = parse_answer("diag", 503, b'{"status":"degraded","pid":4242}')
    assert shortcoming(Look(UNIT, GOAL.version, answer, ()), GOAL) == "diag answers 503: degraded"


def test_what_comes_up_is_looked_at_often_and_what_is_up_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeHost(tmp_path)
    program(fake.bin_dir / "teleport", GOAL.version)
    monkeypatch.setattr(readiness, "probe", fake.probe)
    fake.not_ready_until = fake.now + 0.5
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(round(seconds, 3))
        fake.sleep(seconds)

    liveness.start(dataclasses.replace(fake.host, sleep=sleep), GOAL, 60, 2.5)
    assert pauses == [0.2, 0.2, 0.2, 1.0, 1.0, 0.5]
