# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the release catalogue: reading them, whoever wrote them, and saying which key of which row is wrong.

The meaning of the keys stands at the head of ``releases.yml``.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import own_data
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_ranges import VersionRange
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_values import (
    CatalogueError,
    finished_version,
    first_day,
    last_day,
    line_key,
    line_name,
    one_of,
    optional_version,
    text,
    texts,
)

#: Where rows that name no source come from: whoever runs the plan added them.
OWN_SOURCE = "inventory"
SEVERITIES = ("blocker", "warning")
RELATIONS = ("any", "auth-proxy", "auth-agent", "proxy-agent", "root-leaf")
AFFECTED = ("any", "auth", "proxy", "agent", "client", "leaf", "etcd", "dynamodb")

_BUILT_IN = "releases.yml"

T = TypeVar("T")

_LINE_READERS: dict[str, Callable[[object], Any]] = {
    "newest": finished_version,
    "minimum_safe": optional_version,
    "floor": optional_version,
    "why": text,
    "released": first_day,
    "end_of_life": last_day,
    "notes": text,
    "sources": texts,
}
_UNSAID: dict[str, Any] = {
    "floor": None,
    "why": "",
    "released": None,
    "end_of_life": None,
    "notes": "",
    "sources": (OWN_SOURCE,),
}


@dataclass(frozen=True)
class ReleaseLine:
    """One release line. ``minimum_safe`` is None when the line never got a safe patch."""

    line: str
    newest: Version
    minimum_safe: Version | None
    floor: Version | None
    why: str
    released: dt.date | None
    end_of_life: dt.date | None
    notes: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class BadRelease:
    """Versions that hurt by themselves."""

    versions: VersionRange
    affects: tuple[str, ...]
    severity: str
    reason: str
    cure: str
    source: str


@dataclass(frozen=True)
class BadPair:
    """A server and a client that do not work together although their lines do. ``between`` is one of `RELATIONS`."""

    server: VersionRange
    client: VersionRange
    between: str
    severity: str
    reason: str
    cure: str
    source: str


@dataclass(frozen=True)
class Rows:
    """Everything the catalogue knows; ``lines`` are in order, oldest first."""

    lines: tuple[ReleaseLine, ...]
    known_bad: tuple[BadRelease, ...]
    bad_pairs: tuple[BadPair, ...]


@functools.lru_cache(maxsize=1)
def built_in_rows() -> Rows:
    """Read the rows that come with the collection."""
    return merged_rows(Rows((), (), ()), own_data.read(_BUILT_IN), where=_BUILT_IN)


def merged_rows(base: Rows, data: object, where: str = "releases") -> Rows:
    """Lay own rows over the rows of a catalogue.

    ``data`` is None, a list of lines, or a mapping with the keys ``lines``, ``known_bad`` and ``bad_pairs``. A line
    that exists keeps what its new row does not name; of a new line every patch is safe unless its row says otherwise.
    A ``known_bad`` row replaces one for the same versions, a ``bad_pairs`` row one for the same server and client.
    ``where`` is what error messages call the data.

    :raises CatalogueError: with the path of the key that is wrong, e.g. ``releases.lines[0].newest``.
    """
    if data is None:
        return base
    parts = {"lines": data} if isinstance(data, list) else _mapping(data, where)
    _only_keys(parts, ("lines", "known_bad", "bad_pairs"), where)
    return Rows(
        lines=_merged_lines(base.lines, parts.get("lines"), f"{where}.lines"),
        known_bad=_replaced(
            base.known_bad,
            [BadRelease(**_bad_release(*row)) for row in _numbered(parts.get("known_bad"), f"{where}.known_bad")],
            key=lambda row: row.versions.clauses,
        ),
        bad_pairs=_replaced(
            base.bad_pairs,
            [BadPair(**_bad_pair(*row)) for row in _numbered(parts.get("bad_pairs"), f"{where}.bad_pairs")],
            key=lambda row: (row.server.clauses, row.client.clauses),
        ),
    )


def _replaced(old: Iterable[T], new: Iterable[T], key: Callable[[T], object]) -> tuple[T, ...]:
    return tuple({key(row): row for row in [*old, *new]}.values())


