# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills an upgrade at each of its steps, runs the same command again, and prints how each case ended.

A case is good when the second run ends well and the hosts, the cluster and its witnesses have nothing to object to.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from cases import DIE, FIRST, OFF, ORPHAN, POWER, TASK, Case, all_cases
from processes import kill_tree
from rig import HOSTS, Rig, read_lines

#: Seconds after which a run hangs; beside others on one machine it may take ten times its usual half a minute.
LIMIT = 900.0
HEAD = "| who dies | where | at | status | found then | after the second run | s |\n|---|---|---|---|---|---|---|"


class Row(NamedTuple):
    """How a case ended. *first* is the exit status of the killed run, *state* what the host looked like then."""

    case: Case
    first: int | None
    state: str
    second: int | None
    faults: list[str]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether the second run ended well, and with nothing to object to."""
        return self.second == 0 and not self.faults

    def line(self) -> str:
        """As the matrix shows it."""
        outcome = "at the target" if self.good else "FAILED: " + ("; ".join(self.faults) or f"status {self.second}")
        return f"| {self.case.name} | {self.first} | {self.state} | {outcome} | {self.seconds:.0f} |"


def main() -> int:
    """Run the matrix, or a part of it; the status is 1 when a case failed."""
    options = _parse()
    rig = Rig(options.lab, options.folder)
    rig.down()
    rig.up()
    try:
        rows = _run(rig, options)
    finally:
        rig.down()
    (options.folder / "matrix.json").write_text(json.dumps([row._asdict() for row in rows], indent=1), encoding="utf-8")
    bad = sum(not row.good for row in rows)
    print(f"{len(rows) - bad} passed, {bad} failed", flush=True)
    return 1 if bad or not rows else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", default="killmatrix", help="name of the lab")
    parser.add_argument("--folder", type=Path, help="receives all logs and matrix.json")
    parser.add_argument("--seconds", type=float, help="only the most telling cases, as many as begin in this time")
    parser.add_argument("--share", default="1/1", help="2/3: the second of three parts, to run several labs at once")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--after", type=int, default=0, help="leave out as many cases, which ran before")
    options = parser.parse_args()
    options.folder = options.folder or Path(os.environ["LOCKSTEP_CACHE"]) / "kill-matrix" / options.lab
    return options


def _run(rig: Rig, options: argparse.Namespace) -> list[Row]:
    cases = list(FIRST) if options.seconds else all_cases(_tasks(rig))
    own, parts = (int(number) for number in options.share.split("/"))
    print(HEAD, flush=True)
    begun = time.monotonic()
    rows: list[Row] = []
    for number, case in enumerate(cases):
        if number < options.after or number % parts != own - 1 or options.only not in case.name:
            continue
        if rows and options.seconds and time.monotonic() - begun > options.seconds:
            break
        rows.append(_try(rig, case, f"case{number:03d}"))
        print(rows[-1].line(), flush=True)
    return rows


def _tasks(rig: Rig) -> list[Any]:
    """The tasks of an undisturbed run."""
    path = rig.folder / "tasks.jsonl"
    path.unlink(missing_ok=True)
    run = rig.start("undisturbed", LOCKSTEP_TASKS=str(path))
    if _end(run) != 0 or rig.judge():
        raise RuntimeError(f"the undisturbed run failed, see {rig.folder}/undisturbed.log")
    return read_lines(path)


def _try(rig: Rig, case: Case, log: str) -> Row:
    begun = time.monotonic()
    rig.lab("reset", "--knobs", json.dumps(case.knobs))
    state, first = _kill(rig, case, log)
    for host in HOSTS if case.knobs else ():
        rig.shell(host, "echo '{}' > /etc/teleport-double.json")
    rig.disarm()
    second = _end(rig.start(f"{log}-again"))
    faults = (
        rig.judge(bool(case.knobs)) if second == 0 else [f"the second run ended with {second}, see {log}-again.log"]
    )
    if case.how != TASK and state == "":
        faults.append("nothing came to the point")
    return Row(case, first, state, second, faults, time.monotonic() - begun)


def _kill(rig: Rig, case: Case, log: str) -> tuple[str, int | None]:
    """Run into the death of a case; return what the host looked like then, and how the run ended."""
    if case.how == TASK:
        run = rig.start(log, LOCKSTEP_KILL_AT=str(case.task))
        first = _end(run)
        rig.kill_connections()
        return "", first
    rig.arm(case.host, case.point, "die" if case.how == DIE else "freeze")
    run = rig.start(log)
    pid = rig.wait_for_hit(case.host, run)
    if not pid:
        return "", _end(run)
    if case.how == ORPHAN:
        kill_tree(run.pid)
        run.wait()
        rig.kill_connections()
        state = rig.state(case.host)
        rig.shell(case.host, f"kill -CONT {pid}")
        return state, run.returncode
    if case.how in (POWER, OFF):
        rig.lab("kill", case.host)
    if case.how == POWER:
        rig.lab("start", case.host)
    first = _end(run)
    if case.how == OFF:
        rig.lab("start", case.host)
    return rig.state(case.host), first


def _end(run: subprocess.Popen[bytes]) -> int | None:
    """Wait for a run; None when it hangs, and it is killed then."""
    try:
        return run.wait(LIMIT)
    except subprocess.TimeoutExpired:
        kill_tree(run.pid)
        return None


if __name__ == "__main__":
    sys.exit(main())
