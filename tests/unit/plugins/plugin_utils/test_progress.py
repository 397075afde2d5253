# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.progress import Progress, duration

FLEET: list[dict[str, Any]] = [
    {"host": "auth1", "services": ["auth"], "version": "15.5.4"},
    {"host": "proxy1", "services": ["proxy"], "version": "15.5.4"},
    *({"host": f"node{number}", "services": ["agent"], "version": "15.5.4"} for number in range(4)),
]


def plan(**more: Any) -> Any:
    outcome = plan_upgrade({"target_version": "17.7.20", "instances": FLEET, "batches": [1, 3], **more})
    assert not outcome.refused, outcome.message
    return outcome.plan


def test_a_whole_run_is_told_batch_by_batch() -> None:
    progress = Progress(plan(), 0.0)
    lines = [
        progress.finished(stage, host, 10.0 * at)
        for at, (stage, host) in enumerate(
            ((stage, row["host"]) for stage in (0, 1) for row in FLEET),
            start=1,
        )
    ]
    assert lines[0] == (
        "hop 1 of 2 to 16.5.12, stage 1 of 2, Auth Service, batch 1 of 1: 1 of 1 done, 0 failed, 0 waiting;"
        " about 2 min left"
    )
    assert lines[2].startswith("hop 1 of 2 to 16.5.12, stage 1 of 2, agents, batch 1 of 2: 1 of 4 done, 0 failed, 3")
    assert lines[3] == "", "in the middle of a batch, soon after the last line"
    assert lines[-1] == ("hop 2 of 2 to 17.7.20, stage 2 of 2, agents, batch 2 of 2: 4 of 4 done, 0 failed, 0 waiting")
    assert progress.seconds_left() == 0


def test_a_long_batch_is_told_now_and_then() -> None:
    progress = Progress(plan(batches=[4]), 0.0)
    assert progress.finished(0, "node0", 5.0) == ""
    assert "2 of 4 done, 0 failed, 2 waiting" in progress.finished(0, "node1", 40.0)
    assert progress.finished(0, "node2", 41.0) == ""
    assert "4 of 4 done, 0 failed, 0 waiting" in progress.finished(0, "node3", 42.0)


def test_a_failure_is_told_at_once_and_counted() -> None:
    progress = Progress(plan(batches=[4]), 0.0)
    said = progress.finished(0, "node0", 1.0, failed=True)
    assert "0 of 4 done, 1 failed, 3 waiting" in said


@pytest.mark.parametrize(("stage", "host"), [(0, "stranger"), (7, "auth1")])
def test_what_is_not_in_the_plan_is_not_told(stage: int, host: str) -> None:
    assert Progress(plan(), 0.0).finished(stage, host, 1.0) == ""


def test_a_host_counts_once() -> None:
    progress = Progress(plan(), 0.0)
    assert progress.finished(0, "auth1", 1.0)
    assert progress.finished(0, "auth1", 2.0, failed=True) == ""


def test_nothing_is_foretold_before_anything_was_measured() -> None:
    progress = Progress(plan(batches=[4]), 0.0)
    assert progress.seconds_left() is None
    assert "left" not in progress.finished(0, "node0", 1.0, failed=True)


def test_batches_take_as_long_as_those_of_their_phase() -> None:
    progress = Progress(plan(), 0.0)
    progress.finished(0, "auth1", 100.0)
    progress.finished(0, "proxy1", 110.0)
    progress.finished(0, "node0", 120.0)
    # Left are one batch of agents, then auth, proxy and two batches of agents again.
    assert progress.seconds_left() == 10 + 100 + 10 + 10 + 10


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (50, "50 s"), (61, "2 min"), (3600, "1 h 0 min"), (7790, "2 h 10 min")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
