# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pickle

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.version import (
    Version,
    VersionError,
    VersionOutput,
    parse_version_output,
)

# The example of semver.org section 11.4, around versions that Teleport really printed.
ASCENDING = [
    "2.2.0-alpha",
    "2.2.0",
    "3.2.17",
    "3.2.18-gravity",
    "3.2.18",
    "4.4.0-1",
    "4.4.0-2",
    "4.4.0-10",
    "4.4.0-alpha",
    "4.4.0-alpha.1",
    "4.4.0-alpha.beta",
    "4.4.0-beta",
    "4.4.0-beta.2",
    "4.4.0-beta.11",
    "4.4.0-rc.1",
    "4.4.0",
    "4.4.12",
    "17.0.0-aa",
    "17.0.0-dev",
    "17.0.0",
    "18.0.0-prealpha.2",
]


def test_order_is_semver_precedence() -> None:
    versions = [Version.parse(text) for text in ASCENDING]
    shuffled = versions[::-1]
    assert sorted(shuffled) == versions
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize("text", [*ASCENDING, "17.7.20+build.7", "17.7.20-rc.1+0a1b"])
def test_prints_what_it_read(text: str) -> None:
    assert str(Version.parse(text)) == text
    assert str(Version.parse("  v" + text + "\n")) == text


def test_build_metadata_does_not_count() -> None:
    one, other = Version.parse("17.7.20+one"), Version.parse("17.7.20+other")
    assert one == other
    assert hash(one) == hash(other)
    assert (one < other) is False
    assert one.build == "one"


def test_is_a_plain_value() -> None:
    version = Version.parse("17.7.20-rc.1+b")
    assert pickle.loads(pickle.dumps(version)) == version
    with pytest.raises(AttributeError):
        version.major = 18  # type: ignore[misc]


def test_does_not_compare_with_text() -> None:
    text: object = "17.7.20"
    assert Version.parse(text) != text
    with pytest.raises(TypeError):
        sorted([Version.parse(text), text])  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("text", "line"),
    [("1.3.2", "1.3"), ("2.7.9", "2.7"), ("4.4.12", "4.4"), ("5.0.0", "5"), ("5.2.5", "5"), ("18.0.0-dev", "18")],
)
def test_line(text: str, line: str) -> None:
    assert Version.parse(text).line == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4.4.12", False),
        ("3.2.18-gravity", False),
        ("3.2.18-gravity.1", False),
        ("3.2.18-gravityx", True),
        ("4.4.0-alpha.1", True),
        ("4.4.0-beta.1", True),
        ("4.4.0-rc.1", True),
        ("17.0.0-dev", True),
        ("17.0.0-aa", True),
        ("18.0.0-prealpha.2", True),
        ("17.7.20-cloud.1", True),
        ("17.7.20+build", False),
    ],
)
def test_prerelease_policy(text: str, expected: bool) -> None:
    assert Version.parse(text).is_prerelease is expected


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("17", "1 number instead"),
        ("17.7", "2 numbers instead"),
        ("17.7.20.1", "4 numbers instead"),
        ("17.x", "'x' stands where a number belongs"),
        ("17.7.*", "'*' stands where a number belongs"),
        ("v17..1", "a number is missing beside a dot"),
        ("17.7.", "a number is missing beside a dot"),
        ("17.7.2O", "'2O' is not a number"),
        ("vv17.7.20", "'v17' is not a number"),
        ("latest", "'latest' is not a number"),
        ("17.7.2٣", "is not a number"),
        ("17.07.2", "07 has a leading zero"),
        ("17.7.20-", "the suffix after 17.7.20 is malformed"),
        ("17.7.20-rc..1", "the suffix after 17.7.20 is malformed"),
        ("17.7.20-rc.01", "the suffix after 17.7.20 is malformed"),
        ("17.7.20+", "the suffix after 17.7.20 is malformed"),
        (17.7, "put it in quotes"),
        (17, "put it in quotes"),
        (None, "it is not a text"),
        ("9" * 5000, "longer than 128 characters"),
    ],
)
def test_typos_are_explained(found: object, reason: str) -> None:
    with pytest.raises(VersionError) as caught:
        Version.parse(found)
    message = str(caught.value)
    assert reason in message
    assert "allowed is X.Y.Z, e.g. 17.7.20" in message
    assert repr(found) in message or message.startswith("'9999")
    assert len(message) < 300


