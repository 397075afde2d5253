# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes one key of a ``teleport.yaml`` and no other byte of it. Pure, from text to text.

Places come from the marks that PyYAML leaves on nodes. What is written in a way that cannot be changed by itself is
not changed at all: every result is read again and held against what the document was to become.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils import safe_yaml

DROP = "drop"
SET = "set"
REMOVE = "remove"
KINDS = (DROP, SET, REMOVE)

Path = tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """What to do to a configuration: ``drop`` values from lists, ``set`` keys to a value, or ``remove`` keys.

    *values* are those to drop, or the one to set. *known* are old values that may be shown; others may be secrets.
    """

    kind: str
    keys: tuple[Path, ...]
    values: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()


class Span(NamedTuple):
    """*length* characters from *at* on that give way to *text*."""

    at: int
    length: int
    text: str


Found = tuple[list[Span], list[str]]


class Edited(NamedTuple):
    """The new text, how it came about, and what a person is shown of it: no value that is not in the rules."""

    text: str
    spans: tuple[Span, ...]
    lines: tuple[str, ...]


class _Unfit(Exception):
    """The text is written in a way that is not edited."""


def apply(text: str, edit: Edit) -> Edited | None:
    """Return the edited text; None when nothing has to be changed, or when it cannot be changed safely.

    *text* has been read as YAML before, without an error.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return None
    spans: list[Span] = []
    lines: list[str] = []
    try:
        for key in edit.keys:
            found, shown = _OPERATIONS[edit.kind](text, root, key, edit)
            spans += found
            lines += shown
    except _Unfit:
        return None
    spans.sort()
    changed = _with(text, spans)
    return Edited(changed, tuple(spans), tuple(lines)) if spans and _is_right(text, changed, edit) else None


def in_bytes(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the spans as bytes of the text in UTF-8, which is what a host counts in."""
    return [
        Span(len(text[: span.at].encode()), len(text[span.at : span.at + span.length].encode()), span.text)
        for span in spans
    ]


def _with(text: str, spans: Sequence[Span]) -> str:
    for span in reversed(spans):
        text = text[: span.at] + span.text + text[span.at + span.length :]
    return text


# -- what the document was to become


def _is_right(text: str, changed: str, edit: Edit) -> bool:
    try:
        found = safe_yaml.load(changed)
    except safe_yaml.YamlRefused:
        return False
    return bool(_settled(found) == _settled(_wanted(safe_yaml.load(text), edit)))


def _wanted(document: Any, edit: Edit) -> Any:
    wanted = copy.deepcopy(document)
    for key in edit.keys:
        parent = _parent(wanted, key[:-1], create=edit.kind == SET)
        if edit.kind == SET:
            parent[key[-1]] = edit.values[0]
        elif edit.kind == REMOVE:
            parent.pop(key[-1], None)
        elif isinstance(parent.get(key[-1]), list):
            parent[key[-1]] = [entry for entry in parent[key[-1]] if str(entry).lower() not in edit.values]
    return wanted


def _parent(document: Any, path: Path, *, create: bool) -> dict[str, Any]:
    at = document
    for name in path:
        child = at.get(name)
        if not isinstance(child, dict):
            child = {}
            if create:
                at[name] = child
        at = child
    return at if isinstance(at, dict) else {}


def _settled(document: Any) -> Any:
    """What became empty counts as nothing: that is how Teleport reads a key without a value."""
    if isinstance(document, dict):
        document = {key: _settled(value) for key, value in document.items()}
    return document or None


# -- places


def _drop(text: str, root: yaml.Node | None, key: Path, edit: Edit) -> Found:
    node = _node(root, key)
    entries = node.value if isinstance(node, yaml.SequenceNode) else []
    doomed = [entry for entry in entries if str(entry.value).lower() in edit.values]
    if isinstance(node, yaml.SequenceNode) and node.flow_style:
        places = [(entry.start_mark.index, entry.end_mark.index) for entry in entries]
        spans = _from_flow(places, [entry in doomed for entry in entries])
    else:
        spans = [_whole_lines(text, entry.start_mark.index, entry.end_mark.index, "-") for entry in doomed]
    name = ".".join(key)
    return spans, [f"- {name}: {str(entry.value).lower()} (line {entry.start_mark.line + 1})" for entry in doomed]


def _remove(text: str, root: yaml.Node | None, key: Path, _edit: Edit) -> Found:
    pair, parent = _pair(root, key), _node(root, key[:-1])
    if pair is None or not isinstance(parent, yaml.MappingNode):
        return [], []
    begin, end = pair[0].start_mark.index, _end(pair[1])
    if parent.flow_style:
        places = [(name.start_mark.index, _end(value)) for name, value in parent.value]
        spans = _from_flow(places, [place[0] == begin for place in places])
    else:
        spans = [_whole_lines(text, begin, end, "")]
    count = len(text[begin:end].splitlines())
    return spans, [f"- {'.'.join(key)} (line {pair[0].start_mark.line + 1}, {count} line{'s' if count > 1 else ''})"]


