# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the witness files of all hosts: what happened that must never happen.

    python tests/double/witness.py FILE [FILE ...] [--since EPOCH] [--strict]

Prints a JSON report. With ``--strict`` the exit status is 1 when the report holds a violation: overlaps,
rejected_peers, skipped_lines, downgrades, data_damage or refused_starts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

Event = dict[str, Any]
ALIVE_SECONDS = 2.5  # a little more than the time between two signs of life
VIOLATIONS = ("overlaps", "rejected_peers", "skipped_lines", "downgrades", "data_damage", "refused_starts")


@dataclass(frozen=True)
class Interval:
    """One auth process serving one backend; times are seconds since the epoch."""

    backend: str
    cluster: str
    host: str
    pid: int
    version: str
    begin: float
    end: float
    ended: bool = False


@dataclass
class Report:
    """What the witnesses say."""

    overlaps: list[Event] = field(default_factory=list)
    rejected_peers: list[Event] = field(default_factory=list)
    skipped_lines: list[Event] = field(default_factory=list)
    downgrades: list[Event] = field(default_factory=list)
    data_damage: list[Event] = field(default_factory=list)
    refused_starts: list[Event] = field(default_factory=list)
    migrations: list[Event] = field(default_factory=list)
    outages: list[Event] = field(default_factory=list)
    heartbeats_lost: list[Event] = field(default_factory=list)
    failed_exits: list[Event] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    @property
    def violations(self) -> dict[str, list[Event]]:
        """The lists that must be empty, without those that are."""
        return {name: getattr(self, name) for name in VIOLATIONS if getattr(self, name)}


def read(paths: Iterable[Path], since: float = 0.0) -> list[Event]:
    """Events of all files in order of time; a half-written last line is left out."""
    events = []
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event["at"] >= since:
                events.append(event)
    return sorted(events, key=lambda event: float(event["at"]))


def judge(events: Iterable[Event]) -> Report:
    """Everything the tests want to know, from events in order of time."""
    ordered = list(events)
    report = Report(intervals=intervals(ordered))
    lists = {
        "rejected_peer": report.rejected_peers,
        "skipped_lines": report.skipped_lines,
        "downgrade": report.downgrades,
        "data_damage": report.data_damage,
        "refused_start": report.refused_starts,
        "migration": report.migrations,
        "heartbeat_lost": report.heartbeats_lost,
    }
    for event in ordered:
        if event["event"] in lists:
            lists[event["event"]].append(event)
        elif event["event"] == "exit" and event["status"] != 0:
            report.failed_exits.append(event)
    report.overlaps = overlaps(report.intervals)
    report.outages = outages(report.intervals)
    return report


def intervals(events: Iterable[Event]) -> list[Interval]:
    """When each auth process served; a killed one ended at its last sign of life."""
    found: dict[tuple[str, int, float], Interval] = {}
    current: dict[tuple[str, int], tuple[str, int, float]] = {}
    for event in events:
        process = (event["host"], event["pid"])
        if event["event"] == "auth_serving":
            key = (*process, event["at"])
            current[process] = key
            facts = (_shared_name(event), event["cluster"], *process, event["version"])
            found[key] = Interval(*facts, begin=event["at"], end=event["at"])
        elif process in current and event["event"] in ("auth_alive", "auth_stopped", "exit"):
            last = found[current[process]]
            over = event["event"] != "auth_alive"
            found[current[process]] = replace(last, end=event["at"], ended=over)
            if over:
                del current[process]
    return sorted(found.values(), key=lambda interval: interval.begin)


def _shared_name(event: Event) -> str:
    """Files belong to their host; etcd is the same for all."""
    backend = str(event["backend"])
    return backend if backend.startswith("etcd:") else f"{event['host']}:{backend}"


def overlaps(found: list[Interval]) -> list[Event]:
    """Two auths of different versions alive on one backend at the same moment."""
    clashes = []
    for number, first in enumerate(found):
        for second in found[number + 1 :]:
            together = min(first.end, second.end) - max(first.begin, second.begin)
            if first.backend == second.backend and first.version != second.version and together > 0:
                pair = [{"host": one.host, "version": one.version} for one in (first, second)]
                lines = {_line(first.version), _line(second.version)}
                clashes.append(
                    {
                        "backend": first.backend,
                        "auths": pair,
                        "seconds": round(together, 3),
                        "lines_differ": len(lines) > 1,
                    }
                )
    return clashes


def _line(version: str) -> str:
    major, minor = version.split(".")[:2]
    return f"{major}.{minor}" if int(major) < 5 else major


def outages(found: list[Interval]) -> list[Event]:
    """Per cluster the times without any auth between its first and its last."""
    gaps = []
    for cluster in sorted({interval.cluster for interval in found}):
        own = [interval for interval in found if interval.cluster == cluster]
        until = _lasted(own[0])
        for interval in own[1:]:
            if interval.begin > until:
                gap = {"cluster": cluster, "begin": until, "end": interval.begin}
                gaps.append({**gap, "seconds": round(interval.begin - until, 3)})
            until = max(until, _lasted(interval))
    return gaps


def _lasted(interval: Interval) -> float:
    """An auth without an end may have lived on until its next sign of life was due."""
    return interval.end if interval.ended else interval.end + ALIVE_SECONDS


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--since", type=float, default=0.0)
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    report = judge(read(arguments.files, arguments.since))
    json.dump(asdict(report), sys.stdout, indent=2)
    print()
    return 1 if arguments.strict and report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
