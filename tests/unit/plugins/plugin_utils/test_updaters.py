# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.updaters import to_pause, to_resume

FINDINGS = [
    {"host": "n2", "code": "updater-enabled"},
    {"host": "n1", "code": "updater-enabled"},
    {"host": "n3", "code": "updater-paused"},
    {"host": "n4", "code": "package-held"},
]


def localhost(stages: list[Any]) -> dict[str, Any]:
    return {"plan_inventory": {"findings": FINDINGS}, "plan_outcome": {"plan": {"stages": stages}}}


@pytest.mark.parametrize(
    ("variables", "paused", "resumed"),
    [
        ({}, [], []),
        (localhost([]), [], ["n3"]),
        (localhost([{"steps": []}]), ["n1", "n2"], ["n1", "n2", "n3"]),
        ({**localhost([{"steps": []}]), "halt_record": {"kind": "stopped"}}, ["n1", "n2"], ["n1", "n2", "n3"]),
        ({"plan_outcome": {"failed": True}, "plan_inventory": {"findings": FINDINGS}}, [], ["n3"]),
    ],
)
def test_updaters_are_paused_for_changes_and_always_put_back(
    variables: dict[str, Any], paused: list[str], resumed: list[str]
) -> None:
    assert to_pause(variables) == paused
    assert to_resume(variables) == resumed
