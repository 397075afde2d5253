# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.filter.upgrade_path import FilterModule

upgrade_path = FilterModule().filters()["upgrade_path"]


def test_names_one_version_for_each_line() -> None:
    assert upgrade_path("4.1.3", "6.2.31") == ["4.2.12", "4.3.10", "4.4.12", "5.2.5", "6.2.31"]


def test_takes_what_people_write_and_gives_plain_versions() -> None:
    assert upgrade_path("v17.7.19", " v17.7.20\n") == ["17.7.20"]


def test_nothing_to_do() -> None:
    assert upgrade_path("17.7.20", "v17.7.20") == []


def test_pins_and_rows_of_the_inventory() -> None:
    releases = [{"line": 19, "newest": "19.2.0"}]
    assert upgrade_path("17.7.20", "20.0.1", hop_versions={18: "18.8.3"}, releases=releases) == [
        "18.8.3",
        "19.2.0",
        "20.0.1",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("6.2.31", "4.1.3"), "from 6.2.31 to 4.1.3 is a downgrade"),
        (("6.2", "7.3.26"), "'6.2' is not a Teleport version: it has 2 numbers instead of three"),
        (("6.2.31", 7), "7 is not a Teleport version: it is not a text"),
        (("1.3.2", "2.2.7"), "1.3 is not a release line of Teleport"),
        (("18.10.1", "20.0.1"), "does not know release line 19"),
        (("6.2.31", "8.3.20", {"7": "8.3.20"}), "hop_versions.7: 8.3.20 belongs to line 8"),
        (("6.2.31", "8.3.20", None, [{"line": "7", "newest": ""}]), "releases.lines[0].newest: '' is not"),
    ],
)
def test_complains_once_and_clearly(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        upgrade_path(*arguments)
    assert str(caught.value).startswith("lockstep.teleport.upgrade_path: ")
    assert message in str(caught.value)
