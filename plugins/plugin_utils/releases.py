# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release catalogue: which release lines there are, in which order, what to pick from them, and who serves whom.

The data is in ``releases.yml``; inventories can add to it and override it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.lockstep.teleport.plugins.module_utils.version import FIRST_MAJOR_LINE, Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_rows import (
    BadPair,
    BadRelease,
    ReleaseLine,
    Rows,
    built_in_rows,
    merged_rows,
)
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_values import (
    CatalogueError,
    line_key,
    line_name,
)

__all__ = ["BadPair", "BadRelease", "Catalogue", "CatalogueError", "ReleaseLine", "read_pins"]


class Catalogue:
    """The ordered release lines with what is known of each.

    Lines above the newest known one are taken to be majors that follow one another, so versions of them can be
    ordered; nothing else is known of them.
    """

    def __init__(self, rows: Rows) -> None:
        self.lines = tuple(_without_gaps([row.line for row in rows.lines]))
        self.bad_pairs = rows.bad_pairs
        self._known_bad = rows.known_bad
        self._rows = {row.line: row for row in rows.lines}
        self._index = {line: index for index, line in enumerate(self.lines)}
        self._last_major = line_key(self.lines[-1])[0]
        # A plan asks about tens of thousands of instances, which run a handful of versions.
        self._served: dict[tuple[Version, Version], bool] = {}

    @classmethod
    def load(cls, overrides: object = None) -> Catalogue:
        """Return the catalogue of the collection with ``overrides`` (see `merged_rows`) laid over it.

        :raises CatalogueError: with the path of the key in the overrides that is wrong.
        """
        return cls(merged_rows(built_in_rows(), overrides))

    def knows(self, line: str) -> bool:
        """Whether the catalogue has a row for the line."""
        return line in self._rows

    def index(self, of: Version | str) -> int:
        """Return the place of a version's line, or of a line by name, in the order of lines; neighbours differ by 1.

        :raises CatalogueError: when there is no such line.
        """
        line = of if isinstance(of, str) else of.line
        index = self._index.get(line)
        return self._index_beyond(line) if index is None else index

    def _index_beyond(self, line: str) -> int:
        beyond = line_key(line)[0] - self._last_major
        if beyond <= 0:
            raise CatalogueError(
                f"{line} is not a release line of Teleport; lines are {', '.join(self.lines)} and later majors. "
                "If it exists all the same, add it to the catalogue"
            )
        return len(self.lines) - 1 + beyond

    def line_at(self, index: int) -> str:
        """Return the name of the line at a place; the opposite of `index`."""
        beyond = index - (len(self.lines) - 1)
        return str(self._last_major + beyond) if beyond > 0 else self.lines[index]

    def between(self, lower: Version | str, upper: Version | str) -> list[str]:
        """Return the lines above ``lower`` and below ``upper``, oldest first."""
        return [self.line_at(index) for index in range(self.index(lower) + 1, self.index(upper))]

    def row(self, line: str) -> ReleaseLine:
        """Return everything known of a line.

        :raises CatalogueError: when the catalogue does not know it; the message says how to pin it.
        """
        if line in self._rows:
            return self._rows[line]
        self.index(line)
        raise CatalogueError(
            f"the catalogue does not know release line {line}; pin a version for it, "
            f"e.g. teleport_hop_versions: {{'{line}': '{Version(*line_key(line), 1)}'}}, or add it to the catalogue"
        )

    def newest_good(self, line: str) -> Version:
        """Return the newest patch of a line that nothing is known against. Raises like `row`."""
        return self.row(line).newest

    def minimum_safe(self, line: str) -> Version | None:
        """Return the lowest patch of a line that may be run; None when there is none, or the line is not known."""
        return self._rows[line].minimum_safe if line in self._rows else None

    def never_safe(self, line: str) -> bool:
        """Whether the line is known and never got a safe patch: a reason to warn, and to leave it, not to refuse it."""
        return self.knows(line) and self._rows[line].minimum_safe is None

    def known_bad(self, version: Version) -> list[BadRelease]:
        """Return what is known against a version by itself, blockers and warnings."""
        return [row for row in self._known_bad if version in row.versions]

    def bad_pairs_of(self, server: Version, client: Version) -> list[BadPair]:
        """Return what is known against a server and a client together, beyond the order of lines."""
        return [row for row in self.bad_pairs if server in row.server and client in row.client]

    def serves(self, server: Version, client: Version) -> bool:
        """Whether a server serves a client: the client's line is the server's or the one before, and nothing is known.

        The rule is upstream's ("servers support clients that are one major version behind, but do not support clients
        that are on a newer major version"; one minor before 5.0). Known pairs that only deserve a warning do not count.

        :raises CatalogueError: when a version belongs to no release line.
        """
        served = self._served.get((server, client))
        if served is None:
            behind = self.index(server) - self.index(client)
            blocked = any(row.severity == "blocker" for row in self.bad_pairs_of(server, client))
            served = self._served[server, client] = behind in (0, 1) and not blocked
        return served

    def path(self, start: Version, target: Version, pins: Mapping[str, Version] | None = None) -> list[Version]:
        """Return the versions to go through after ``start``, one per line, the last one being ``target``.

        Lines between take their pin (see `read_pins`), or else the newest good patch. Empty when nothing is to be done.

        :raises CatalogueError: for a downgrade, for a version that belongs to no line, and when a line between is
            neither known nor pinned.
        """
        if target < start:
            raise CatalogueError(
                f"going from {start} to {target} is a downgrade; Teleport only goes back by restoring a backup. "
                f"Name a target that is {start} or newer"
            )
        if target == start:
            return []
        return [*self._intermediate(start, target, pins or {}), target]

    def _intermediate(self, start: Version, target: Version, pins: Mapping[str, Version]) -> Iterator[Version]:
        for line in self.between(start, target):
            yield pins[line] if line in pins else self.newest_good(line)


def _without_gaps(lines: Iterable[str]) -> Iterator[str]:
    """Give majors that nobody described their place: whoever adds 20 and not 19 must not make 18 and 20 neighbours."""
    described = sorted(lines, key=line_key)
    yield from (line for line in described if line_key(line)[0] < FIRST_MAJOR_LINE)
    majors = [line_key(line)[0] for line in described if line_key(line)[0] >= FIRST_MAJOR_LINE]
    yield from (str(major) for major in range(majors[0], majors[-1] + 1))


def read_pins(data: object, where: str = "hop_versions") -> dict[str, Version]:
    """Read pinned intermediate versions by line, e.g. ``{"4.4": "4.4.12", "6": "6.2.31"}``.

    Pre-releases are read as well: whether they are allowed is the plan's business.

    :raises CatalogueError: with the path of the key that is wrong, e.g. ``hop_versions.4.4``.
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise CatalogueError(
            f"{where}: found {data!r}; allowed is a mapping of lines to versions, e.g. {{'6': '6.2.31'}}"
        )
    return dict(_pin(key, value, f"{where}.{key}") for key, value in data.items())


def _pin(key: object, value: object, path: str) -> tuple[str, Version]:
    try:
        line, version = line_name(key), Version.parse(value)
    except ValueError as error:
        raise CatalogueError(f"{path}: {error}") from error
    if version.line != line:
        raise CatalogueError(f"{path}: {version} belongs to line {version.line}, not to line {line}")
    return line, version
