# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outages are what a client could have noticed: from the first question that failed to the next good answer."""

from __future__ import annotations

import json

import pytest

from ansible_collections.lockstep.teleport.tests.lab.labkit.errors import LabError
from ansible_collections.lockstep.teleport.tests.lab.labkit.outages import (
    Outage,
    Poll,
    common,
    outages,
    read_polls,
    summarise,
)


def polls(target: str, pattern: str, took: float = 0.1, start: float = 100.0) -> list[Poll]:
    """One poll a second: '+' is a good one, '-' a failed one."""
    return [
        Poll(target, start + second, took, mark == "+", "200" if mark == "+" else "refused")
        for second, mark in enumerate(pattern)
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("+++", []),
        ("", []),
        ("+--+", [(101.0, 103.1, False)]),
        ("-+-+", [(100.0, 101.1, False), (102.0, 103.1, False)]),
        ("+--", [(101.0, 102.1, True)]),
        ("-", [(100.0, 100.1, True)]),
    ],
)
def test_outages(pattern: str, expected: list[tuple[float, float, bool]]) -> None:
    found = outages(polls("a", pattern)).get("a", [])
    assert [(one.start, round(one.end, 6), one.open) for one in found] == expected


def test_polls_are_taken_in_the_order_of_time() -> None:
    assert outages(reversed(polls("a", "+-+")))["a"] == [Outage(101.0, 102.1, open=False, detail="refused")]


def test_targets_are_apart() -> None:
    found = outages(polls("a", "+-+") + polls("b", "+++"))
    assert len(found["a"]) == 1
    assert found["b"] == []


def test_a_group_is_out_when_all_of_it_is() -> None:
    found = outages(polls("a", "+---+") + polls("b", "--+--"))
    shared = common([found["a"], found["b"]])
    assert [(one.start, round(one.end, 6)) for one in shared] == [(101.0, 102.1), (103.0, 104.1)]


def test_a_group_of_one_is_that_one() -> None:
    found = outages(polls("a", "-+"))["a"]
    assert common([found]) == found
    assert common([]) == []


def test_a_group_with_one_healthy_member_is_never_out() -> None:
    found = outages(polls("a", "---") + polls("b", "+++"))
    assert common([found["a"], found["b"]]) == []


def test_summary_of_targets_and_groups() -> None:
    recorded = polls("auth:a", "+--+") + polls("auth:b", "+-++")
    summary = summarise(recorded, {"auth@c": ["auth:a", "auth:b"]})
    assert summary["auth:a"]["longest"] == pytest.approx(2.1)
    assert (summary["auth:a"]["polls"], summary["auth:a"]["failed"]) == (4, 2)
    assert summary["auth@c"]["total"] == pytest.approx(1.1)
    assert (summary["auth@c"]["polls"], summary["auth@c"]["failed"]) == (8, 3)
    assert summary["auth:b"]["outages"][0]["detail"] == "refused"
    assert json.loads(json.dumps(summary)) == summary


def test_a_broken_recording_is_refused_by_line() -> None:
    good = json.dumps({"target": "a", "at": 1.0, "took": 0.1, "ok": True, "detail": ""})
    assert read_polls([good])[0].target == "a"
    with pytest.raises(LabError, match="line 2: not a poll"):
        read_polls([good, '{"target": "a"'])
    with pytest.raises(LabError, match="line 1: not a poll"):
        read_polls(['{"other": 1}'])