def output(version: str, edition: str = "community", go: str | None = None, tag: str | None = None) -> VersionOutput:
    return VersionOutput(Version.parse(version), edition, go, None if tag is None else Version.parse(tag))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Teleport v2.5.6 git:v2.5.6-0-g81d77d2\n", output("2.5.6", tag="2.5.6")),
        ("Teleport v2.2.0-alpha git:\n", output("2.2.0-alpha")),
        ("Teleport v4.2.12 git: go1.13.2\n", output("4.2.12", go="go1.13.2")),
        ("Teleport v4.2.12 git:v4.2.12-0-g12d07cbf3 go1.13.2\n", output("4.2.12", go="go1.13.2", tag="4.2.12")),
        (
            "Teleport v3.2.18-gravity git:v3.2.17-0-gf1f03fe76 go1.15.15\n",
            output("3.2.18-gravity", go="go1.15.15", tag="3.2.17"),
        ),
        ("Teleport v4.4.1 git:v4.4.0-21-g0123abc go1.14.4\n", output("4.4.1", go="go1.14.4")),
        ("Teleport v4.4.1 git:master-0-g0123abc go1.14.4\n", output("4.4.1", go="go1.14.4")),
        ("Teleport v4.4.1 git:vnext-0-g0123abc go1.14.4\n", output("4.4.1", go="go1.14.4")),
        (
            "Teleport Enterprise v17.2.0 git:v17.2.0-0-gabcdef0 go1.23.4\n",
            output("17.2.0", "enterprise", "go1.23.4", "17.2.0"),
        ),
        (
            "Teleport Enterprise v17.2.0 git:v17.2.0-0-gabcdef0 go1.23.4 X:boringcrypto\n",
            output("17.2.0", "fips", "go1.23.4", "17.2.0"),
        ),
        ("Teleport v18.0.0-dev git:api/v18-3-gabc devel go1.24-9f0\n", output("18.0.0-dev", go="go1.24-9f0")),
        ("17.7.20\n", output("17.7.20")),
        ("v17.7.20\n", output("17.7.20")),
        ("\x1b[1mTeleport v16.5.12\x1b[0m git: go1.22.1\r\n", output("16.5.12", go="go1.22.1")),
        (
            "A new version 18.1.0 is out.\nTeleport v17.7.20 git: go1.23.4\nProxy version: 18.1.0\nProxy: p.test\n",
            output("17.7.20", go="go1.23.4"),
        ),
        ("17.7.20\nTeleport v17.7.19 git: go1.23.4\n", output("17.7.19", go="go1.23.4")),
    ],
)
def test_version_output(text: str, expected: VersionOutput) -> None:
    assert parse_version_output(text) == expected


def test_release_of_a_vendor_build_is_its_tag() -> None:
    assert str(parse_version_output("Teleport v3.2.18-gravity git:v3.2.17-0-gf1f03fe76 go1.15.15").release) == "3.2.17"
    assert str(parse_version_output("Teleport v3.2.18-gravity git: go1.15.15").release) == "3.2.18-gravity"


def test_release_of_other_builds_is_their_version() -> None:
    assert str(parse_version_output("Teleport v4.4.12 git:v4.4.11-0-gabc go1.15").release) == "4.4.12"
    assert str(parse_version_output("Teleport v4.4.12-rc.1 git:v4.4.11-0-gabc go1.15").release) == "4.4.12-rc.1"


@pytest.mark.parametrize("text", ["", "ERROR: bad command\n", "Proxy version: 17.7.20\n", "OpenSSH_8.9p1"])
def test_output_without_version(text: str) -> None:
    with pytest.raises(VersionError, match=r"found no version in the output .*expected a line such as"):
        parse_version_output(text)


def test_output_with_damaged_version_names_it() -> None:
    with pytest.raises(VersionError, match=r"'17\.7' is not a Teleport version"):
        parse_version_output("Teleport v17.7 git: go1.23.4")
