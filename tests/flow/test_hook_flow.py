# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task files of the user's own run around the phases, and stop the run when they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

TARGET = "16.5.18"
POINTS = [f"{side}_{phase}" for phase in ("auth", "proxy", "agent", "client") for side in ("before", "after")]

#: Says on one line of its own, in the folder of the run, who it is about.
TELL = """
- name: Tell
  ansible.builtin.shell: echo "{{ teleport_hook.point }} {{ teleport_hook.hosts | join(',') }}" >> {{ told }}
"""

pytestmark = pytest.mark.slow


def run(folder: Path, files: dict[str, str], *arguments: str, **extra: Any) -> Outcome:
    """Upgrade a cluster with hosts of each phase with these hooks, given as text, in group variables."""
    for point, text in files.items():
        (folder / f"{point}.yml").write_text(text)
    hosts = {
        "a1": host("a1", "auth"),
        "p1": host("p1", "proxy"),
        "p2": host("p2", "proxy"),
        "n1": host("n1"),
        "n2": host("n2"),
        "t1": host("t1", "client"),
    }
    for one in hosts.values():
        one["teleport_hooks"] = {point: f"{point}.yml" for point in files}
        one["ansible_become"] = True
    goal = {"teleport_target_version": TARGET, "told": str(folder / "told")}
    return play(folder, hosts, *arguments, **{**goal, **extra})


def test_each_hook_runs_once_around_its_phase(tmp_path: Path) -> None:
    outcome = run(tmp_path, dict.fromkeys(POINTS, TELL))
    assert outcome.status == 0, outcome.text
    told = [line.split() for line in (tmp_path / "told").read_text().splitlines()]
    assert [point for point, _hosts in told] == POINTS
    assert dict(told)["before_auth"] == "a1"
    assert sorted(dict(told)["after_proxy"].split(",")) == ["p1", "p2"]


@pytest.mark.parametrize(
    ("point", "text", "upgraded"),
    [
        ("after_auth", "- ansible.builtin.fail: {msg: not today}\n", ["a1"]),
        ("before_agent", "- ansible.builtin.fail: {msg: not today}\n", ["a1", "p1", "p2"]),
    ],
)
def test_a_hook_that_fails_stops_the_run_in_good_order(
    tmp_path: Path, point: str, text: str, upgraded: list[str]
) -> None:
    outcome = run(tmp_path, {point: text})
    assert outcome.status != 0
    assert outcome.upgraded(TARGET) == upgraded
    assert outcome.report is not None, outcome.text
    assert outcome.report["state"] == "stopped"
    assert f"The hook {point} (" in outcome.report["reason"]
    assert any(call["name"] == "cluster_lock" and call["state"] == "absent" for call in outcome.calls)


def test_a_hook_that_cannot_be_read_is_found_before_anything_is_touched(tmp_path: Path) -> None:
    outcome = run(tmp_path, {"after_agent": "- ansible.builtin.debug: {msg: x}\n  wrong: key\n", "before_auth": TELL})
    assert outcome.status != 0
    assert "after_agent.yml" in outcome.text
    assert not [call for call in outcome.calls if call["name"] in ("instance_upgrade", "cluster_lock")]
    assert not (tmp_path / "told").exists()


def test_a_dry_run_names_hooks_and_runs_none(tmp_path: Path) -> None:
    outcome = run(tmp_path, {"before_proxy": TELL}, "--check")
    assert outcome.status == 0, outcome.text
    assert "before_proxy.yml would run here, for p" in outcome.text
    assert not (tmp_path / "told").exists()
