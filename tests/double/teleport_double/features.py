# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a version can do, read from a table (``data/features.json``), never from code."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any, cast

from .versions import Version, bound


@cache
def load_table(name: str) -> dict[str, Any]:
    """A JSON table of the package, e.g. ``features``."""
    loader: Any = __spec__.loader
    raw = loader.get_data(os.path.join(os.path.dirname(__file__), "data", f"{name}.json"))
    return cast("dict[str, Any]", json.loads(raw))


def has(version: Version, feature: str) -> bool:
    """True when ``version`` lies in one of the feature's ranges ``[since, before)``."""
    ranges = load_table("features")[feature]["ranges"]
    return any(_within(version, since, before) for since, before in ranges)


def _within(version: Version, since: str | None, before: str | None) -> bool:
    return (since is None or version >= bound(since)) and (before is None or version < bound(before))


def newest(table: dict[str, Any], version: Version) -> Any:
    """The entry of a ``{since: value}`` table that holds for ``version``."""
    fitting = [since for since in table if version >= bound(since)]
    if not fitting:
        raise KeyError(f"no entry for {version}, the first is {min(table, key=bound)}")
    return table[max(fitting, key=bound)]
