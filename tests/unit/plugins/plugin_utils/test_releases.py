# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime as dt

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue, CatalogueError, read_pins

V = Version.parse
CATALOGUE = Catalogue.load()


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("2.0", "2.2"),
        ("2.7", "3.0"),
        ("3.2", "4.0"),
        ("4.3", "4.4"),
        ("4.4", "5"),
        ("17", "18"),
        ("18", "19"),
        ("30", "31"),
    ],
)
def test_neighbours(lower: str, upper: str) -> None:
    assert CATALOGUE.line_at(CATALOGUE.index(lower) + 1) == upper
    assert CATALOGUE.index(upper) - CATALOGUE.index(lower) == 1


def test_index_of_a_version_is_that_of_its_line() -> None:
    assert CATALOGUE.index(V("4.4.12")) == CATALOGUE.index("4.4") == CATALOGUE.index(V("4.4.0-alpha.1"))
    assert CATALOGUE.index(V("17.0.0")) == CATALOGUE.index(V("17.7.20"))


@pytest.mark.parametrize("version", ["1.3.2", "2.1.0", "2.8.0", "3.3.0", "4.5.0"])
def test_lines_that_never_were(version: str) -> None:
    with pytest.raises(
        CatalogueError, match=rf"{V(version).line} is not a release line of Teleport; lines are 2\.0, 2\.2"
    ):
        CATALOGUE.index(V(version))


@pytest.mark.parametrize("name", ["", "four", "5.2", "4", "17.7.20", "v17", "017"])
def test_names_that_are_no_lines(name: str) -> None:
    with pytest.raises(CatalogueError, match="is not a release line"):
        CATALOGUE.index(name)


def test_between() -> None:
    assert CATALOGUE.between(V("3.1.3"), V("5.2.5")) == ["3.2", "4.0", "4.1", "4.2", "4.3", "4.4"]
    assert CATALOGUE.between("4.4", "5") == []
    assert CATALOGUE.between("6", "6") == []
    assert CATALOGUE.between("17", "21") == ["18", "19", "20"]


def test_unknown_lines_above_are_only_unknown() -> None:
    assert not CATALOGUE.knows("19")
    assert CATALOGUE.minimum_safe("19") is None
    assert not CATALOGUE.never_safe("19")
    assert CATALOGUE.serves(V("20.1.0"), V("19.0.3"))
    with pytest.raises(CatalogueError, match=r"does not know release line 19; pin a version .*\{'19': '19\.0\.1'\}"):
        CATALOGUE.newest_good("19")


def test_end_of_life() -> None:
    assert CATALOGUE.row("16").end_of_life == dt.date(2025, 10, 31)
    assert CATALOGUE.row("17").end_of_life == dt.date(2026, 8, 31)


@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        ("6.0.0", "5.2.1", True),
        ("5.2.1", "6.0.0", False),
        ("6.0.0", "4.4.12", False),
        ("5.0.0", "4.4.0", True),
        ("4.4.0", "5.0.0", False),
        ("4.0.0", "3.2.15", True),
        ("4.0.0", "3.2.18-gravity", True),
        ("4.0.0", "3.1.14", False),
        ("4.2.12", "4.1.0", True),
        ("4.2.12", "4.0.16", False),
        ("2.2.7", "2.0.6", True),
        ("17.5.2", "17.7.20", True),
        ("17.0.0-aa", "16.5.12", True),
        ("18.2.10", "18.3.0", False),
        ("18.2.11", "18.3.0", True),
        ("18.3.0", "18.2.10", True),
        ("11.1.4", "11.1.2", False),
        ("11.2.0", "11.1.2", True),
        ("10.3.16", "9.3.26", True),
    ],
)
def test_serves(server: str, client: str, expected: bool) -> None:
    assert CATALOGUE.serves(V(server), V(client)) is expected


def test_pairs_that_only_deserve_a_warning_are_told() -> None:
    (pair,) = CATALOGUE.bad_pairs_of(V("10.3.16"), V("9.3.26"))
    assert (pair.between, pair.severity) == ("root-leaf", "warning")


@pytest.mark.parametrize(
    ("start", "target", "expected"),
    [
        ("4.1.3", "6.2.31", ["4.2.12", "4.3.10", "4.4.12", "5.2.5", "6.2.31"]),
        ("3.2.17", "4.0.16", ["4.0.16"]),
        ("17.7.19", "17.7.20", ["17.7.20"]),
        ("17.7.20", "17.7.20", []),
        ("17.7.20-rc.1", "17.7.20", ["17.7.20"]),
        ("17.7.20+one", "17.7.20+other", []),
    ],
)
def test_path(start: str, target: str, expected: list[str]) -> None:
    assert [str(version) for version in CATALOGUE.path(V(start), V(target))] == expected


def test_path_takes_pins_for_lines_between_only() -> None:
    pins = read_pins({"4.4": "4.4.10", "5": "5.2.3", "6": "6.0.0", "8": "8.3.18"})
    path = CATALOGUE.path(V("4.3.10"), V("6.2.31"), pins)
    assert [str(version) for version in path] == ["4.4.10", "5.2.3", "6.2.31"]


def test_path_through_an_unknown_line_needs_a_pin() -> None:
    with pytest.raises(CatalogueError, match="does not know release line 19"):
        CATALOGUE.path(V("18.10.1"), V("20.0.1"))
    path = CATALOGUE.path(V("18.10.1"), V("20.0.1"), read_pins({"19": "19.2.0"}))
    assert [str(version) for version in path] == ["19.2.0", "20.0.1"]


def test_path_never_goes_down() -> None:
    with pytest.raises(CatalogueError, match=r"from 6\.2\.31 to 6\.2\.30 is a downgrade"):
        CATALOGUE.path(V("6.2.31"), V("6.2.30"))


def test_pins_that_yaml_read_as_numbers() -> None:
    assert read_pins({4.4: "4.4.12", 6: "v6.2.31"}) == {"4.4": V("4.4.12"), "6": V("6.2.31")}
    assert read_pins(None) == {}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (["6.2.31"], r"hop_versions: found \['6\.2\.31'\]; allowed is a mapping"),
        ({"6": "6.x"}, r"hop_versions\.6: '6\.x' is not a Teleport version: 'x' stands"),
        ({"6": 6.2}, r"hop_versions\.6: 6\.2 is not a Teleport version: .*put it in quotes"),
        ({"6": "5.2.5"}, r"hop_versions\.6: 5\.2\.5 belongs to line 5, not to line 6"),
        ({"6.2": "6.2.31"}, r"hop_versions\.6\.2: '6\.2' is not a release line; allowed is major\.minor below 5"),
    ],
)
def test_bad_pins_name_their_key(data: object, message: str) -> None:
    with pytest.raises(CatalogueError, match=f"^{message}"):
        read_pins(data)


def test_added_line_does_not_make_others_neighbours() -> None:
    catalogue = Catalogue.load([{"line": "20", "newest": "20.1.0"}])
    assert catalogue.between("18", "20") == ["19"]
    assert catalogue.knows("20")
    assert not catalogue.knows("19")
    assert catalogue.lines[-3:] == ("18", "19", "20")


def test_overrides_do_not_leak_into_the_built_in_rows() -> None:
    assert str(Catalogue.load([{"line": "17", "newest": "17.99.0"}]).newest_good("17")) == "17.99.0"
    assert str(Catalogue.load().newest_good("17")) != "17.99.0"
