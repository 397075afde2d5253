# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML from other people's hosts, read so that it can neither run, nor grow, nor mean two things.

Every scalar stays the text that stands in the file (``nodename: 0123`` is ``"0123"``); an empty one, ``~`` and
``null`` are None.
"""

from __future__ import annotations

from typing import Any

import yaml

#: More than any real file needs; each may multiply what it names only once (see `_Composer`).
MOST_ALIASES = 100

_NULLS = ("", "~", "null", "Null", "NULL")
_MERGE = "<<"


class YamlRefused(ValueError):
    """A text is refused. The message says why, with the line, and quotes no value of it."""

    def __init__(self, reason: str, line: int | None) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)


class _Composer(yaml.SafeLoader):
    """Composes nodes and refuses aliases inside of what has a name itself: that is how a small file grows without
    end."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._named_depth = 0
        self._aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            self._aliases += 1
            if self._named_depth or self._aliases > MOST_ALIASES:
                raise YamlRefused("aliases within anchored values, or very many of them, are not read", line)
        named = int(not isinstance(event, yaml.AliasEvent) and event.anchor is not None)
        self._named_depth += named
        try:
            node: yaml.Node | None = super().compose_node(parent, index)
        finally:
            self._named_depth -= named
        return node


def load(text: str) -> Any:
    """Return the document in *text* as dicts, lists, texts and None.

    :raises YamlRefused: for what is no YAML, for duplicate keys, keys that are no text, several documents, and
        anything built to exhaust memory.
    """
    loader = None
    try:
        loader = _Composer(text)
        node = loader.get_single_node()
        return None if node is None else _plain(node, {})
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise YamlRefused(_reason(problem), mark.line + 1 if mark else None) from None
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1 if isinstance(problem.position, int) else None
        raise YamlRefused("it holds a character that YAML does not allow", line) from None
    except RecursionError:
        raise YamlRefused("it is nested too deeply", None) from None
    finally:
        if loader is not None:
            loader.dispose()


def _reason(problem: yaml.MarkedYAMLError) -> str:
    """The parser's complaint without what it quotes from the file."""
    complaint = problem.problem or problem.context or "it is no YAML"
    if "'\\t'" in complaint:
        return "it is indented with a tab; YAML allows blanks only"
    return complaint.split(", but ")[0].split(" '")[0]


def _plain(node: yaml.Node, known: dict[int, Any]) -> Any:
    """Turn a node into a value; one that several aliases name becomes one value, not many."""
    if id(node) not in known:
        known[id(node)] = _value(node, known)
    return known[id(node)]


def _value(node: yaml.Node, known: dict[int, Any]) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(entry, known) for entry in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, known)
    value = str(node.value)
    is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return None if is_plain and value in _NULLS else value


def _mapping(node: yaml.MappingNode, known: dict[int, Any]) -> dict[str, Any]:
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlRefused("a key is no plain text", line)
        key = str(key_node.value)
        if key in own:
            raise YamlRefused("the key stands there twice", line)
        own[key] = _plain(value_node, known)
        if key == _MERGE:
            for source in own[key] if isinstance(own[key], list) else [own[key]]:
                merged = {**(source if isinstance(source, dict) else {}), **merged}
    own.pop(_MERGE, None)
    return {**merged, **own}
