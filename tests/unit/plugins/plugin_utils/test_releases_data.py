# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks every row of the release catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import releases_rows
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import BadPair, BadRelease, Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_ranges import VersionRange
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_rows import OWN_SOURCE, ReleaseLine

ROWS = releases_rows.built_in_rows()
CATALOGUE = Catalogue.load()
DATA = yaml.safe_load(Path(releases_rows.__file__).with_name("releases.yml").read_text(encoding="utf-8"))

# What a reader can look up: upstream's changelog, a tag, a thread, an advisory, a design document, a program's output.
SOURCE = re.compile(
    r"CHANGELOG[ ,].*|tag v\d+\.\d+\.\d+|release v\S+|(PR|issue)s? \d+(, \d+)*|GHSA(-[0-9a-z]{4}){3}|RFD \d+"
    r"|output of .+"
)

# Released from upstream's tags and run when this table was written; the catalogue may name later ones.
KNOWN_TO_EXIST = ["4.0.16", "4.1.11", "4.2.12", "4.3.10", "4.4.12", "5.2.5", "6.2.31", "7.3.21", "8.3.12", "17.7.20"]


def line_id(row: ReleaseLine) -> str:
    return row.line


each_line = pytest.mark.parametrize("row", ROWS.lines, ids=line_id)


def sources_of(text: str) -> list[str]:
    return [part.strip() for part in text.split(";")]


def test_lines_are_written_in_order() -> None:
    assert [row["line"] for row in DATA["lines"]] == list(CATALOGUE.lines)


def test_order_is_unbroken() -> None:
    minors = ["2.0", *(f"2.{minor}" for minor in range(2, 8)), *(f"3.{minor}" for minor in range(3))]
    assert list(CATALOGUE.lines) == [
        *minors,
        *(f"4.{minor}" for minor in range(5)),
        *(str(major) for major in range(5, 19)),
    ]


@each_line
def test_line_has_sources(row: ReleaseLine) -> None:
    assert row.sources
    assert OWN_SOURCE not in row.sources
    for source in row.sources:
        assert SOURCE.fullmatch(source), source


@each_line
def test_floors_belong_to_the_line_and_are_reachable(row: ReleaseLine) -> None:
    for floor in (row.minimum_safe, row.floor):
        assert floor is None or (floor.line == row.line and floor <= row.newest)
    assert row.newest.line == row.line


@each_line
def test_floor_is_explained(row: ReleaseLine) -> None:
    has_floor = row.minimum_safe is not None or row.floor is not None
    assert bool(row.why) is has_floor
    assert row.minimum_safe is None or row.floor is None


@each_line
def test_newest_is_finished_and_not_known_bad(row: ReleaseLine) -> None:
    assert not row.newest.is_prerelease
    assert [bad for bad in CATALOGUE.known_bad(row.newest) if bad.severity == "blocker"] == []


@each_line
def test_support_ends_after_it_begins(row: ReleaseLine) -> None:
    assert row.released is not None
    assert row.end_of_life is not None
    assert row.released < row.end_of_life


@each_line
def test_only_lines_from_12_on_got_the_fix_of_cve_2025_49825(row: ReleaseLine) -> None:
    assert CATALOGUE.never_safe(row.line) is (CATALOGUE.index(row.line) < CATALOGUE.index("12"))


@pytest.mark.parametrize("key", ["released", "end_of_life"])
def test_dates_never_go_back(key: str) -> None:
    # As written: 2018 sorts before 2018-10, and says no more than that.
    dates = [row[key] for row in DATA["lines"]]
    assert dates == sorted(dates)


def test_support_of_old_lines_ended_with_the_third_line_after() -> None:
    lines = DATA["lines"]
    old = lines[: CATALOGUE.index("16")]
    month = len("2024-06")
    assert [row["end_of_life"] for row in old] == [row["released"][:month] for row in lines[3 : len(old) + 3]]


def test_newest_patches_rise_with_the_lines() -> None:
    newest = [row.newest for row in ROWS.lines]
    assert newest == sorted(newest)


@pytest.mark.parametrize("text", KNOWN_TO_EXIST)
def test_newest_is_not_behind_what_exists(text: str) -> None:
    version = Version.parse(text)
    assert CATALOGUE.newest_good(version.line) >= version


@pytest.mark.parametrize(
    ("line", "minimum"),
    [("12", "12.4.35"), ("13", "13.4.27"), ("14", "14.4.1"), ("15", "15.5.3"), ("16", "16.5.12"), ("17", "17.5.2")],
)
def test_minimum_safe_patches_are_those_of_the_advisory(line: str, minimum: str) -> None:
    assert str(CATALOGUE.minimum_safe(line)) == minimum


