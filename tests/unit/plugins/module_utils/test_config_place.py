# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of replacing one value of a configuration in place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import config_place
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.plugin_utils.config_places import storage_places

TEXT = "teleport:\n  storage: {type: dynamodb, table_name: state}\n"


def written(path: Path, text: str = TEXT) -> config_place.Place:
    """Write a configuration and return where its table stands."""
    path.write_text(text)
    return config_place.place_of(str(path), {"places": storage_places(text)}, "table_name")


def test_mode_and_link_stay(tmp_path: Path) -> None:
    place = written(tmp_path / "real.yaml")
    (tmp_path / "real.yaml").chmod(0o640)
    (tmp_path / "teleport.yaml").symlink_to("real.yaml")
    config_place.replace(place._replace(path=str(tmp_path / "teleport.yaml")), "state", "other")
    assert (tmp_path / "teleport.yaml").is_symlink()
    assert (tmp_path / "real.yaml").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "real.yaml").read_text() == TEXT.replace("state", "other")
    assert sorted(os.listdir(tmp_path)) == ["real.yaml", "teleport.yaml"]


def test_nothing_is_written_when_it_stands_there_already(tmp_path: Path) -> None:
    place = written(tmp_path / "teleport.yaml")
    before = (tmp_path / "teleport.yaml").stat().st_ino
    config_place.replace(place, "older", "state")
    assert (tmp_path / "teleport.yaml").stat().st_ino == before


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("state", "foreign"),
        "# one line more\n" + TEXT,
        TEXT.replace("table_name", "table_size"),
        "",
        "teleport:\n  storage: {type: dynamodb, table_name: two words}\n",
    ],
)
def test_a_file_that_was_changed_since_is_left_alone(tmp_path: Path, text: str) -> None:
    place = written(tmp_path / "teleport.yaml")
    (tmp_path / "teleport.yaml").write_text(text)
    with pytest.raises(BackupError, match="was changed since it was observed"):
        config_place.replace(place, "state", "other")
    assert (tmp_path / "teleport.yaml").read_text() == text


@pytest.mark.parametrize(
    "storage",
    [
        "x: &t state\nteleport:\n  storage: {type: dynamodb, table_name: *t}\n",
        "teleport:\n  storage: {type: dynamodb, table_name: &t state}\n  nodename: *t\n",
        "teleport:\n  storage: {type: dynamodb, table_name: !!str state}\n",
        "x: &m {table_name: state}\nteleport:\n  storage: {type: dynamodb, <<: *m}\n",
        "teleport:\n  storage:\n    type: dynamodb\n    table_name: >-\n      state\n",
        'teleport:\n  storage: {type: dynamodb, table_name: "sta\\x74e"}\n',
    ],
)
def test_what_is_no_plain_word_has_no_place(tmp_path: Path, storage: str) -> None:
    with pytest.raises(BackupError, match="Write it as 'table_name: NAME'"):
        written(tmp_path / "teleport.yaml", storage)
