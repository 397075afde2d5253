# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On which hosts a run pauses Teleport's own updaters, and lets them go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ENABLED = "updater-enabled"
_PAUSED = "updater-paused"


def to_pause(localhost: Mapping[str, Any]) -> list[str]:
    """Return the hosts with an updater that may change something, sorted; none when the plan changes nothing.

    :param localhost: variables of localhost, in which observations and plan are.
    """
    # Not the plan that is still followed: after a stop there is none, and what was paused is to be put back.
    plan = (localhost.get("plan_outcome") or {}).get("plan") or {}
    return _found(localhost, _ENABLED) if plan.get("stages") else []


def to_resume(localhost: Mapping[str, Any]) -> list[str]:
    """Return the hosts to let go on, sorted: those that were paused, by this run or by one that was killed."""
    return sorted({*to_pause(localhost), *_found(localhost, _PAUSED)})


def _found(localhost: Mapping[str, Any], code: str) -> list[str]:
    findings = (localhost.get("plan_inventory") or {}).get("findings") or []
    return sorted({finding["host"] for finding in findings if finding["code"] == code})
