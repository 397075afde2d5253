# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that hang: real processes, asked by a real module."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).with_name("ask_tctl.py")
#: Far below the hour that the program hangs for, far above what two attempts of a second take on a busy machine.
PATIENCE = 60.0

HANGS = {
    "tctl itself": "exec sleep 3600",
    "what it starts": "sleep 3600; echo never",
    "deaf to the first signal": "trap '' TERM; while :; do sleep 1; done",
    "what it leaves behind keeps its output open": "setsid sleep 20 & exec sleep 3600",
}


@pytest.fixture(name="tctl")
def _tctl(tmp_path: Path) -> Path:
    return tmp_path / "tctl"


def write(program: Path, body: str) -> str:
    program.write_text(f"#!/bin/sh\necho $$ >> {program}.pids\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


def ask(program: str) -> dict[str, Any]:
    """Ask a cluster through *program* twice, for a second each, as ``cluster_info`` does for longer."""
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"program": program}})
    command = [sys.executable, str(MODULE), arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=PATIENCE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS)
def test_a_tctl_that_hangs_is_ended_asked_again_and_named(tctl: Path, body: str) -> None:
    program = write(tctl, body)
    begun = time.monotonic()
    answer = ask(program)
    assert answer["said"] == f"{program} status did not answer within 1 s."
    assert time.monotonic() - begun < PATIENCE
    pids = [int(line) for line in Path(f"{program}.pids").read_text(encoding="utf-8").split()]
    assert len(pids) == 2, "asked again once"
    assert not any(lives(pid) for pid in pids)


def test_one_that_answers_in_time_is_believed(tctl: Path) -> None:
    assert ask(write(tctl, "echo 'Cluster main'"))["said"] == "Cluster main\n"
