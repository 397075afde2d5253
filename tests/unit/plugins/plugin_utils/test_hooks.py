# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks run at the points they are for, and what cannot run is found before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import hooks

STEPS = [
    {"phase": "auth", "cluster": "main", "host": "a1"},
    {"phase": "proxy", "cluster": "main", "host": "p2"},
    {"phase": "proxy", "cluster": "leaf", "host": "p1"},
]
PLAN = {"stages": [{"to": "17.7.20", "steps": STEPS}]}


def test_hooks_are_taken_from_wherever_the_inventory_keeps_them() -> None:
    seen = hooks.named([{}, {"teleport_hooks": {"before_auth": "a.yml"}}, {"teleport_hooks": {"before_auth": "a.yml"}}])
    assert seen == {"before_auth": "a.yml"}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ([{"teleport_hooks": {"before_auth": "a.yml"}}], None),
        ([{"teleport_hooks": {"before_auth": "gone.yml"}}], "'gone.yml', and no such file is below /here"),
        ([{"teleport_hooks": {"before_agents": "a.yml"}}], "has 'before_agents'; it maps before_auth,"),
        ([{"teleport_hooks": {"before_auth": 3}}], "names 3"),
        ([{"teleport_hooks": "a.yml"}], "has 'a.yml'; it maps"),
        (
            [{"teleport_hooks": {"after_auth": f}} for f in ("a.yml", "b.yml")],
            "different files for teleport_hooks.after_auth",
        ),
    ],
)
def test_what_cannot_run_is_a_blocker(variables: list[dict[str, Any]], told: str | None) -> None:
    found = hooks.problems(hooks.named(variables), "/here", lambda path: path == "/here/a.yml")
    assert [problem["code"] for problem in found] == ["hook-unusable"] * bool(told)
    assert all(problem["severity"] == "blocker" and str(told) in str(problem["message"]) for problem in found)


def test_a_hook_is_told_whom_it_is_about() -> None:
    told = hooks.occasion(PLAN, 0, "after_proxy")
    assert (told["phase"], told["to"], told["hosts"]) == ("proxy", "17.7.20", ["p2", "p1"])
    assert told["clusters"] == ["leaf", "main"]


@pytest.mark.parametrize(
    ("point", "batch", "due"),
    [
        ("before_proxy", ["p2"], True),
        ("before_proxy", ["p1"], False),
        ("after_proxy", ["p2"], False),
        ("after_proxy", ["p1"], True),
        ("before_auth", ["localhost", "a1", "a9"], True),
        ("before_client", ["p1"], False),
        ("after_auth", ["a1"], False),
    ],
)
def test_a_hook_runs_once_for_its_phase(point: str, batch: list[str], due: bool) -> None:
    named = dict.fromkeys(("before_auth", "before_proxy", "after_proxy", "before_client"), "a.yml")
    localhost = {"plan_inventory": {"hooks": named}, "plan_outcome": {"plan": PLAN}}
    assert hooks.is_due(localhost, 0, point, batch) is due
    assert not hooks.is_due({**localhost, "halt_record": {"kind": "stopped"}}, 0, point, batch)
