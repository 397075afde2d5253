# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knobs of the double: one JSON file per host, re-read at every question so tests can turn them live."""

from __future__ import annotations

import json
import os
import time
from typing import Any, cast

from .versions import Version

KNOB_FILE = "/etc/teleport-double.json"
KNOB_FILE_ENV = "TELEPORT_DOUBLE_CONFIG"
SCALE_ENV = "TELEPORT_DOUBLE_TIME_SCALE"

# name -> meaning; the README lists the same names
FAULTS = (
    "fail_migration",
    "crash_at_start",
    "never_ready",
    "ready_then_dead_after",
    "flapping_ready",
    "slow_start",
    "hang_tctl",
    "fail_configure_test",
    "proxy_502",
    "ignore_rotation",
)


def _read() -> dict[str, Any]:
    path = os.environ.get(KNOB_FILE_ENV, KNOB_FILE)
    try:
        with open(path, encoding="utf-8") as stream:
            return cast("dict[str, Any]", json.load(stream))
    except FileNotFoundError:
        return {}


def fault(version: Version, name: str) -> Any:
    """Value of a fault that applies to ``version``, None when it is off.

    The file holds ``{"faults": [{"versions": ["17.7.20", "18"], "slow_start": 5}]}``; an entry without
    ``versions`` applies to all, a release line there to the whole line.
    """
    if name not in FAULTS:
        raise ValueError(f"unknown fault {name!r}, known are {', '.join(FAULTS)}")
    for entry in _read().get("faults", []):
        named = entry.get("versions")
        meant = named is None or str(version) in named or version.line in named
        if meant and entry.get(name) not in (None, False):
            return entry[name]
    return None


def setting(name: str, default: Any) -> Any:
    """A value that is not a fault, e.g. ``time_scale``."""
    return _read().get(name, default)


def scaled(seconds: float) -> float:
    """Seconds of the real thing in this host's time (environment before file, 1.0 by default)."""
    scale = os.environ.get(SCALE_ENV) or setting("time_scale", 1.0)
    return seconds * float(scale)


def pause(seconds: float) -> None:
    """Sleep as long as the real thing takes, in this host's time."""
    time.sleep(scaled(seconds))
