# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_ranges import VersionRange


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("17.1.0", ["17.1.0", "17.1.0+build"], ["17.0.9", "17.1.1", "17.1.0-rc.1"]),
        ("==v17.1.0", ["17.1.0"], ["17.1.1"]),
        (">=18.7.6,<18.8.2", ["18.7.6", "18.8.0-rc.1", "18.8.1", "18.8.2-rc.1"], ["18.7.5", "18.7.6-rc.1", "18.8.2"]),
        (" > 4.3.0 , <= 4.3.5 ", ["4.3.1", "4.3.5"], ["4.3.0", "4.3.6"]),
    ],
)
def test_contains(text: str, inside: list[str], outside: list[str]) -> None:
    versions = VersionRange.parse(text)
    assert [version for version in inside if Version.parse(version) not in versions] == []
    assert [version for version in outside if Version.parse(version) in versions] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "None is not a range of versions"),
        (17.1, "17.1 is not a range of versions"),
        ("", "'' is not a Teleport version: it is empty"),
        (">=", "'' is not a Teleport version: it is empty"),
        (">=17.1.0,", "'' is not a Teleport version"),
        ("=>17.1.0", "'=>17.1.0' has no valid operator; allowed are >=, <=, ==, >, <, or none"),
        (">=17.1", "'17.1' is not a Teleport version: it has 2 numbers"),
        ("17.1.0 - 17.2.0", "'17.1.0 - 17.2.0' is not a Teleport version"),
    ],
)
def test_nonsense_is_explained(text: object, message: str) -> None:
    with pytest.raises(VersionError) as caught:
        VersionRange.parse(text)
    assert str(caught.value).startswith(message)
