# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a configuration looks like: only the name of the table changes in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils import config_place
from ansible_collections.lockstep.teleport.plugins.plugin_utils.config_places import storage_places

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{2,40}", fullmatch=True).filter(lambda name: yaml.safe_load(name) == name)
ENDS = st.sampled_from(["\n", "\r\n"])
COMMENTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
QUOTES = st.sampled_from(["", "'", '"'])
OTHERS = st.sampled_from(
    ["region: eu-central-1", "continuous_backups: true", "read_capacity_units: 10", "x: {y: [1, 2]}"]
)


@st.composite
def configurations(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """A configuration in some style, the table in it, and what it says."""
    table, quote, end = draw(NAMES), draw(QUOTES), draw(ENDS)
    before, after = draw(st.lists(OTHERS, unique=True, max_size=2)), f"# {draw(COMMENTS)}"
    entry = f"table_name: {' ' * draw(st.integers(0, 3))}{quote}{table}{quote}"
    if draw(st.booleans()):
        storage = [f"  storage: {{{', '.join(['type: dynamodb', *before, entry])}}}   {after}"]
    else:
        storage = ["  storage:", *(f"      {line}" for line in ["type: dynamodb", *before]), f"      {entry}  {after}"]
    # The same word and the same key elsewhere must not be taken for it.
    decoys = [f"# table_name: {table}", f"proxy_service: {{table_name: {table}}}"]
    lines = [f"# {draw(COMMENTS)}", decoys[0], "teleport:", f"  nodename: {table}", *storage, decoys[1]]
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    return text, table, yaml.safe_load(text)


@given(configurations(), NAMES)
def test_only_the_name_changes(configuration: tuple[str, str, dict[str, Any]], new: str) -> None:
    text, table, document = configuration
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "teleport.yaml")
        path.write_bytes(text.encode())
        place = config_place.place_of(str(path), {"places": storage_places(text)}, "table_name")
        assert config_place.read(place) == table
        config_place.replace(place, table, new)
        changed = path.read_bytes()
        start, rest = place.start, len(text.encode()) - place.start
        assert changed[:start] == text.encode()[:start]
        assert len(changed) - len(text.encode()) == len(new) - len(table)
        assert changed[start:].replace(new.encode(), table.encode(), 1)[:rest] == text.encode()[start:]
        document["teleport"]["storage"]["table_name"] = new
        assert yaml.safe_load(changed.decode()) == document
        # The place holds for what stands there now, and the way back gives the old file.
        config_place.replace(place, new, table)
        assert path.read_bytes() == text.encode()


@given(st.text())
def test_any_text_that_is_yaml_is_searched_without_a_failure(text: str) -> None:
    try:
        yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return
    assert storage_places(text).keys() <= {"table_name", "access_key", "secret_key"}
