# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of comparing the items of two tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backends import dynamodb_items
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError

KEYS = ("HashKey", "FullPath")


def item(path: str, value: bytes = b"v", expires: int | None = None) -> dict[str, Any]:
    """An item as the API types it."""
    own: dict[str, Any] = {"HashKey": {"S": "teleport"}, "FullPath": {"S": path}, "Value": {"B": value}}
    return {**own, "Tags": {"SS": {"a", "b"}}, **({"Expires": {"N": str(expires)}} if expires else {})}


def census(*items: dict[str, Any]) -> dynamodb_items.Census:
    """A census of items that expire by ``Expires``."""
    return dynamodb_items.take(items, KEYS, "Expires")


def test_the_same_items_in_another_order_are_the_same() -> None:
    one, two = item("a"), item("b", expires=2000)
    assert dynamodb_items.difference(census(one, two), census(two, one), 1000) is None


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([item("a")], "1 items are missing, 0 differ, 0 are new"),
        ([item("a", b"other"), item("b", expires=2000)], "0 items are missing, 1 differ, 0 are new"),
        ([item("a"), item("b", expires=2000), item("c")], "0 items are missing, 0 differ, 1 are new"),
        ([item("a"), item("b", expires=2001)], "0 items are missing, 1 differ, 0 are new"),
    ],
)
def test_a_difference_is_told(found: list[dict[str, Any]], told: str) -> None:
    assert dynamodb_items.difference(census(item("a"), item("b", expires=2000)), census(*found), 1000) == told


def test_what_has_expired_may_be_gone_but_not_before() -> None:
    saved = census(item("a"), item("b", expires=2000))
    assert dynamodb_items.difference(saved, census(item("a")), 2000) is None
    assert dynamodb_items.difference(saved, census(item("a")), 1999.9) is not None


def test_a_list_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    saved = census(item("a"), item("b", expires=2000))
    part = dynamodb_items.write(str(tmp_path), saved, "here")
    assert (tmp_path / part.name).stat().st_mode & 0o777 == 0o600
    assert dynamodb_items.read(str(tmp_path)) == saved


def test_another_file_is_no_list(tmp_path: Path) -> None:
    (tmp_path / dynamodb_items.PART).write_text('["only-one"]\n')
    with pytest.raises(BackupError, match="is not the list of items"):
        dynamodb_items.read(str(tmp_path))
