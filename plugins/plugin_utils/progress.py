# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run has come on its plan, and when it will be done. Pure: times come in as seconds of any one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: Within a batch, how many seconds may pass in silence before the next finished host is told.
QUIET_SECONDS = 30.0

_SERVICES = {"auth": "Auth Service", "proxy": "Proxy Service", "agent": "agents", "client": "client tools"}
_MINUTE = 60.0
_HOUR = 3600.0


class Batch(NamedTuple):
    """What is done together: a batch of one phase of one stage."""

    stage: int
    phase: str
    number: int


@dataclass
class Progress:
    """Follows one run. *plan* is the plan of ``upgrade_plan``; *now* is when the first stage may begin."""

    plan: Mapping[str, Any]
    now: float
    _open: dict[Batch, set[str]] = field(init=False)
    _of_host: dict[tuple[int, str], Batch] = field(init=False)
    _sizes: dict[tuple[int, str], int] = field(init=False)
    _failed: set[tuple[int, str]] = field(init=False, default_factory=set)
    _took: dict[str, list[float]] = field(init=False, default_factory=dict)
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the batches in their order."""
        self._open, self._of_host, self._sizes, self._told = {}, {}, {}, self.now
        for stage in self.plan["stages"]:
            for step in stage["steps"]:
                batch = Batch(stage["index"], step["phase"], step["batch"])
                self._open.setdefault(batch, set()).add(step["host"])
                self._of_host[stage["index"], step["host"]] = batch
                key = (stage["index"], step["phase"])
                self._sizes[key] = self._sizes.get(key, 0) + 1

    def finished(self, stage: int, host: str, now: float, *, failed: bool = False) -> str:
        """Take note that *host* is done in *stage*; return a line to show, or nothing.

        A batch that ends is always told, a failure as well; within a batch one host in `QUIET_SECONDS`.
        """
        batch = self._of_host.get((stage, host))
        waiting = self._open.get(batch) if batch else None
        if batch is None or waiting is None or host not in waiting:
            return ""
        waiting.discard(host)
        if failed:
            self._failed.add((stage, host))
        if not waiting:
            del self._open[batch]
            self._took.setdefault(batch.phase, []).append(now - self.now)
            self.now = now
        elif not failed and now - self._told < QUIET_SECONDS:
            return ""
        self._told = now
        return self._line(batch)

    def seconds_left(self) -> float | None:
        """Return how long the rest of the plan will take at the pace so far; None before anything was measured.

        A batch takes as long as those of its phase took on average, else as those of all phases.
        """
        everything = [seconds for phase in self._took.values() for seconds in phase]
        if not everything:
            return None
        return sum(_mean(self._took.get(batch.phase) or everything) for batch in self._open)

    def _line(self, batch: Batch) -> str:
        stage = self.plan["stages"][batch.stage]
        hops, stages = self.plan["hops"], self.plan["stages"]
        numbers = sorted({step["batch"] for step in stage["steps"] if step["phase"] == batch.phase})
        hop = f"hop {stage['hop'] + 1} of {len(hops)} to {hops[stage['hop']]['to']}"
        return (
            f"{hop}, stage {batch.stage + 1} of {len(stages)}, {_SERVICES[batch.phase]}, "
            f"batch {numbers.index(batch.number) + 1} of {len(numbers)}: {self._counts(batch)}{self._outlook()}"
        )

    def _counts(self, batch: Batch) -> str:
        total = self._sizes[batch.stage, batch.phase]
        same_phase = (key for key in self._open if (key.stage, key.phase) == (batch.stage, batch.phase))
        waiting = sum(len(self._open[key]) for key in same_phase)
        of_phase = (self._of_host[key] for key in self._failed)
        failed = sum((one.stage, one.phase) == (batch.stage, batch.phase) for one in of_phase)
        return f"{total - waiting - failed} of {total} done, {failed} failed, {waiting} waiting"

    def _outlook(self) -> str:
        left = self.seconds_left()
        if not self._open or left is None:
            return ""
        return f"; about {duration(left)} left"


def duration(seconds: float) -> str:
    """Say a length of time as people do, rounded up: ``50 s``, ``4 min``, ``2 h 10 min``."""
    if seconds < _MINUTE:
        return f"{max(1, round(seconds))} s"
    minutes = int(-(-seconds // _MINUTE))
    if seconds < _HOUR:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
