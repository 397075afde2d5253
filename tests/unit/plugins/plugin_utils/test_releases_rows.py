# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime as dt

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_rows import (
    OWN_SOURCE,
    ReleaseLine,
    Rows,
    built_in_rows,
    merged_rows,
)
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_values import CatalogueError

V = Version.parse
BASE = merged_rows(
    Rows((), (), ()),
    {
        "lines": [
            {
                "line": "16",
                "newest": "16.5.12",
                "minimum_safe": "16.5.2",
                "why": "a hole",
                "released": "2024-06",
                "end_of_life": "2025-02",
                "notes": "a note",
                "sources": ["a paper"],
            }
        ],
        "known_bad": [{"versions": "16.4.9", "reason": "no joining"}],
        "bad_pairs": [{"server": "16.1.0", "client": ">=16.0.0,<16.1.0", "reason": "no talking"}],
    },
)


def line(rows: Rows, name: str) -> ReleaseLine:
    return next(row for row in rows.lines if row.line == name)


def test_no_overrides_is_the_same_catalogue() -> None:
    assert merged_rows(BASE, None) is BASE
    assert merged_rows(BASE, []) == BASE
    assert merged_rows(BASE, {}) == BASE


def test_row_of_a_known_line_keeps_what_it_does_not_name() -> None:
    merged = line(merged_rows(BASE, [{"line": 16, "newest": "16.5.13"}]), "16")
    assert merged.newest == V("16.5.13")
    assert (merged.minimum_safe, merged.why, merged.notes) == (V("16.5.2"), "a hole", "a note")
    assert merged.sources == ("a paper",)


def test_row_of_a_known_line_can_take_the_minimum_away() -> None:
    assert line(merged_rows(BASE, [{"line": "16", "minimum_safe": None}]), "16").minimum_safe is None


def test_new_line_is_safe_unless_it_says_otherwise() -> None:
    rows = merged_rows(BASE, [{"line": "17", "newest": "17.0.3"}, {"line": "4.4", "newest": "4.4.1"}])
    assert [row.line for row in rows.lines] == ["4.4", "16", "17"]
    assert line(rows, "17").minimum_safe == V("17.0.0")
    assert line(rows, "4.4").minimum_safe == V("4.4.0")
    assert line(rows, "17").sources == (OWN_SOURCE,)
    unsafe = merged_rows(BASE, [{"line": "17", "newest": "17.0.3", "minimum_safe": None}])
    assert line(unsafe, "17").minimum_safe is None


def test_later_rows_build_on_earlier_ones() -> None:
    rows = merged_rows(BASE, [{"line": "17", "newest": "17.0.3"}, {"line": "17", "minimum_safe": "17.0.2"}])
    assert (line(rows, "17").newest, line(rows, "17").minimum_safe) == (V("17.0.3"), V("17.0.2"))


def test_known_bad_row_for_the_same_versions_replaces() -> None:
    data = {"known_bad": [{"versions": "==16.4.9", "reason": "only told", "severity": "warning"}]}
    (row,) = merged_rows(BASE, data).known_bad
    assert (row.reason, row.severity, row.affects, row.source) == ("only told", "warning", ("any",), OWN_SOURCE)


def test_known_bad_row_for_other_versions_is_added() -> None:
    data = {"known_bad": [{"versions": ">=16.4.9,<16.5.0", "reason": "worse"}]}
    assert [row.reason for row in merged_rows(BASE, data).known_bad] == ["no joining", "worse"]


def test_bad_pair_row_for_the_same_pair_replaces() -> None:
    same = {"server": "16.1.0", "client": ">=16.0.0,<16.1.0", "reason": "cured", "severity": "warning"}
    other = {"server": "16.1.0", "client": "16.0.0", "reason": "other", "between": "root-leaf"}
    rows = merged_rows(BASE, {"bad_pairs": [same, other]}).bad_pairs
    assert [(row.reason, row.between) for row in rows] == [("cured", "any"), ("other", "root-leaf")]


