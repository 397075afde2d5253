# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight rules: what the rows of ``preflight.yml`` mean, and reading them.

The meaning of the keys stands at the head of that file.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import own_data
from ansible_collections.lockstep.teleport.plugins.plugin_utils.config_edit import KINDS, Edit
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_values import line_key

CLUSTER = "cluster"

_MOST_FOUND = 10
_NUMBER_RE = re.compile(r"[0-9]+(?:\.[0-9]+)*")

Condition = Callable[[Any], str]


@dataclass(frozen=True)
class Rule:
    """One rule. ``first`` and ``last`` are lines, ``last`` None for no end; ``conditions`` pairs of fact and condition.

    A condition takes the value of its fact and returns what it found, nothing when it is not fulfilled. ``edit`` is the
    cure where it is a safe change of ``teleport.yaml``.
    """

    id: str
    first: str
    last: str | None
    services: tuple[str, ...]
    severity: str
    conditions: tuple[tuple[str, Condition], ...]
    message: str
    cure: str
    source: str
    edit: Edit | None = None

    def concerns(self, line: str) -> bool:
        """Whether a hop into *line* brings the trouble."""
        return line_key(self.first) <= line_key(line) and (self.last is None or line_key(line) <= line_key(self.last))


@functools.lru_cache(maxsize=1)
def rules() -> Mapping[str, Rule]:
    """Return the rules that come with the collection, by id, in their order."""
    data = own_data.read("preflight.yml")
    return {row["id"]: _rule(row) for row in data["rules"]}


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(
        id=row["id"],
        first=row["into"]["first"],
        last=row["into"]["last"],
        services=tuple(row["services"]),
        severity=row["severity"],
        conditions=tuple(_condition(entry) for entry in row["when"]),
        message=row["message"],
        cure=row["cure"],
        source=row["source"],
        edit=_edit(row) if "edit" in row else None,
    )


def _edit(row: Mapping[str, Any]) -> Edit:
    """The known values are those that the first condition names; what it does not name is not shown, nor dropped."""
    asked, named = row["edit"], row["when"][0].get("any_of", [])
    kind = next(kind for kind in KINDS if kind in asked)
    keys = tuple(tuple(key.split(".")) for key in asked[kind])
    return Edit(kind, keys, (asked["to"],) if "to" in asked else tuple(named), frozenset(named))


def _condition(entry: Mapping[str, Any]) -> tuple[str, Condition]:
    kind, wanted = next((key, value) for key, value in entry.items() if key != "fact")
    return entry["fact"], _CONDITIONS[kind](wanted)


def _any_of(wanted: list[str]) -> Condition:
    return lambda value: ", ".join(text for text in _texts(value) if text.lower() in wanted)


def _lacks(wanted: list[str]) -> Condition:
    return lambda value: "" if any(text.lower() in wanted for text in _texts(value)) else "none of them"


def _absent(_wanted: bool) -> Condition:
    return lambda value: "" if value else "nothing"


def _present(_wanted: bool) -> Condition:
    return lambda value: _shortened(_texts(value)) if value else ""


def _below(wanted: str) -> Condition:
    return lambda value: str(value) if value and _number(value) < _number(wanted) else ""


def _unlike(wanted: str) -> Condition:
    pattern = re.compile(wanted)
    return lambda value: _shortened([repr(text) for text in _texts(value) if text and not pattern.fullmatch(text)])


_CONDITIONS: Mapping[str, Callable[[Any], Condition]] = {
    "any_of": _any_of,
    "lacks": _lacks,
    "absent": _absent,
    "present": _present,
    "below": _below,
    "unlike": _unlike,
}


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _shortened(texts: list[str]) -> str:
    more = len(texts) - _MOST_FOUND
    return ", ".join(texts[:_MOST_FOUND]) + (f" and {more} more" if more > 0 else "")


def _number(value: Any) -> tuple[float, ...]:
    """The numbers a version starts with; one that starts with none counts as newest, so that nothing is said of it."""
    match = _NUMBER_RE.match(str(value))
    return tuple(float(part) for part in match.group().split(".")) if match else (float("inf"),)