@pytest.mark.parametrize("text", ["17.7.20", "16.5.12", "18.8.2", "18.10.1", "6.2.31", "4.4.12"])
def test_good_targets_have_nothing_against_them(text: str) -> None:
    version = Version.parse(text)
    minimum = CATALOGUE.minimum_safe(version.line)
    assert minimum is None or version >= minimum
    assert [bad for bad in CATALOGUE.known_bad(version) if bad.severity == "blocker"] == []


@pytest.mark.parametrize("text", ["10.0.0-rc.1", "11.0.0-rc.1", "18.0.0-rc.1", "19.0.0-rc.1"])
def test_what_is_bad_in_a_line_is_not_said_of_the_pre_releases_of_the_next(text: str) -> None:
    version = Version.parse(text)
    ranges = [row.versions for row in ROWS.known_bad]
    ranges += [side for row in ROWS.bad_pairs for side in (row.server, row.client)]
    begun = [side.text for side in ranges if version in side and Version(version.major - 1, 99, 0) in side]
    assert begun == []


OLD_REFUSED = ["2.6.8", "2.7.1", "4.3.0", "4.3.5", "6.2.0", "11.1.4", "16.0.0", "16.4.9"]
REFUSED = [*OLD_REFUSED, "17.1.0", "17.5.5", "18.0.1", "18.1.7", "18.7.6", "18.8.0", "18.8.1"]


@pytest.mark.parametrize("text", REFUSED)
def test_known_bad_releases_are_refused(text: str) -> None:
    assert "blocker" in {bad.severity for bad in CATALOGUE.known_bad(Version.parse(text))}


@pytest.mark.parametrize("row", ROWS.known_bad, ids=lambda row: row.versions.text)
def test_known_bad_row(row: BadRelease) -> None:
    assert all(SOURCE.fullmatch(source) for source in sources_of(row.source)), row.source
    assert row.reason != row.cure
    assert {bound.line for _operator, bound in row.versions.clauses} & set(CATALOGUE.lines)


def first_in(versions: VersionRange) -> Version:
    """The lowest version that a row is about."""
    return versions.clauses[0][1]


def first_behind(versions: VersionRange) -> Version:
    """A version that a row is not about any more: where its range ends, or the next patch."""
    (_operator, last) = versions.clauses[-1]
    return last if len(versions.clauses) > 1 else Version(last.major, last.minor, last.patch + 1)


@pytest.mark.parametrize("row", ROWS.known_bad, ids=lambda row: row.versions.text)
def test_a_plan_is_warned_of_a_known_bad_version_and_not_of_what_follows_it(row: BadRelease) -> None:
    def told(target: Version) -> set[tuple[str, str]]:
        before = CATALOGUE.line_at(CATALOGUE.index(target) - 1)
        auth = {"host": "a", "services": ["auth"], "version": str(CATALOGUE.newest_good(before)), "cluster": "main"}
        waivers = ["no-safe-release", "below-minimum-safe", "end-of-life"]
        plan = plan_upgrade({"target_version": str(target), "instances": [auth], "waivers": waivers}).plan
        return {(found["code"], found["severity"]) for found in plan["findings"] if row.reason in found["message"]}

    assert told(first_in(row.versions)) == {("known-bad", row.severity)}
    assert told(first_behind(row.versions)) == set()


@pytest.mark.parametrize("row", ROWS.bad_pairs, ids=lambda row: f"{row.server.text} {row.client.text}")
def test_a_bad_pair_is_about_no_other_versions(row: BadPair) -> None:
    server, client = first_in(row.server), first_in(row.client)
    assert row in CATALOGUE.bad_pairs_of(server, client)
    assert row not in CATALOGUE.bad_pairs_of(first_behind(row.server), client)
    assert row not in CATALOGUE.bad_pairs_of(server, first_behind(row.client))


@pytest.mark.parametrize("row", ROWS.bad_pairs, ids=lambda row: f"{row.server.text} {row.client.text}")
def test_bad_pair_row_says_more_than_the_order_of_lines(row: BadPair) -> None:
    assert all(SOURCE.fullmatch(source) for source in sources_of(row.source)), row.source
    server, client = row.server.clauses[0][1], row.client.clauses[0][1]
    assert CATALOGUE.index(server) - CATALOGUE.index(client) in (0, 1)
    assert row in CATALOGUE.bad_pairs_of(server, client)
