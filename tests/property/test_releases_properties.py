# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue, CatalogueError, read_pins

CATALOGUE = Catalogue.load()
PLACES = st.integers(0, len(CATALOGUE.lines) + 5)
PATCHES = st.integers(0, 60)


@st.composite
def versions(draw: st.DrawFn) -> Version:
    """A version of any line, known or above."""
    numbers = [int(number) for number in CATALOGUE.line_at(draw(PLACES)).split(".")]
    minor = numbers[1] if len(numbers) > 1 else draw(st.integers(0, 12))
    return Version(numbers[0], minor, draw(PATCHES), draw(st.sampled_from(["", "", "rc.1"])))


@given(versions(), versions())
def test_order_of_lines_follows_the_order_of_versions(one: Version, other: Version) -> None:
    if one <= other:
        assert CATALOGUE.index(one) <= CATALOGUE.index(other)
    if CATALOGUE.index(one) == CATALOGUE.index(other):
        assert one.line == other.line


@given(PLACES)
def test_line_at_is_the_opposite_of_index(place: int) -> None:
    assert CATALOGUE.index(CATALOGUE.line_at(place)) == place


@given(versions(), versions())
def test_between_and_the_ends_are_consecutive(one: Version, other: Version) -> None:
    low, high = sorted([one, other])
    assume(low.line != high.line)
    lines = [low.line, *CATALOGUE.between(low, high), high.line]
    assert [CATALOGUE.line_at(CATALOGUE.index(line) + 1) for line in lines[:-1]] == lines[1:]


@given(versions(), versions())
def test_nobody_serves_a_newer_line_or_one_two_behind(server: Version, client: Version) -> None:
    behind = CATALOGUE.index(server) - CATALOGUE.index(client)
    if CATALOGUE.serves(server, client):
        assert behind in (0, 1)
    elif behind in (0, 1):
        assert CATALOGUE.bad_pairs_of(server, client)


@given(versions(), versions(), st.dictionaries(PLACES, PATCHES))
def test_path_is_one_version_per_line(start: Version, target: Version, chosen: dict[int, int]) -> None:
    assume(start <= target)
    pins = read_pins({line: f"{line}{'.0' * (2 - len(line.split('.')))}.{patch}" for line, patch in named(chosen)})
    unknown = [line for line in CATALOGUE.between(start, target) if line not in pins and not CATALOGUE.knows(line)]
    if unknown:
        with pytest.raises(CatalogueError, match=f"does not know release line {unknown[0]}"):
            CATALOGUE.path(start, target, pins)
        return
    path = CATALOGUE.path(start, target, pins)
    places = [CATALOGUE.index(version) for version in path]
    first, last = CATALOGUE.index(start), CATALOGUE.index(target)
    assert places == (list(range(first + 1, last + 1)) or [last] * (start != target))
    assert path[-1:] == [target] * (start != target)


def named(chosen: dict[int, int]) -> list[tuple[str, int]]:
    return [(CATALOGUE.line_at(place), patch) for place, patch in chosen.items()]


@given(versions(), versions())
def test_path_exists_up_and_not_down(one: Version, other: Version) -> None:
    assume(one != other)
    low, high = sorted([one, other])
    with contextlib.suppress(CatalogueError):
        assert CATALOGUE.path(low, high)[-1] == high
    with pytest.raises(CatalogueError, match="is a downgrade"):
        CATALOGUE.path(high, low)


ASCII = st.text("17.-x ", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ASCII,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["line", "newest", "lines"]), inner),
    max_leaves=8,
)


def refusal(data: object) -> str | None:
    try:
        Catalogue.load(data)
    except CatalogueError as error:
        return str(error)
    return None


@given(st.one_of(JSON, st.lists(st.fixed_dictionaries({"line": JSON, "newest": JSON, "released": JSON}), max_size=2)))
def test_any_overrides_are_taken_or_refused_with_a_path(data: object) -> None:
    message = refusal(data)
    assert message is None or message.startswith("releases")
