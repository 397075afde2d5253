# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the names of tables: restored ones, the one that counts, and those of audit events."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_names import (
    agreed_table,
    base_of,
    events_tables,
    restored_name,
)

EARLY, LATE = "20261122T201500Z", "20261123T080000Z"


def test_a_restored_name_does_not_grow_with_each_restore() -> None:
    first = restored_name("teleport.state", EARLY)
    assert first == "teleport.state-lockstep-20261122T201500Z"
    assert restored_name(first, LATE) == "teleport.state-lockstep-20261123T080000Z"
    assert restored_name(first, LATE, 2) == "teleport.state-lockstep-20261123T080000Z.2"
    assert base_of(restored_name(first, LATE, 2)) == "teleport.state"


def test_the_longest_name_stays_within_the_limit() -> None:
    assert len(restored_name("t" * 255, EARLY, 12)) == 255


@pytest.mark.parametrize(
    ("names", "agreed"),
    [
        (["state"], "state"),
        (["state", restored_name("state", EARLY)], restored_name("state", EARLY)),
        ([restored_name("state", LATE), "state", restored_name("state", EARLY, 9)], restored_name("state", LATE)),
        ([restored_name("state", LATE, 10), restored_name("state", LATE, 9)], restored_name("state", LATE, 10)),
    ],
)
def test_the_table_restored_last_counts(names: list[str], agreed: str) -> None:
    assert agreed_table(names) == agreed
    assert agreed_table(names[::-1]) == agreed


def test_unrelated_tables_are_no_cluster() -> None:
    with pytest.raises(BackupError, match=r"name unrelated tables: other, state-lockstep-\S+\. .* by hand"):
        agreed_table(["other", restored_name("state", EARLY)])


def test_events_tables_are_found_with_their_options() -> None:
    uris = [
        "file:///var/log",
        "dynamodb://teleport.events?region=eu-west-1&endpoint=http%3A%2F%2Flocal%3A8000",
        "dynamodb://b",
    ]
    assert [tuple(one) for one in events_tables(uris)] == [
        ("teleport.events", "eu-west-1", "http://local:8000"),
        ("b", None, None),
    ]
