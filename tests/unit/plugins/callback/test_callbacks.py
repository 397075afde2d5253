# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both callbacks under the real ansible-playbook, with a plan whose only host cannot be upgraded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLAYBOOK = """
- name: Plan
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Plan
      lockstep.teleport.upgrade_plan:
        target_version: 16.5.12
        instances: [{host: localhost, services: [auth], version: 15.5.4}]

- name: Nobody is in this one
  hosts: "{{ [] }}"
  gather_facts: false
  vars: {teleport_stage: 1}

- name: The first stage
  hosts: localhost
  gather_facts: false
  vars: {teleport_stage: 0}
  tasks:
    - name: Try
      lockstep.teleport.instance_upgrade:
        instance: {host: localhost}
        version: nonsense
      ignore_errors: true
"""


def run(folder: Path, **settings: str) -> str:
    playbook = folder / "play.yml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        **settings,
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("stdout", ["default", "lockstep.teleport.brief"])
def test_progress_works_beside_an_output(tmp_path: Path, stdout: str) -> None:
    printed = run(tmp_path, ANSIBLE_CALLBACKS_ENABLED="lockstep.teleport.progress", ANSIBLE_STDOUT_CALLBACK=stdout)
    said = [line for line in printed.splitlines() if line.startswith("[teleport]")]
    assert said == [
        "[teleport] hop 1 of 1 to 16.5.12, stage 1 of 1, Auth Service, batch 1 of 1: 0 of 1 done, 1 failed, 0 waiting"
    ]
    assert ("Nobody is in this one" in printed) == (stdout == "default")
    assert "PLAY [The first stage]" in printed
    assert "PLAY RECAP" in printed


def test_without_it_nothing_is_said(tmp_path: Path) -> None:
    assert "[teleport]" not in run(tmp_path)
