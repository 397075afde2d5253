# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What manages an auth group leaves it to the run and gets it back, whatever becomes of the run: whole playbooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

TARGET = "16.5.18"

#: Leaves a line among the calls of the stand-ins, so that the order shows.
TELL = """
- name: Tell
  ansible.builtin.shell: echo '{{{{ told | to_json }}}}' >> "$FLOW_LOG"
  vars:
    told: {{name: {step}, host: "{{{{ auth_group_keep }}}} of {{{{ auth_group_members | join(',') }}}}"}}
"""

pytestmark = pytest.mark.slow


def run(
    folder: Path,
    shrink: str = "",
    marked: str = "",
    grow: str = "grow.yml",
    arguments: tuple[str, ...] = (),
    **scripts: dict[str, str],
) -> Outcome:
    """Upgrade two auth servers whose group the user's own tasks manage.

    With *marked*, a run before this one brought both to the target, and was killed before the group was given back.
    *grow* is the name under which the task file that gives it back is looked for.
    """
    (folder / "shrink.yml").write_text(shrink or TELL.format(step="shrink"))
    (folder / "grow.yml").write_text(TELL.format(step="grow"))
    hosts = {name: host(name, "auth", script=scripts.get(name, {})) for name in ("a1", "a2")}
    for one in hosts.values() if marked else ():
        one["seen"].update(version=TARGET, running_version=TARGET, interrupted=one["seen"]["host"] == marked)
    own: dict[str, Any] = {
        "teleport_auth_group": "tasks",
        "teleport_auth_group_tasks": {"shrink": "shrink.yml", "grow": grow},
    }
    return play(folder, hosts, *arguments, teleport_target_version=TARGET, **own)


def changes(outcome: Outcome) -> list[tuple[str, str]]:
    """What was done around the group and to it, in order."""
    kept = ("shrink", "grow", "instance_hold", "instance_upgrade", "instance_mark")
    return [
        (f"{call['name']} {call['state']}" if call["name"] in kept[-1:] + kept[2:3] else call["name"], call["host"])
        for call in outcome.calls
        if call["name"] in kept
    ]


def test_the_group_is_left_to_the_run_before_peers_stop_and_given_back_after(tmp_path: Path) -> None:
    outcome = run(tmp_path)
    assert outcome.status == 0, outcome.text
    *one_by_one, first, second = changes(outcome)
    assert one_by_one == [
        ("instance_mark present", "a1"),
        ("shrink", "a1 of a1,a2"),
        ("instance_hold held", "a2"),
        ("instance_upgrade", "a1"),
        ("instance_upgrade", "a2"),
        ("grow", "a1 of a1,a2"),
    ]
    assert {first, second} == {("instance_mark absent", "a1"), ("instance_mark absent", "a2")}


def test_who_does_not_leave_the_group_stops_the_run_before_anything(tmp_path: Path) -> None:
    outcome = run(tmp_path, "- ansible.builtin.fail: {msg: the group is busy}\n")
    assert outcome.status != 0
    assert outcome.upgraded(TARGET) == []
    assert ("grow", "a1 of a1,a2") in changes(outcome), "what was begun is put back"
    assert outcome.report is not None
    assert "a1: the group is busy" in outcome.report["reason"]


def test_a_group_with_a_server_down_is_not_given_back(tmp_path: Path) -> None:
    outcome = run(tmp_path, a1={"cluster_gate": "fail"})
    assert outcome.status != 0
    assert [name for name, _host in changes(outcome)] == [
        "instance_mark present",
        "shrink",
        "instance_hold held",
        "instance_upgrade",
    ]


def test_a_group_that_a_killed_run_did_not_give_back_is_given_back_by_the_next_one(tmp_path: Path) -> None:
    outcome = run(tmp_path, marked="a1")
    assert outcome.status == 0, outcome.text
    assert changes(outcome) == [
        ("instance_upgrade", "a1"),
        ("grow", "a1 of a1,a2"),
        ("instance_mark absent", "a1"),
    ]


def test_a_dry_run_names_the_tasks_and_runs_none(tmp_path: Path) -> None:
    outcome = run(tmp_path, arguments=("--check",))
    assert outcome.status == 0, outcome.text
    assert {"shrink", "grow"}.isdisjoint(name for name, _host in changes(outcome))


def test_a_file_that_is_not_there_is_found_before_anything_is_touched(tmp_path: Path) -> None:
    outcome = run(tmp_path, grow="back.yml")
    assert outcome.status != 0
    assert "[auth-group-unusable]" in outcome.text
    assert "no task file that is there for 'grow'" in " ".join(outcome.text.split())
    assert not outcome.upgraded(TARGET)
