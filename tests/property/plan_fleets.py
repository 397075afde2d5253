# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random fleets that an upgrade can start from, with all the disorder that real ones have."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

#: LOCKSTEP_EXAMPLES=20 looks at twenty times as many fleets as a normal run.
_MORE = int(os.environ.get("LOCKSTEP_EXAMPLES", "1"))

#: For each line some patches, oldest first; the last one is the catalogue's where the line is known.
PATCHES = {
    "4.2": ["4.2.3", "4.2.12"],
    "4.3": ["4.3.9", "4.3.10"],
    "4.4": ["4.4.6", "4.4.12"],
    "5": ["5.0.2", "5.2.3", "5.2.5"],
    "6": ["6.1.2", "6.2.31", "6.9.9"],
    "7": ["7.0.0", "7.3.26"],
    "8": ["8.3.17", "8.3.20"],
}
LINES = list(PATCHES)
PHASES = ["auth", "proxy", "agent", "client"]


def examples(count: int) -> settings:
    """Return settings for this many examples in a normal run."""
    return settings(max_examples=count * _MORE, derandomize=_MORE == 1)


def versions(low: int, high: int) -> st.SearchStrategy[str]:
    """Draw a version of one of these lines (places in `LINES`, clipped to what there is)."""
    low, high = max(low, 0), min(high, len(LINES) - 1)
    return st.sampled_from([patch for line in LINES[low : high + 1] for patch in PATCHES[line]])


@st.composite
def members(draw: st.DrawFn, cluster: str, target: int, largest: int) -> list[dict[str, Any]]:
    """Draw a cluster: an auth group that spans two lines at most, and others that may be ahead or far behind."""
    at = draw(st.integers(0, target))
    mixed = draw(st.booleans())
    rows = [
        _row(f"{cluster}-a{number}", cluster, ["auth"], draw(versions(at - mixed, at)))
        for number in range(draw(st.integers(1, min(3, largest))))
    ]
    for number in range(draw(st.integers(0, largest - len(rows)))):
        services = draw(st.sampled_from([["proxy"], ["agent"], ["agent"], ["client"], ["proxy", "agent"]]))
        near = draw(st.booleans())
        rows.append(_row(f"{cluster}-{number}", cluster, services, draw(versions(at - 1 if near else 0, target))))
    return rows


def _row(host: str, cluster: str, services: list[str], version: str) -> dict[str, Any]:
    return {"host": host, "cluster": cluster, "services": services, "version": version, "state": "running"}


@st.composite
def upgrades(draw: st.DrawFn, clusters: int = 4, largest: int = 7) -> dict[str, Any]:
    """Draw a planner's input that nothing forbids: no instance is newer than the target."""
    line = draw(st.integers(1, len(LINES) - 1))
    target = draw(versions(line, line))
    names = [f"c{number}" for number in range(draw(st.integers(1, clusters)))]
    roots = {name: {"root": draw(st.sampled_from([None, *names[:place]]))} for place, name in enumerate(names)}
    rows = [row for name in names for row in draw(members(name, line, largest))]
    for row in rows:
        row["version"] = _not_above(row["version"], target)
        row["state"] = draw(st.sampled_from(["running", "running", "running", "stopped"]))
        row["interrupted"] = draw(st.sampled_from([False, False, False, False, True]))
        row["unfinished"] = row["interrupted"] and draw(st.booleans())
    return {
        "target_version": target,
        "instances": draw(st.permutations(rows)),
        "clusters": roots,
        "waivers": ["known-bad", "known-bad-pair", "below-minimum-safe"],
    }


def _not_above(version: str, target: str) -> str:
    order = [patch for line in LINES for patch in PATCHES[line]]
    return min(version, target, key=order.index)
