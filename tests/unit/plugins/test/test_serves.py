# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.test import serves as plugin

serves = plugin.TestModule().tests()["serves"]


@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        ("6.0.0", "5.2.1", True),
        ("5.2.1", "6.0.0", False),
        ("v5.2.1", "4.4.12", True),
        ("6.0.0", "4.4.12", False),
        ("18.2.10", "18.3.0", False),
    ],
)
def test_serves(server: str, client: str, expected: bool) -> None:
    assert serves(server, client) is expected


def test_takes_rows_of_the_inventory() -> None:
    pair = {"server": "17.7.20", "client": "16.5.12", "reason": "they do not get on"}
    assert serves("17.7.20", "16.5.12") is True
    assert serves("17.7.20", "16.5.12", releases={"bad_pairs": [pair]}) is False


@pytest.mark.parametrize(
    ("server", "client", "message"),
    [
        ("6.x", "5.2.1", "'6.x' is not a Teleport version"),
        ("6.0.0", None, "None is not a Teleport version"),
        ("6.0.0", "4.9.0", "4.9 is not a release line of Teleport"),
    ],
)
def test_complains_once_and_clearly(server: object, client: object, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        serves(server, client)
    assert str(caught.value).startswith("lockstep.teleport.serves: ")
    assert message in str(caught.value)