@pytest.mark.parametrize(
    ("released", "first", "end_of_life", "last"),
    [
        ("2024-02-29", dt.date(2024, 2, 29), "2025-02-28", dt.date(2025, 2, 28)),
        ("2023-02", dt.date(2023, 2, 1), "2024-02", dt.date(2024, 2, 29)),
        ("2023", dt.date(2023, 1, 1), "2024", dt.date(2024, 12, 31)),
        (dt.date(2023, 5, 8), dt.date(2023, 5, 8), 2024, dt.date(2024, 12, 31)),
        (None, None, None, None),
    ],
)
def test_dates(released: object, first: dt.date | None, end_of_life: object, last: dt.date | None) -> None:
    row = line(merged_rows(BASE, [{"line": "16", "released": released, "end_of_life": end_of_life}]), "16")
    assert (row.released, row.end_of_life) == (first, last)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("17", r"releases: found '17'; allowed is a mapping"),
        ({"line": "17"}, r"releases\.line: there is no such key; allowed are lines, known_bad, bad_pairs"),
        ({"lines": {"17": "17.0.1"}}, r"releases\.lines: found .*; allowed is a list of rows"),
        (["17"], r"releases\.lines\[0\]: found '17'; allowed is a mapping"),
        ([{"newest": "17.0.1"}], r"releases\.lines\[0\]: the key 'line' is missing"),
        ([{"line": "17"}], r"releases\.lines\[0\]: a line new to the catalogue needs the key 'newest'"),
        (
            [{"line": "17", "newst": "17.0.1"}],
            r"releases\.lines\[0\]\.newst: there is no such key; allowed are line, newest",
        ),
        ([{"line": "17.7", "newest": "17.7.1"}], r"releases\.lines\[0\]\.line: '17\.7' is not a release line"),
        ([{"line": "16"}, {"line": "17", "newest": 17}], r"releases\.lines\[1\]\.newest: 17 is not a Teleport version"),
        ([{"line": "17", "newest": "17.0.1-rc.1"}], r"releases\.lines\[0\]\.newest: 17\.0\.1-rc\.1 is a pre-release"),
        ([{"line": "17", "newest": "18.0.1"}], r"releases\.lines\[0\]\.newest: 18\.0\.1 belongs to line 18"),
        (
            [{"line": "16", "minimum_safe": "15.0.0"}],
            r"releases\.lines\[0\]\.minimum_safe: 15\.0\.0 belongs to line 15",
        ),
        (
            [{"line": "16", "floor": "16.9.0"}],
            r"releases\.lines\[0\]\.floor: 16\.9\.0 is above newest, which is 16\.5\.12",
        ),
        (
            [{"line": "16", "released": "last year"}],
            r"releases\.lines\[0\]\.released: found 'last year'; allowed is YYYY",
        ),
        ([{"line": "16", "released": "2024-13"}], r"releases\.lines\[0\]\.released: found '2024-13'"),
        ([{"line": "16", "end_of_life": "2023-02-29"}], r"releases\.lines\[0\]\.end_of_life: found '2023-02-29'"),
        ([{"line": "16", "sources": "a paper"}], r"releases\.lines\[0\]\.sources: found 'a paper'; allowed is a list"),
        ([{"line": "16", "sources": []}], r"releases\.lines\[0\]\.sources: found \[\]; allowed is a list"),
        ([{"line": "16", "why": " "}], r"releases\.lines\[0\]\.why: found ' '; allowed is a text"),
        ({"known_bad": [{"versions": "17.1.0"}]}, r"releases\.known_bad\[0\]: the key 'reason' is missing"),
        (
            {"known_bad": [{"versions": "~17.1.0", "reason": "x"}]},
            r"releases\.known_bad\[0\]\.versions: '~17\.1\.0' is not a Teleport version: '~17' is not a number",
        ),
        (
            {"known_bad": [{"versions": "17.1.0", "reason": "x", "severity": "fatal"}]},
            r"releases\.known_bad\[0\]\.severity: found 'fatal'; allowed are blocker, warning",
        ),
        (
            {"known_bad": [{"versions": "17.1.0", "reason": "x", "affects": ["printers"]}]},
            r"releases\.known_bad\[0\]\.affects: found 'printers'; allowed are any, auth",
        ),
        (
            {"bad_pairs": [{"server": "17.1.0", "client": "17.0.0", "reason": "x", "between": "friends"}]},
            r"releases\.bad_pairs\[0\]\.between: found 'friends'; allowed are any, auth-proxy",
        ),
        (
            {"bad_pairs": [{"server": "17.1.0", "reason": "x"}]},
            r"releases\.bad_pairs\[0\]: the key 'client' is missing",
        ),
        ({"bad_pairs": [{"serv": "17.1.0"}]}, r"releases\.bad_pairs\[0\]\.serv: there is no such key"),
    ],
)
def test_bad_data_names_its_key(data: object, message: str) -> None:
    with pytest.raises(CatalogueError, match=f"^({message})"):
        merged_rows(BASE, data)


def test_built_in_rows_are_read_once() -> None:
    assert built_in_rows() is built_in_rows()
