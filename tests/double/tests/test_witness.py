# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge over written-down events, without any process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import witness

ETCD = "etcd:https://h8:2379/teleport"


def event(at: float, host: str, name: str, version: str, **more: Any) -> witness.Event:
    """An event of process 7 on a host."""
    facts = {"backend": ETCD, "cluster": "main", "version": version, "pid": 7}
    return {"at": at, "host": host, "event": name, **facts, **more}


def served(host: str, version: str, begin: float, end: float, **more: Any) -> list[witness.Event]:
    """Events of an auth that served from ``begin`` to ``end``."""
    return [event(begin, host, "auth_serving", version, **more), event(end, host, "auth_stopped", version, **more)]


def judged(*groups: list[witness.Event]) -> witness.Report:
    """The report over some groups of events."""
    return witness.judge(sorted((e for group in groups for e in group), key=lambda e: float(e["at"])))


def test_one_after_the_other_is_no_overlap_but_an_outage() -> None:
    report = judged(served("h1", "7.3.21", 10, 20), served("h1", "8.3.17", 23, 30))
    assert report.violations == {}
    assert report.outages == [{"cluster": "main", "begin": 20, "end": 23, "seconds": 3}]


@pytest.mark.parametrize(("second", "differ"), [("8.3.17", True), ("7.3.22", False)])
def test_two_versions_at_the_same_moment_overlap(second: str, differ: bool) -> None:
    report = judged(served("h1", "7.3.21", 10, 20), served("h2", second, 15, 30))
    assert [(o["seconds"], o["lines_differ"]) for o in report.overlaps] == [(5, differ)]
    assert report.outages == []


def test_files_of_the_same_name_on_two_hosts_are_two_backends() -> None:
    own = {"backend": "sqlite:/var/lib/teleport/backend/sqlite.db"}
    assert judged(served("h1", "7.3.21", 10, 20, **own), served("h2", "8.3.17", 15, 30, **own)).overlaps == []


def test_a_killed_auth_ended_at_its_last_sign_of_life() -> None:
    killed = [event(10, "h1", "auth_serving", "7.3.21"), event(14, "h1", "auth_alive", "7.3.21")]
    report = judged(killed, served("h2", "8.3.17", 15, 30))
    assert report.overlaps == []
    assert report.intervals[0].end == 14


def test_everything_that_must_never_happen_is_a_violation() -> None:
    names = ["rejected_peer", "skipped_lines", "downgrade", "data_damage", "refused_start"]
    report = judged([event(float(n), "h1", name, "8.3.17") for n, name in enumerate(names)])
    assert set(report.violations) == set(witness.VIOLATIONS) - {"overlaps"}


def test_reading_leaves_out_the_past_and_a_torn_line(tmp_path: Path) -> None:
    file = tmp_path / "w.jsonl"
    lines = [json.dumps(event(at, "h1", "start", "8.3.17")) for at in (5.0, 1.0, 9.0)]
    file.write_text("\n".join([*lines, '{"at": 1']))
    assert [e["at"] for e in witness.read([file], since=2.0)] == [5.0, 9.0]


def test_strict_tells_by_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "w.jsonl"
    file.write_text(json.dumps(event(1.0, "h1", "downgrade", "8.3.17")) + "\n")
    monkeypatch.setattr("sys.argv", ["witness.py", str(file), "--strict"])
    assert witness.main() == 1
    monkeypatch.setattr("sys.argv", ["witness.py", str(file)])
    assert witness.main() == 0
