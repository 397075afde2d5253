# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parsers are fed: noise, and real input that somebody tampered with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

#: What has broken parsers before: depth, length, digits of other scripts, control characters, templates, halves.
SPECIAL = (
    "\x1b[2J", "\x00", "\r\n", "{{ lookup('pipe', 'id') }}", "${HOME}", "`id`", "../" * 5, "-", "--", "²", "٣", "１",
    "9" * 5000, "-1", "1e999", "NaN", "\u202e", "\ufeff", "\u2028", "é" * 50, "[" * 3000, "{" * 500, '{"a":' * 3000,
    "&a [*a]", "<<: *a", "!!python/object/apply:os.system [id]", "token" * 300, " " * 2000, "\n" * 500,
    "=" * 500, ":", "a" * 3000,
    "://user:pw@", "null", "true", '"', "'", "\\",
)  # fmt: skip

TEXTS = st.one_of(st.text(max_size=200), st.sampled_from(SPECIAL))


@st.composite
def tampered(draw: st.DrawFn, seeds: Sequence[str]) -> str:
    """One of *seeds* after up to four cuts, repetitions and insertions; now and then plain noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(TEXTS)
    text = draw(st.sampled_from(list(seeds)))
    for _edit in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        how = draw(st.sampled_from(("cut", "repeat", "insert")))
        middle = {"cut": "", "repeat": text[start:end] * draw(st.integers(2, 50))}.get(how)
        text = text[:start] + (draw(TEXTS) if middle is None else middle) + text[end:]
    return text


def tampered_bytes(seeds: Sequence[str]) -> st.SearchStrategy[bytes]:
    """The same as bytes, not always UTF-8."""
    whole = tampered(seeds).map(lambda text: text.encode("utf-8", "replace"))
    return st.one_of(whole, st.binary(max_size=300), st.tuples(whole, st.binary(max_size=5)).map(b"".join))


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.just(10**400), st.just("17.7.20"), st.just("6.2.31")
)


def values(keys: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """Data as JSON and YAML have it, with *keys* in it more often than by chance."""
    names = st.one_of(st.sampled_from(list(keys)), TEXTS) if keys else TEXTS
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
        max_leaves=20,
    )


@st.composite
def changed(draw: st.DrawFn, seed: Any) -> Any:
    """A copy of the data *seed* in which up to three values, anywhere, are something else or gone."""
    found = json.loads(json.dumps(seed))
    for _edit in range(draw(st.integers(0, 3))):
        found = draw(_change(found))
    return found


@st.composite
def _change(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else list(range(len(value)))))
        if draw(st.integers(0, 4)) == 0:
            return {k: v for k, v in value.items() if k != key} if isinstance(value, dict) else value[:key]
        new = draw(_change(value[key]))
        if isinstance(value, dict):
            return {**value, key: new}
        return [*value[:key], new, *value[key + 1 :]]
    return draw(st.one_of(SCALARS, values()))


def json_text(seed: Any) -> st.SearchStrategy[str]:
    """JSON that was changed as data, or as text."""
    return st.one_of(changed(seed).map(json.dumps), tampered([json.dumps(seed), json.dumps(seed, indent=1)]))
