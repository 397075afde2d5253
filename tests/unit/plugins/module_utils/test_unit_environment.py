# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of reading a unit's environment without a process of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.unit_environment import unit_environment


def answering(output: str) -> Host:
    """A host whose systemctl prints this."""

    def run(command: list[str], **_more: Any) -> tuple[int, str, str]:
        assert command[:3] == ["systemctl", "show", "teleport.service"]
        return 0, output, ""

    return Host(run_command=run)


def test_files_win_over_the_unit_and_other_variables_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "teleport"
    file.write_text(
        "# AWS_REGION=comment\n; AWS_REGION=too\n\n"
        'AWS_REGION="eu-west-1"\nHTTP_PROXY=x\nAWS_PROFILE=\'a b\'\nAWS_BROKEN="open\n'
    )
    output = (
        'Environment=AWS_REGION=us-east-1 "AWS_ROLE_ARN=arn:aws:iam::1:role/x y" LANG=C\n'
        f"EnvironmentFiles={file} (ignore_errors=yes)\nEnvironmentFiles={tmp_path}/absent (ignore_errors=no)\n"
    )
    assert unit_environment(answering(output), "teleport.service", "AWS_") == {
        "AWS_REGION": "eu-west-1",
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/x y",
        "AWS_PROFILE": "a b",
    }


def test_a_unit_without_any() -> None:
    assert unit_environment(answering(""), "teleport.service", "AWS_") == {}
