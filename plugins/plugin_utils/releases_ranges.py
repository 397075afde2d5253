# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of versions such as ``>=18.7.6,<18.8.2``.

`packaging.specifiers` follows PEP 440, whose pre-releases sort and match differently from those of semver.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

_OPERATORS: dict[str, Callable[[Version, Version], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CLAUSE_RE = re.compile(r"\s*(?P<operator>[<>=]*)\s*(?P<version>.*?)\s*")


@dataclass(frozen=True)
class VersionRange:
    """All versions that meet every clause; ``text`` is how it was written."""

    text: str
    clauses: tuple[tuple[str, Version], ...]

    @classmethod
    def parse(cls, text: object) -> VersionRange:
        """Read one version, or clauses of an operator and a version with commas between.

        :raises VersionError: naming the clause that cannot be read.
        """
        if not isinstance(text, str):
            raise VersionError(f"{text!r} is not a range of versions; allowed is e.g. '17.1.0' or '>=18.7.6,<18.8.2'")
        return cls(text, tuple(_clause(part) for part in text.split(",")))

    def __contains__(self, version: Version) -> bool:
        return all(_OPERATORS[name](version, bound) for name, bound in self.clauses)


def _clause(text: str) -> tuple[str, Version]:
    match = _CLAUSE_RE.fullmatch(text)
    name = (match.group("operator") if match else "") or "=="
    if match is None or name not in _OPERATORS:
        raise VersionError(f"{text!r} has no valid operator; allowed are {', '.join(_OPERATORS)}, or none")
    return name, Version.parse(match.group("version"))
