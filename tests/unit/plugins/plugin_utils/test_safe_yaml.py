# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal names the line and no value; everything else is read as text."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.safe_yaml import YamlRefused, load

BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 0123", {"a": "0123"}),
        ("a: yes", {"a": "yes"}),
        ("a: 2001-13-45", {"a": "2001-13-45"}),
        ("a:", {"a": None}),
        ("a: ~", {"a": None}),
        ("a: ''", {"a": ""}),
        ("a: 'null'", {"a": "null"}),
        ("a: [1, {b: c}]", {"a": ["1", {"b": "c"}]}),
        ("a: &x {k: v}\nb: *x", {"a": {"k": "v"}, "b": {"k": "v"}}),
        ("a: &x {k: v, l: w}\nb:\n  <<: *x\n  k: own", {"a": {"k": "v", "l": "w"}, "b": {"k": "own", "l": "w"}}),
        ("a: !!python/object/apply:os.system [x]", {"a": ["x"]}),
    ],
)
def test_scalars_stay_texts(text: str, value: object) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: hunter2\na: other", "line 2: the key stands there twice"),
        ("a:\n\tb: hunter2", "line 2: it is indented with a tab"),
        ("a: [hunter2", "line 1: expected"),
        ("a: b\n---\nc: hunter2", "line 2: expected a single document|line 2: but found"),
        ("a: *nowhere", "line 1: found undefined alias"),
        (BOMB, "line 2: aliases within anchored values"),
        ("a: &a {b: *a}", "line 1: aliases within anchored values"),
        ("a: &a x\nb: [" + "*a, " * 200 + "]", "line 2: aliases within anchored values, or very many"),
        ("[a]: hunter2\n", "line 1"),
        ("? [a, b]\n: hunter2\n", "line 1: a key is no plain text"),
        ("a: b\nc: \x00hunter2", "line 2: it holds a character"),
        ("a: " + "[" * 5000, "nested too deeply|expected"),
        ("a: 'hunter2", "line 1: found unexpected end of stream"),
    ],
)
def test_refusal_names_the_line_and_no_value(text: str, reason: str) -> None:
    with pytest.raises(YamlRefused, match=reason) as caught:
        load(text)
    assert "hunter2" not in str(caught.value)
