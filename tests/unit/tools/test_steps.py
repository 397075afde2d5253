# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that run side by side are counted as those that run one after the other."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ENV = Path(__file__).parents[2] / "tools" / "env.sh"


def run_part(cache: Path, jobs: str, script: str) -> subprocess.CompletedProcess[str]:
    text = f'part=trial\n. "{ENV}"\nsuite begin "$part"\ncd "$LOCKSTEP_CACHE"\n{script}\nfinish\n'
    return subprocess.run(
        ["bash", "-c", text],
        env={**os.environ, "LOCKSTEP_CACHE": str(cache), "JOBS": jobs},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def outcomes(cache: Path) -> dict[str, int]:
    rows = [json.loads(line) for line in (cache / "results" / "trial.jsonl").read_text().splitlines()]
    return {row["step"]: row["failed"] for row in rows}


def test_one_that_fails_beside_others_fails_the_part(tmp_path: Path) -> None:
    ended = run_part(
        tmp_path,
        "2",
        "step_beside one -- true\nstep_beside two -- bash -c 'echo why; exit 3'\nstep_beside three -- true",
    )
    assert ended.returncode == 1
    assert outcomes(tmp_path) == {"one": 0, "two": 1, "three": 0}
    assert "why" in ended.stdout


def test_all_that_pass_pass_the_part(tmp_path: Path) -> None:
    ended = run_part(tmp_path, "2", "for n in 1 2 3 4 5; do step_beside $n -- true; done")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(outcomes(tmp_path)) == 5


MEETING = "touch $0; for i in $(seq 100); do [ -e $1 ] && exit 0; sleep 0.1; done; exit 1"


def test_two_jobs_run_at_once(tmp_path: Path) -> None:
    ended = run_part(
        tmp_path, "2", f"step_beside a -- bash -c '{MEETING}' a b\nstep_beside b -- bash -c '{MEETING}' b a"
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


ALONE = "mkdir busy && sleep 0.3 && rmdir busy"


def test_one_job_runs_alone(tmp_path: Path) -> None:
    ended = run_part(tmp_path, "1", f"for n in 1 2 3; do step_beside $n -- bash -c '{ALONE}'; done")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_number_of_jobs_that_is_none_is_refused(tmp_path: Path) -> None:
    ended = run_part(tmp_path, "many", "")
    assert ended.returncode == 2
    assert "JOBS is 'many'; allowed is a number from 1 on" in ended.stderr
