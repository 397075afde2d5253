# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.tests.lab.steps import changes
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

LOG = """\
PLAY [Agents: canary first [stage 0]] ******************************************

TASK [lockstep.teleport.agent : Upgrade the agent] *****************************
changed: [n4 -> localhost]
ok: [n2]
fatal: [n3]: FAILED! => {"changed": true, "msg": "changed: [n9]"}
changed: [n1]
changed: [n5] => (item=one)

TASK [Show [brackets] in a name] ***********************************************
changed: [n6] => {"changed": true}

RUNNING HANDLER [Reload] *******************************************************
changed: [n1]

PLAY RECAP *********************************************************************
n1                         : ok=4    changed=2    unreachable=0    failed=0
"""
STEPS = [
    ("lockstep.teleport.agent : Upgrade the agent", "n1"),
    ("lockstep.teleport.agent : Upgrade the agent", "n4"),
    ("lockstep.teleport.agent : Upgrade the agent", "n5"),
    ("Show [brackets] in a name", "n6"),
    ("Reload", "n1"),
]


def test_changes_are_read_by_task_and_within_a_task_by_host() -> None:
    assert list(changes(LOG.splitlines())) == STEPS


@pytest.mark.parametrize("log", ["", "PLAY RECAP ***\n", 'ok: [n1] => {"msg": "changed: [n1]"}\n'])
def test_where_nothing_changed_there_is_nothing(log: str) -> None:
    assert list(changes(log.splitlines())) == []


def test_the_program_prints_one_list_a_line(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text(LOG)
    command = [sys.executable, str(ROOT / "tests" / "lab" / "steps.py"), str(log)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert [tuple(json.loads(line)) for line in printed.splitlines()] == STEPS
