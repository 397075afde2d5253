# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions from what was found, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.service import Unit, parse_unit
from ansible_collections.lockstep.teleport.plugins.module_utils.upgrade_decision import (
    Decision,
    Found,
    Wish,
    decide,
    diff,
    refusal,
    summary,
)

WISH = Wish("6.2.31", "6.2.31", False)
PROGRAM = "/usr/local/bin/teleport"


def unit(state: str = "active", enabled: str = "enabled", load: str = "loaded") -> Unit:
    pid = 7 if state == "active" else 0
    return parse_unit("t.service", f"ActiveState={state}\nMainPID={pid}\nUnitFileState={enabled}\nLoadState={load}")


def found(**changes: Any) -> Found:
    """An adopted instance of 5.2.5 that runs."""
    facts: dict[str, Any] = {
        "unit": unit(),
        "exec_path": PROGRAM,
        "program": PROGRAM,
        "running": "5.2.5",
        "installed": "5.2.5",
        "installed_error": None,
        "edition": "community",
        "method": "tarball",
        "current": "5.2.5",
        "linked": False,
        "adopted": True,
        "ready": True,
        "held": False,
        "journal": None,
    }
    return Found(**{**facts, **changes})


DONE: dict[str, Any] = {"running": "6.2.31", "installed": "6.2.31", "current": "6.2.31", "linked": True}
STOPPED: dict[str, Any] = {"unit": unit("inactive", "disabled"), "running": None}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Decision(None, "5.2.5", True, True, True, True)),
        (DONE, Decision(None, "6.2.31", False, False, True, True)),
        ({"adopted": False, "current": None}, Decision("5.2.5", "5.2.5", True, True, True, True)),
        (
            {"adopted": False, "current": None, "edition": "fips"},
            Decision("5.2.5-ent-fips", "5.2.5-ent-fips", True, True, True, True),
        ),
        (STOPPED, Decision(None, "5.2.5", True, False, False, False)),
        ({**STOPPED, "unit": unit("failed")}, Decision(None, "5.2.5", True, True, True, False)),
        ({**STOPPED, "held": True}, Decision(None, "5.2.5", True, True, True, False)),
        (
            {**STOPPED, "journal": {"was_running": True}},
            Decision(None, "5.2.5", True, True, True, True),
        ),
        ({**DONE, "running": "5.2.5"}, Decision(None, "6.2.31", False, True, True, True)),
        ({**DONE, "linked": False}, Decision(None, "6.2.31", True, False, True, True)),
    ],
)
def test_decisions(changes: dict[str, Any], expected: Decision) -> None:
    assert decide(found(**changes), WISH) == expected


@pytest.mark.parametrize(
    ("changes", "wish", "reason"),
    [
        ({}, WISH, ""),
        ({"method": "none"}, WISH, "no Teleport program"),
        ({"method": "package"}, WISH, ""),
        ({"method": "managed_updates"}, WISH, ""),
        ({"unit": None}, WISH, "cannot be used"),
        ({"unit": unit(load="masked")}, WISH, "masked"),
        ({"exec_path": "/opt/x/teleport"}, WISH, "ExecStart"),
        ({"exec_path": None}, WISH, "nothing that can be read"),
        ({"exec_path": None, "unit": None}, WISH._replace(client=True), ""),
        ({"running": None, "installed": None, "installed_error": "crashed"}, WISH, "crashed"),
        ({}, WISH._replace(expect_version="5.2.5"), ""),
        ({}, WISH._replace(expect_version="4.4.12"), "4.4.12 was expected"),
        (DONE, WISH._replace(expect_version="5.2.5"), ""),
        ({"journal": {"was_running": True}}, WISH._replace(expect_version="4.4.12"), ""),
    ],
)
def test_refusals(changes: dict[str, Any], wish: Wish, reason: str) -> None:
    said = refusal(found(**changes), wish)
    assert reason in said
    assert bool(said) == bool(reason)


def test_nothing_to_do_is_said_and_shown() -> None:
    decision = decide(found(**DONE), WISH)
    assert decision.nothing
    assert summary(found(**DONE), decision, WISH) == "6.2.31 is there already"
    shown = diff(found(**DONE), decision, WISH)
    assert shown["before"] == shown["after"]
