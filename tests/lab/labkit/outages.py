# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outages out of polls: pure functions over what the probe wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .errors import LabError


@dataclass(frozen=True)
class Poll:
    """One question to one target: when it was asked (epoch, s), how long the answer took (s), whether it was good."""

    target: str
    at: float
    took: float
    ok: bool
    detail: str


@dataclass(frozen=True)
class Outage:
    """From the moment the first failed poll was asked to the moment the next good one was answered (epoch, s).

    ``open`` outages had not ended when the probe did; they end with its last poll.
    """

    start: float
    end: float
    open: bool
    detail: str

    @property
    def seconds(self) -> float:
        return self.end - self.start


def read_polls(lines: Iterable[str]) -> list[Poll]:
    """The polls of a JSON-lines file. Raises LabError with the number of a line that is not one."""
    polls = []
    for number, line in enumerate(lines, start=1):
        try:
            polls.append(Poll(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise LabError(f"line {number}: not a poll of the probe: {error}") from error
    return polls


def outages(polls: Iterable[Poll]) -> dict[str, list[Outage]]:
    """All outages of each target, in the order of time; targets that never failed have an empty list."""
    by_target: dict[str, list[Poll]] = {}
    for poll in sorted(polls, key=lambda one: one.at):
        by_target.setdefault(poll.target, []).append(poll)
    return {target: _of_one_target(found) for target, found in sorted(by_target.items())}


def _of_one_target(polls: Sequence[Poll]) -> list[Outage]:
    found = []
    first: Poll | None = None
    for poll in polls:
        if not poll.ok:
            first = first or poll
        elif first:
            found.append(Outage(first.at, poll.at + poll.took, open=False, detail=first.detail))
            first = None
    if first:
        found.append(Outage(first.at, polls[-1].at + polls[-1].took, open=True, detail=first.detail))
    return found


def common(of_each: Sequence[Sequence[Outage]]) -> list[Outage]:
    """When all of several targets were out at once: the outages of the group they form."""
    if not of_each:
        return []
    shared = list(of_each[0])
    for other in of_each[1:]:
        shared = [both for one in shared for two in other if (both := _overlap(one, two))]
    return shared


def _overlap(one: Outage, two: Outage) -> Outage | None:
    start, end = max(one.start, two.start), min(one.end, two.end)
    return Outage(start, end, open=one.open and two.open, detail=two.detail) if start < end else None


def summarise(polls: Sequence[Poll], groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What an assertion needs, per target and per group of targets (out when all of its targets are).

    ``{name: {polls, failed, outages: [{start, end, seconds, open, detail}], longest, total}}``; times in s. ``polls``
    and ``failed`` count the polls of all targets of a group.
    """
    found = outages(polls)
    of_groups = {name: common([found[one] for one in members if one in found]) for name, members in groups.items()}
    members_of = {**{target: [target] for target in found}, **groups}
    return {
        name: _summary(list_of, [poll for poll in polls if poll.target in members_of[name]])
        for name, list_of in {**found, **of_groups}.items()
    }


def _summary(found: Sequence[Outage], polls: Sequence[Poll]) -> dict[str, Any]:
    lengths = [outage.seconds for outage in found]
    return {
        "polls": len(polls),
        "failed": sum(not poll.ok for poll in polls),
        "outages": [{**asdict(outage), "seconds": round(outage.seconds, 3)} for outage in found],
        "longest": round(max(lengths, default=0.0), 3),
        "total": round(sum(lengths), 3),
    }
