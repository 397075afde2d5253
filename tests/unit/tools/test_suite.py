# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing line of a run is believed by everybody, so it is tested like anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

SUITE = ROOT / "tests" / "tools" / "suite.py"
REPORT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def suite(cache: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the tool with a cache of its own."""
    environment = {**os.environ, "LOCKSTEP_CACHE": str(cache)}
    command = [sys.executable, str(SUITE), *arguments]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


def rows(cache: Path, part: str) -> list[dict[str, object]]:
    """Return what was recorded of a part."""
    return [json.loads(line) for line in (cache / "results" / f"{part}.jsonl").read_text().splitlines()]


def reporting(cache: Path, report: str, ending: int) -> subprocess.CompletedProcess[str]:
    """Run a step that writes a JUnit report and ends with a return code."""
    file = cache / "report.xml"
    program = f"import pathlib; pathlib.Path({str(file)!r}).write_text({report!r}); raise SystemExit({ending})"
    return suite(cache, "run", "part", "step", "--junit", str(file), "--", sys.executable, "-c", program)


@pytest.mark.parametrize(
    ("report", "ending", "expected"),
    [
        (REPORT.format(9, 0, 0, 2), 0, (7, 0, 2)),
        (REPORT.format(9, 1, 1, 0), 1, (7, 2, 0)),
        (REPORT.format(9, 0, 0, 0), 3, (9, 1, 0)),  # died after the last test
        (REPORT.format(0, 0, 0, 0), 0, (0, 1, 0)),  # found no test
        (REPORT.format(2, 0, 0, 2), 0, (0, 1, 2)),  # ran no test
    ],
)
def test_reported_tests_are_counted(tmp_path: Path, report: str, ending: int, expected: tuple[int, int, int]) -> None:
    done = reporting(tmp_path, report, ending)
    (row,) = rows(tmp_path, "part")
    assert (row["passed"], row["failed"], row["skipped"]) == expected
    assert done.returncode == (1 if expected[1] else 0)


def test_a_step_that_writes_no_report_has_failed(tmp_path: Path) -> None:
    stale = tmp_path / "report.xml"
    stale.write_text(REPORT.format(9, 0, 0, 0))
    assert suite(tmp_path, "run", "part", "step", "--junit", str(stale), "--", "true").returncode == 1


def test_a_failing_step_shows_the_end_of_its_output(tmp_path: Path) -> None:
    done = suite(tmp_path, "run", "part", "step", "--", "sh", "-c", "echo the cause; exit 4")
    assert done.returncode == 1
    assert "the cause" in done.stdout
    assert rows(tmp_path, "part") == [{"step": "step", "passed": 0, "failed": 1, "skipped": 0}]


def test_forbidden_output_fails_a_step_that_ended_well(tmp_path: Path) -> None:
    command = ("--forbid", "Skipping .* Python 3", "--", "echo", "Skipping import on Python 3.11")
    assert suite(tmp_path, "run", "part", "step", *command).returncode == 1


def test_a_step_beyond_its_limit_is_stopped(tmp_path: Path) -> None:
    done = suite(tmp_path, "run", "part", "step", "--limit", "0.2", "--", "sleep", "600")
    assert done.returncode == 1
    assert "its limit is" in done.stdout


def test_ending_the_tool_ends_the_step(tmp_path: Path) -> None:
    started = tmp_path / "started"
    command = [sys.executable, str(SUITE), "run", "part", "step", "--", "sh", "-c", f"echo $$ > {started}; sleep 600"]
    tool = subprocess.Popen(command, env={**os.environ, "LOCKSTEP_CACHE": str(tmp_path)}, stderr=subprocess.DEVNULL)
    while not (started.exists() and started.read_text().strip()):
        assert tool.poll() is None
        time.sleep(0.05)
    tool.terminate()
    assert tool.wait(timeout=30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a part that passes, one that fails, and one that fails without saying what."""
    step = f"@{sys.executable} {SUITE}"
    lines = [
        f"good:\n\t{step} run good one -- true\n\t{step} skip good two 'not here'",
        f"bad:\n\t{step} run bad one -- false",
        "mute:\n\t@exit 7",
    ]
    (tmp_path / "Makefile").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("parts", "closing", "ending"),
    [
        (["good"], "1 passed, 0 failed, 1 skipped", 0),
        (["bad", "good"], "1 passed, 1 failed, 1 skipped", 1),
        (["mute", "good"], "1 passed, 1 failed, 1 skipped", 1),
        (["unknown"], "0 passed, 1 failed, 0 skipped", 1),
    ],
)
def test_the_last_line_counts_every_part(project: Path, parts: list[str], closing: str, ending: int) -> None:
    done = suite(project / "cache", "all", *parts, cwd=project)
    assert done.stdout.splitlines()[-1] == closing
    assert done.returncode == ending


def test_an_earlier_run_is_forgotten(project: Path) -> None:
    cache = project / "cache"
    suite(cache, "all", "good", cwd=project)
    assert suite(cache, "all", "good", cwd=project).stdout.splitlines()[-1] == "1 passed, 0 failed, 1 skipped"