def _set(text: str, root: yaml.Node | None, key: Path, edit: Edit) -> Found:
    value, name = edit.values[0], ".".join(key)
    pair = _pair(root, key)
    if pair is None:
        span, line = _inserted(text, root, key, value)
        return [span], [f"+ {name}: {value} (line {line})"]
    node = pair[1]
    if not isinstance(node, yaml.ScalarNode) or node.style not in (None, "'", '"'):
        raise _Unfit
    line, old = node.start_mark.line + 1, str(node.value)
    begin, end = node.start_mark.index, node.end_mark.index
    shown = [f"- {name}: {old if old in edit.known else '…'} (line {line})"] if old else []
    span = Span(begin, end - begin, value if end > begin else f" {value}")
    return [span], [*shown, f"+ {name}: {value} (line {line})"]


_OPERATIONS = {DROP: _drop, SET: _set, REMOVE: _remove}


def _inserted(text: str, root: yaml.Node | None, key: Path, value: str) -> tuple[Span, int]:
    """Put a new key first in the innermost of its sections that is there; one without any goes to the end."""
    depth = max(depth for depth in range(len(key)) if depth == 0 or _node(root, key[:depth]) is not None)
    newline = "\r\n" if "\r\n" in text else "\n"
    if depth == 0:
        lead = "" if text.endswith("\n") or not text else newline
        return Span(len(text), 0, lead + _nested(key, value, "", "  ", newline)), text.count("\n") + 1 + bool(lead)
    section = _node(root, key[:depth])
    if not isinstance(section, yaml.MappingNode) or not section.value:
        raise _Unfit
    line = section.start_mark.line + 1
    if section.flow_style:
        inner = "".join(f"{name}: {{" for name in key[depth:-1])
        return Span(section.start_mark.index + 1, 0, f"{inner}{key[-1]}: {value}{'}' * (len(key) - depth - 1)}, "), line
    indent = " " * section.value[0][0].start_mark.column
    name = _pair(root, key[:depth])
    begin = text.find("\n", name[0].end_mark.index) + 1 if name else 0
    if not begin or begin > section.start_mark.index:
        raise _Unfit
    return Span(begin, 0, _nested(key[depth:], value, indent, "  ", newline)), text.count("\n", 0, begin) + 1


def _nested(key: Path, value: str, indent: str, step: str, newline: str) -> str:
    above = [f"{indent}{step * depth}{name}:{newline}" for depth, name in enumerate(key[:-1])]
    return "".join(above) + f"{indent}{step * (len(key) - 1)}{key[-1]}: {value}{newline}"


def _pair(root: yaml.Node | None, key: Path) -> tuple[yaml.Node, yaml.Node] | None:
    parent = _node(root, key[:-1])
    pairs = parent.value if isinstance(parent, yaml.MappingNode) else []
    return next(((name, value) for name, value in pairs if name.value == key[-1]), None)


def _node(root: yaml.Node | None, path: Path) -> yaml.Node | None:
    node = root
    for name in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == name), None)
    return node


def _end(node: yaml.Node) -> int:
    """Where a value ends: the marks of blocks point behind the comments that follow them."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return node.end_mark.index


def _from_flow(places: Sequence[tuple[int, int]], doomed: Sequence[bool]) -> list[Span]:
    """Take entries out of ``[...]`` or ``{...}``, each run of them with the comma that parts it from a neighbour."""
    spans = []
    for is_doomed, run in groupby(range(len(places)), key=lambda number: doomed[number]):
        numbers = list(run)
        first, last = numbers[0], numbers[-1]
        begin, end = places[first][0], places[last][1]
        if last + 1 < len(places):
            end = places[last + 1][0]
        elif first > 0:
            begin = places[first - 1][1]
        if is_doomed:
            spans.append(Span(begin, end - begin, ""))
    return spans


def _whole_lines(text: str, begin: int, end: int, bullet: str) -> Span:
    """The lines that an entry fills, its own comment included. Only what has these lines to itself is taken out."""
    first = text.rfind("\n", 0, begin) + 1
    last = text.find("\n", end)
    last = len(text) if last < 0 else last + 1
    rest = text[end:last].strip()
    # The value of a block scalar ends with its line.
    ends_line = end > begin and text[end - 1] == "\n"
    if text[first:begin].strip() != bullet or (not ends_line and rest and not rest.startswith("#")):
        raise _Unfit
    return Span(first, (end if ends_line else last) - first, "")
