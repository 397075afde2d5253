# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps an instance from being what is wanted, judged from one look."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import service
from ansible_collections.lockstep.teleport.plugins.module_utils.liveness import Goal, Look, shortcoming
from ansible_collections.lockstep.teleport.plugins.module_utils.readiness import parse_answer

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
