# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task files of the user's own take proxies out and put them back: whole playbooks, stand-ins for the hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

TARGET = "16.5.18"
PROXIES = ("p1", "p2")

#: Leaves a line among the calls of the stand-ins, with a variable of the proxy and a file beside the task file.
TELL = """
- name: Tell
  ansible.builtin.shell: echo '{{{{ told | to_json }}}}' >> "$FLOW_LOG"
  delegate_to: localhost
  vars:
    told: {{name: {step}, host: "{{{{ inventory_hostname }}}} {{{{ pool }}}} {{{{ lookup('file', 'team.txt') }}}}"}}
"""
FAIL = "- ansible.builtin.fail: {msg: the balancer is busy}\n"

pytestmark = pytest.mark.slow


def run(
    folder: Path, *arguments: str, out: str = "", back: str = "", named: dict[str, str] | None = None, **seen: Any
) -> Outcome:
    """Upgrade an auth server and two proxies that task files take out; *seen* is observed on the first of these."""
    own = folder / "drain"
    own.mkdir()
    (own / "team.txt").write_text("ops")
    (own / "out.yml").write_text(out or TELL.format(step="out"))
    (own / "back.yml").write_text(back or TELL.format(step="back"))
    hosts = {"a1": host("a1", "auth"), **{name: host(name, "proxy", pool=f"pool-{name}") for name in PROXIES}}
    hosts["p1"]["seen"].update(seen)
    if seen:
        for one in hosts.values():
            one["seen"].update(version=TARGET, running_version=TARGET)
    files = {"out": "drain/out.yml", "back": "drain/back.yml"} if named is None else named
    goal: dict[str, Any] = {"teleport_target_version": TARGET, "teleport_proxy_drain": "tasks"}
    return play(folder, hosts, *arguments, **goal, teleport_drain_tasks=files)


def changes(outcome: Outcome, name: str) -> list[str]:
    """What was done to a proxy and around it, in order."""
    marks = {"present": "mark", "absent": "unmark"}
    return [
        marks[call["state"]] if call["name"] == "instance_mark" else call["name"]
        for call in outcome.calls
        if call["host"].split()[0] == name and call["name"] in ("out", "back", "instance_mark", "instance_upgrade")
    ]


def test_each_proxy_is_out_by_the_tasks_while_it_is_upgraded(tmp_path: Path) -> None:
    outcome = run(tmp_path)
    assert outcome.status == 0, outcome.text
    for name in PROXIES:
        assert changes(outcome, name) == ["mark", "out", "instance_upgrade", "back", "unmark"]
    told = [call["host"] for call in outcome.calls if call["name"] == "out"]
    assert told == ["p1 pool-p1 ops", "p2 pool-p2 ops"]


def test_who_cannot_be_taken_out_is_not_upgraded_and_the_run_stops(tmp_path: Path) -> None:
    outcome = run(tmp_path, out=FAIL)
    assert outcome.status != 0
    assert outcome.upgraded(TARGET) == ["a1"]
    assert changes(outcome, "p1") == ["mark"], "the next run puts it right"
    assert changes(outcome, "p2") == []
    assert outcome.report is not None
    assert "p1: the balancer is busy They stay out" in " ".join(outcome.report["reason"].split())


def test_who_cannot_be_put_back_keeps_its_mark_and_the_run_stops(tmp_path: Path) -> None:
    outcome = run(tmp_path, back=FAIL)
    assert outcome.status != 0
    assert changes(outcome, "p1") == ["mark", "out", "instance_upgrade"]
    assert changes(outcome, "p2") == []


def test_the_next_run_puts_back_what_a_killed_one_left_out(tmp_path: Path) -> None:
    outcome = run(tmp_path, interrupted=True)
    assert outcome.status == 0, outcome.text
    assert changes(outcome, "p1") == ["mark", "out", "instance_upgrade", "back", "unmark"]
    assert changes(outcome, "p2") == []


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"out": "drain/out.yml"}, "no task file that is there for 'back'"),
        ({"out": "drain/oat.yml", "back": "drain/back.yml"}, "no task file that is there for 'out'"),
    ],
)
def test_a_file_that_is_not_there_is_found_before_anything_is_touched(
    tmp_path: Path, files: dict[str, str], told: str
) -> None:
    outcome = run(tmp_path, named=files)
    assert outcome.status != 0
    assert "[drain-unusable]" in outcome.text
    assert told in " ".join(outcome.text.split())
    assert not outcome.upgraded(TARGET)


def test_a_dry_run_names_the_tasks_and_runs_none(tmp_path: Path) -> None:
    outcome = run(tmp_path, "--check")
    assert outcome.status == 0, outcome.text
    assert "p1 would leave its load balancer before, and return after: tasks" in outcome.text
    assert [call for call in outcome.calls if call["name"] in ("out", "back")] == []
