# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An approved plan that somebody changed after it was approved, or that is none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.filter.approved_digest import approved_digest
from ansible_collections.lockstep.teleport.plugins.plugin_utils import approval
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import sealed

CONTENT: dict[str, Any] = {"target_version": "17.7.20", "hops": [], "stages": [], "findings": []}


@pytest.mark.parametrize("indent", [None, 4])
def test_the_digest_of_a_plan(tmp_path: Path, indent: int | None) -> None:
    plan = sealed(CONTENT)
    (tmp_path / "plan.json").write_text(json.dumps(plan, indent=indent))
    assert approved_digest(tmp_path / "plan.json") == plan["digest"]


def test_a_plan_that_was_changed_after_it_was_approved_is_refused(tmp_path: Path) -> None:
    plan = {**sealed(CONTENT), "target_version": "18.0.0"}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(AnsibleFilterError, match="was changed after it was planned.*Plan and approve anew"):
        approved_digest(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is no JSON"),
        ("digest: abc", "is no JSON"),
        ("[" * 100000, "nested too deeply"),
        ("[]", "is no plan"),
        ('{"digest": {"a": 1}, "stages": []}', "is no plan"),
        ('{"digest": "{{ lookup(\'pipe\', \'id\') }}", "stages": []}', "was changed"),
    ],
)
def test_what_is_no_plan(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(AnsibleFilterError, match=reason):
        approved_digest(tmp_path / "plan.json")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("none.json", "No such file"), ("pipe", "is no regular file"), (".", "director|regular")):
        with pytest.raises(AnsibleFilterError, match=reason):
            approved_digest(tmp_path / name)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "LARGEST", 10)
    (tmp_path / "plan.json").write_text("x" * 11)
    with pytest.raises(AnsibleFilterError, match="is larger than 10 bytes"):
        approved_digest(tmp_path / "plan.json")
