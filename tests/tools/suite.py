# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the steps of a part of the tests, keeps their counts and adds them up.

``suite.py begin PART`` forgets what the part counted before.
``suite.py run PART STEP [--junit FILE] [--limit SECONDS] [--forbid REGEX] [--show REGEX] -- COMMAND…`` runs one
step. Its output goes to a log below ``$LOCKSTEP_CACHE/logs``; the end of it, or of the lines that match ``--show``, is
shown when the step fails. A step counts as one, or as what its JUnit file says.
``suite.py skip PART STEP REASON`` counts a step that cannot run on this machine.
``suite.py fail PART STEP REASON`` counts a step that should have run and could not.
``suite.py all PART…`` runs the make target of every part, whatever the others do, and ends with
``N passed, N failed, N skipped``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import asdict, dataclass
from pathlib import Path

CACHE = Path(os.environ["LOCKSTEP_CACHE"])
HEARTBEAT_SECONDS = 60.0
TAIL_LINES = 60
STEP_LIMIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Counts:
    """How many tests of a step had which outcome."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_junit(text: str) -> Counts:
    """Return the counts of a JUnit report; errors are failures."""
    counts = Counts()
    for suite in ET.fromstring(text).iter("testsuite"):
        bad = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped = int(suite.get("skipped", "0"))
        counts += Counts(int(suite.get("tests", "0")) - bad - skipped, bad, skipped)
    return counts


def judge(returncode: int, junit: str | None, log: str, forbidden: str | None) -> Counts:
    """Return what a finished step counts as.

    A step that reports tests but none, or fails without naming a failed test, has one failure: silence is no success.
    """
    if forbidden and re.search(forbidden, log):
        return Counts(failed=1)
    if junit is None:
        return Counts(passed=1) if returncode == 0 else Counts(failed=1)
    counts = count_junit(junit) if junit else Counts()
    if counts.failed == 0 and (returncode != 0 or counts.passed == 0):
        return counts + Counts(failed=1)
    return counts


def results_file(part: str) -> Path:
    """Return the file that holds one JSON line per step of a part."""
    folder = CACHE / "results"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{part}.jsonl"


def record(part: str, step: str, counts: Counts) -> None:
    """Add the counts of a step to those of its part."""
    with results_file(part).open("a") as results:
        results.write(json.dumps({"step": step, **asdict(counts)}) + "\n")


def total(part: str) -> Counts:
    """Return what all steps of a part counted so far."""
    counts = Counts()
    if results_file(part).exists():
        for line in results_file(part).read_text().splitlines():
            row = json.loads(line)
            counts += Counts(row["passed"], row["failed"], row["skipped"])
    return counts


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a step and all it started: politely, so that it can clean up, then for good."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=HEARTBEAT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_audibly(process: subprocess.Popen[bytes], step: str, limit: float) -> int:
    """Wait for a step and say now and then that it is still running; kill its process group at the limit."""
    started = time.monotonic()
    while True:
        try:
            return process.wait(timeout=min(HEARTBEAT_SECONDS, limit))
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
            print(f"  …  {step} has been running for {elapsed:.0f} s", flush=True)
            if elapsed >= limit:
                print(f"  …  {step} is stopped: its limit is {limit:.0f} s", flush=True)
                stop(process)
                return process.returncode or 1


def end_of(log: Path, text: str, pattern: str | None) -> str:
    """Return the end of a log, or of those lines of it that tell the cause, for people to read."""
    lines = [line for line in text.splitlines() if not pattern or re.search(pattern, line)]
    return "\n".join([f"----- end of {log}", *lines[-TAIL_LINES:], "-----", ""])


def run_step(options: argparse.Namespace) -> int:
    """Run one step, show and record how it ended; return 1 when it failed."""
    name = re.sub(r"[^\w.-]+", "-", f"{options.part}-{options.step}")
    log = CACHE / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    if options.junit:
        options.junit.unlink(missing_ok=True)
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            options.command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            returncode = wait_audibly(process, options.step, options.limit)
        except KeyboardInterrupt:
            stop(process)
            raise
    text = log.read_text(errors="replace")
    junit = None
    if options.junit:
        junit = options.junit.read_text() if options.junit.exists() else ""
    counts = judge(returncode, junit, text, options.forbid)
    record(options.part, options.step, counts)
    evidence = end_of(log, text, options.show) if counts.failed else ""
    outcome = "FAIL" if counts.failed else "ok"
    took = time.monotonic() - started
    # At once, so that steps that run side by side do not mix their lines.
    print(f"{evidence}  {outcome:<4} {options.part}: {options.step} ({counts}; {took:.1f} s)", flush=True)
    return 1 if counts.failed else 0


def run_all(parts: list[str]) -> int:
    """Run the make target of every part and print the closing line; return 1 when anything failed."""
    started = time.monotonic()
    everything = Counts()
    for part in parts:
        print(f"== {part}", flush=True)
        results_file(part).unlink(missing_ok=True)
        returncode = subprocess.run(["make", "--silent", "--no-print-directory", part], check=False).returncode
        counts = total(part)
        if returncode != 0 and counts.failed == 0:
            print(f"  FAIL {part}: make {part} ended with {returncode} and named no failed step", flush=True)
            counts += Counts(failed=1)
        everything += counts
    print(f"== all parts, {time.monotonic() - started:.0f} s")
    print(everything, flush=True)
    return 1 if everything.failed or not everything.passed else 0


def parse() -> argparse.Namespace:
    """Return the command line; what follows ``--`` is the command of a step."""
    parser = argparse.ArgumentParser(description="Runs and counts the tests.")
    actions = parser.add_subparsers(dest="action", required=True)
    begin = actions.add_parser("begin")
    begin.add_argument("part")
    run = actions.add_parser("run")
    run.add_argument("part")
    run.add_argument("step")
    run.add_argument("--junit", type=Path)
    run.add_argument("--limit", type=float, default=STEP_LIMIT_SECONDS)
    run.add_argument("--forbid")
    run.add_argument("--show")
    for name in ("skip", "fail"):
        action = actions.add_parser(name)
        action.add_argument("part")
        action.add_argument("step")
        action.add_argument("reason")
    everything = actions.add_parser("all")
    everything.add_argument("parts", nargs="+")
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:cut])
    options.command = sys.argv[cut + 1 :]
    return options


def main() -> int:
    # A step has a session of its own, so whoever ends this program must reach it through here.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse()
    if options.action == "begin":
        results_file(options.part).unlink(missing_ok=True)
        return 0
    if options.action == "run":
        return run_step(options)
    if options.action == "all":
        return run_all(options.parts)
    failed = options.action == "fail"
    record(options.part, options.step, Counts(failed=1) if failed else Counts(skipped=1))
    print(f"  {'FAIL' if failed else 'SKIP'} {options.part}: {options.step}: {options.reason}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("  stopped")
