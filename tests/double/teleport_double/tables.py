# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text tables, YAML and JSON as the command line tools print them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded with a space after each, a rule of dashes under the headers."""
    widths = [max([len(header)] + [len(row[i]) for row in rows]) for i, header in enumerate(headers)]
    lines = [_line(headers, widths), _line(["-" * width for width in widths], widths)]
    return "".join(lines + [_line(row, widths) for row in rows])


def headless(rows: Sequence[Sequence[str]]) -> str:
    """The same without headers, as ``tctl status`` prints it."""
    first = max(len(row[0]) for row in rows) + 1  # the real table leaves two blanks after its titles
    widths = [first] + [max(len(row[i]) for row in rows) for i in range(1, len(rows[0]))]
    return "".join(_line(row, widths) for row in rows)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " \n"


class _Dumper(yaml.SafeDumper):
    """Dumper with the quoting of Go's YAML."""


class _Plain(_Dumper):
    """The same, of the generation that left time stamps without quotes."""


_AMBIGUOUS = {"yes", "no", "on", "off", "true", "false", "y", "n", "null", "~", ""}


def _looks_like_time(text: str) -> bool:
    return len(text) >= 20 and text[4:5] == "-" and text[10:11] == "T" and text.endswith("Z")


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    quote = None
    if _looks_like_time(text):
        quote = None if isinstance(dumper, _Plain) else '"'
        if quote is None:
            return yaml.ScalarNode("tag:yaml.org,2002:timestamp", text)
    elif text.lower() in _AMBIGUOUS or text.replace(".", "", 1).isdigit():
        quote = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=quote)


_Dumper.add_representer(str, _string)


def to_yaml(documents: Sequence[Any], plain_times: bool = False) -> str:
    """Documents separated by ``---``; nothing at all for none."""
    dumper = _Plain if plain_times else _Dumper
    parts = [
        yaml.dump(item, Dumper=dumper, default_flow_style=False, sort_keys=True, width=10**6) for item in documents
    ]
    return "---\n".join(parts)


def to_json(value: Any, indent: int = 4) -> str:
    """Indented JSON without a line feed at its end."""
    return json.dumps(value, indent=indent, ensure_ascii=False)