def _merged_lines(base: Iterable[ReleaseLine], data: object, where: str) -> tuple[ReleaseLine, ...]:
    lines = {row.line: row for row in base}
    for row, path in _numbered(data, where):
        merged = _line(row, path, lines)
        lines[merged.line] = merged
    return tuple(sorted(lines.values(), key=lambda row: line_key(row.line)))


def _line(row: Mapping[str, Any], path: str, known: Mapping[str, ReleaseLine]) -> ReleaseLine:
    _only_keys(row, ("line", *_LINE_READERS), path)
    name = _read(row, "line", path, line_name)
    old = known.get(name)
    values: dict[str, Any] = {"line": name, **(_fields(old) if old else _new_line(name))}
    values.update({key: _read(row, key, path, reader) for key, reader in _LINE_READERS.items() if key in row})
    if values.get("newest") is None:
        raise CatalogueError(f"{path}: a line new to the catalogue needs the key 'newest', e.g. newest: '{name}.…'")
    result = ReleaseLine(**values)
    _check_line(result, path)
    return result


def _new_line(name: str) -> dict[str, Any]:
    return {"minimum_safe": Version(*line_key(name), 0), **_UNSAID}


def _fields(row: ReleaseLine) -> dict[str, Any]:
    return {key: getattr(row, key) for key in _LINE_READERS}


def _check_line(row: ReleaseLine, path: str) -> None:
    for key in ("newest", "minimum_safe", "floor"):
        version: Version | None = getattr(row, key)
        if version is not None and version.line != row.line:
            raise CatalogueError(f"{path}.{key}: {version} belongs to line {version.line}, not to line {row.line}")
        if version is not None and version > row.newest:
            raise CatalogueError(
                f"{path}.{key}: {version} is above newest, which is {row.newest}; raise newest as well"
            )


def _bad_release(row: Mapping[str, Any], path: str) -> dict[str, Any]:
    _only_keys(row, ("versions", "affects", "severity", "reason", "cure", "source"), path)
    return {
        "versions": _read(row, "versions", path, VersionRange.parse),
        "affects": _read({"affects": ["any"], **row}, "affects", path, _affects),
        **_verdict(row, path),
    }


def _bad_pair(row: Mapping[str, Any], path: str) -> dict[str, Any]:
    _only_keys(row, ("server", "client", "between", "severity", "reason", "cure", "source"), path)
    return {
        "server": _read(row, "server", path, VersionRange.parse),
        "client": _read(row, "client", path, VersionRange.parse),
        "between": _read({"between": "any", **row}, "between", path, one_of(RELATIONS)),
        **_verdict(row, path),
    }


def _verdict(row: Mapping[str, Any], path: str) -> dict[str, Any]:
    full = {"severity": "blocker", "cure": "take another version", "source": OWN_SOURCE, **row}
    return {
        "severity": _read(full, "severity", path, one_of(SEVERITIES)),
        **{key: _read(full, key, path, text) for key in ("reason", "cure", "source")},
    }


def _numbered(data: object, where: str) -> list[tuple[Mapping[str, Any], str]]:
    if data is None:
        return []
    if not isinstance(data, list):
        raise CatalogueError(f"{where}: found {data!r}; allowed is a list of rows")
    return [(_mapping(row, f"{where}[{number}]"), f"{where}[{number}]") for number, row in enumerate(data)]


def _mapping(data: object, where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise CatalogueError(f"{where}: found {data!r}; allowed is a mapping of keys to values")
    return data


def _only_keys(row: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
    unknown = [key for key in row if key not in allowed]
    if unknown:
        raise CatalogueError(f"{where}.{unknown[0]}: there is no such key; allowed are {', '.join(allowed)}")


def _read(row: Mapping[str, Any], key: str, path: str, reader: Callable[[object], T]) -> T:
    if key not in row:
        raise CatalogueError(f"{path}: the key '{key}' is missing")
    try:
        return reader(row[key])
    except ValueError as error:
        raise CatalogueError(f"{path}.{key}: {error}") from error


def _affects(value: object) -> tuple[str, ...]:
    return tuple(one_of(AFFECTED)(item) for item in texts(value))
