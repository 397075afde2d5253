# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import functools
import string

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils.version import (
    Version,
    VersionError,
    parse_version_output,
)

NUMBERS = st.one_of(st.integers(0, 20), st.integers(0, 10**9)).map(str)
LETTERS = string.ascii_letters + "-"
WORDS = st.builds(
    "{}{}{}".format, st.sampled_from(["", "0", "12"]), st.sampled_from(LETTERS), st.text(LETTERS + "09", max_size=5)
)
PRERELEASES = st.lists(st.one_of(NUMBERS, WORDS), min_size=1, max_size=3).map(".".join)
BUILDS = st.lists(st.text(LETTERS + string.digits, min_size=1, max_size=8), min_size=1, max_size=2).map(".".join)


@st.composite
def version_texts(draw: st.DrawFn) -> str:
    text = ".".join(draw(NUMBERS) for _number in range(3))
    if draw(st.booleans()):
        text += "-" + draw(PRERELEASES)
    if draw(st.booleans()):
        text += "+" + draw(BUILDS)
    return text


# Digits, blanks and line ends that are none in ASCII, and the start of a colour.
ODD = string.printable + "\u0663\u00b2\u00a0\u2028\x85\x1b\u2603"
VERSIONS = version_texts().map(Version.parse)


def compared(one: str, other: str) -> int:
    """Compare pre-release identifiers by the words of semver, section 11.4."""
    if one == other:
        return 0
    if one.isdigit() and other.isdigit():
        return -1 if int(one) < int(other) else 1
    if one.isdigit() != other.isdigit():
        return -1 if one.isdigit() else 1
    return -1 if one.encode("ascii") < other.encode("ascii") else 1


def precedence(one: Version, other: Version) -> int:
    """Semver precedence, written again and differently: -1, 0 or 1."""
    for name in ("major", "minor", "patch"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs:
            return -1 if mine < theirs else 1
    if not one.prerelease or not other.prerelease:
        return bool(other.prerelease) - bool(one.prerelease)
    mine, theirs = one.prerelease.split("."), other.prerelease.split(".")
    for pair in zip(mine, theirs, strict=False):
        if compared(*pair):
            return compared(*pair)
    return (len(mine) > len(theirs)) - (len(mine) < len(theirs))


@given(version_texts())
def test_round_trip(text: str) -> None:
    version = Version.parse(text)
    assert str(version) == text
    again = Version.parse("v" + str(version))
    assert (again, again.build) == (version, version.build)


@given(VERSIONS, VERSIONS)
def test_order_is_semver_precedence(one: Version, other: Version) -> None:
    expected = precedence(one, other)
    assert (one < other, one == other, one > other) == (expected < 0, expected == 0, expected > 0)
    assert (one <= other, one >= other) == (expected <= 0, expected >= 0)
    if one == other:
        assert hash(one) == hash(other)


@given(st.lists(VERSIONS, max_size=8))
def test_order_is_total(versions: list[Version]) -> None:
    assert sorted(versions) == sorted(versions, key=functools.cmp_to_key(precedence))


@given(VERSIONS, VERSIONS, VERSIONS)
def test_order_is_transitive(one: Version, two: Version, three: Version) -> None:
    low, middle, high = sorted([one, two, three])
    assert low <= middle <= high
    assert low <= high


@given(st.one_of(st.text(ODD, max_size=40), st.text("v0123456789.-+xabc ", max_size=20)))
def test_anything_else_is_a_version_error(text: str) -> None:
    with contextlib.suppress(VersionError):
        assert str(Version.parse(text)) == text.strip().removeprefix("v")


@given(VERSIONS, st.sampled_from(["", " Enterprise"]), st.sampled_from(["", "go1.23.4", "go1.23.4 X:boringcrypto"]))
def test_output_holds_the_version(version: Version, edition: str, go: str) -> None:
    output = f"\x1b[33ma hint\x1b[0m\nTeleport{edition} v{version} git: {go}\nProxy version: 1.0.0\n"
    found = parse_version_output(output)
    assert (found.version, found.version.build) == (version, version.build)
    assert found.go == (go.split(maxsplit=1)[0] if go else None)


@given(st.one_of(st.text(ODD, max_size=200), st.text(ODD, max_size=40).map("Teleport v17.7.20 {}".format)))
def test_any_output_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(VersionError):
        parse_version_output(text)
