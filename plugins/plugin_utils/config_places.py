# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a ``teleport.yaml`` values of its storage section stand, for hosts that have no YAML parser."""

from __future__ import annotations

import re

import yaml

#: Values that a host has to read, or replace, in the file itself: the table, and keys that facts must not hold.
_PLACED = ("table_name", "access_key", "secret_key")
_BETWEEN = re.compile(r"\s*:\s+")
_WORD = re.compile(r"""(["']?)[A-Za-z0-9_./+=-]+\1""")


def storage_places(text: str) -> dict[str, int]:
    """Return by key the byte (counted in UTF-8) at which a value of ``teleport.storage`` begins in *text*.

    Values that cannot be replaced in place are left out: aliases, what has an anchor or a tag, what a merge brings,
    and whatever is more than one word. *text* has been read as YAML before, without an error.
    """
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for name in ("teleport", "storage"):
        node = _child(node, name)
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        key.value: len(text[: value.start_mark.index].encode())
        for key, value in node.value
        if key.value in _PLACED and _stands_alone(text, key, value)
    }


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _stands_alone(text: str, key: yaml.Node, value: yaml.Node) -> bool:
    between = text[key.end_mark.index : value.start_mark.index]
    written = text[value.start_mark.index : value.end_mark.index]
    return _BETWEEN.fullmatch(between) is not None and _WORD.fullmatch(written) is not None
