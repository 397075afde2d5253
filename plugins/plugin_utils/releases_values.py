# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading single values of catalogue rows: each reader returns a typed value or raises a ``ValueError``."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils.version import FIRST_MAJOR_LINE, Version, VersionError

_LINE_RE = re.compile(r"(?P<major>0|[1-9][0-9]{0,5})(?:\.(?P<minor>0|[1-9][0-9]{0,5}))?")
_DATE_RE = re.compile(r"(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?")
_DECEMBER = 12


class CatalogueError(ValueError):
    """Catalogue data, or a question to the catalogue, cannot be used. The message says where, why, and what to do."""


def line_key(line: str) -> tuple[int, int]:
    """Return what release lines sort by.

    :raises CatalogueError: when the text can be no release line.
    """
    match = _LINE_RE.fullmatch(line)
    if match is None or (match.group("minor") is None) != (int(match.group("major")) >= FIRST_MAJOR_LINE):
        raise CatalogueError(
            f"{line!r} is not a release line; allowed is major.minor below 5, e.g. '4.4', and the major alone "
            "from 5 on, e.g. '17'"
        )
    return int(match.group("major")), int(match.group("minor") or 0)


def line_name(value: object) -> str:
    """Read the name of a release line."""
    # An inventory may well say `line: 17` or `line: 4.4`, which YAML reads as numbers.
    name = str(value)
    line_key(name)
    return name


def optional_version(value: object) -> Version | None:
    """Read a finished release, or null for none."""
    return None if value is None else finished_version(value)


def finished_version(value: object) -> Version:
    """Read a version that is no pre-release."""
    version = Version.parse(value)
    if version.is_prerelease:
        raise VersionError(f"{version} is a pre-release; allowed are finished releases")
    return version


def text(value: object) -> str:
    """Read a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise CatalogueError(f"found {value!r}; allowed is a text")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Read a list of texts that is not empty."""
    if not isinstance(value, list) or not value:
        raise CatalogueError(f"found {value!r}; allowed is a list of texts")
    return tuple(text(item) for item in value)


def one_of(allowed: Sequence[str]) -> Callable[[object], str]:
    """Return a reader that takes these words and no others."""

    def read(value: object) -> str:
        if value not in allowed:
            raise CatalogueError(f"found {value!r}; allowed are {', '.join(allowed)}")
        return str(value)

    return read


def first_day(value: object) -> dt.date | None:
    """Read a day; of a month or a year alone, the first one. Null is none."""
    return _date(value, last=False)


def last_day(value: object) -> dt.date | None:
    """Read a day; of a month or a year alone, the last one. Null is none."""
    return _date(value, last=True)


def _date(value: object, *, last: bool) -> dt.date | None:
    if value is None:
        return None
    match = _DATE_RE.fullmatch(str(value))
    if match is None:
        raise CatalogueError(f"found {value!r}; allowed is YYYY-MM-DD, YYYY-MM or YYYY")
    year, month = int(match.group("year")), int(match.group("month") or (_DECEMBER if last else 1))
    try:
        day = int(match.group("day") or (calendar.monthrange(year, month)[1] if last else 1))
        return dt.date(year, month, day)
    except ValueError as error:
        raise CatalogueError(f"found {value!r}: {error}") from error
