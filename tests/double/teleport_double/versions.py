# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and release lines as the double sees them.

Deliberately not shared with the collection: a mistake in the collection's own arithmetic must not be
mirrored by what it is tested against.
"""

from __future__ import annotations

import re
from functools import total_ordering

LINES = ("3.2", "4.0", "4.1", "4.2", "4.3", "4.4", *(str(major) for major in range(5, 20)))

_PATTERN = re.compile(r"^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$")


@total_ordering
class Version:
    """A release such as ``17.7.20``; compares by number, a pre-release before its release."""

    def __init__(self, major: int, minor: int, patch: int, prerelease: str = "") -> None:
        self.major = major
        self.minor = minor
        self.patch = patch
        self.prerelease = prerelease

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``X.Y.Z[-pre]``; raises ValueError naming what was found."""
        match = _PATTERN.match(text.strip())
        if match is None:
            raise ValueError(f"not a version of the form X.Y.Z: {text!r}")
        major, minor, patch, prerelease = match.groups()
        return cls(int(major), int(minor), int(patch), prerelease or "")

    @property
    def line(self) -> str:
        """Release line: a minor below 5.0, a major from 5.0 on."""
        return f"{self.major}.{self.minor}" if self.major < 5 else str(self.major)

    @property
    def index(self) -> int:
        """Place of the release line among all lines the double knows."""
        return line_index(self.line)

    def _key(self) -> tuple[int, int, int, bool, str]:
        return (self.major, self.minor, self.patch, not self.prerelease, self.prerelease)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        suffix = f"-{self.prerelease}" if self.prerelease else ""
        return f"{self.major}.{self.minor}.{self.patch}{suffix}"


def line_index(line: str) -> int:
    """Place of ``line`` in the ordered list of release lines; raises ValueError for an unknown one."""
    try:
        return LINES.index(line)
    except ValueError:
        raise ValueError(f"release line {line!r} is unknown, known are {', '.join(LINES)}") from None


def bound(text: str) -> Version:
    """First version a table entry means: ``4.3`` is 4.3.0, ``8`` is 8.0.0, ``12.2.4`` is itself."""
    parts = text.split(".")
    return Version.parse(".".join(parts + ["0"] * (3 - len(parts))))
