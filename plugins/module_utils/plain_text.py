# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of other people and programs, made harmless for terminals, logs and reports."""

from __future__ import annotations

import re
from typing import Any

#: Names are shown in tables and lists; none of Teleport's is longer (DNS allows 253).
LONGEST_NAME = 256

# Control characters (also those of the C1 set, which terminals obey as well), characters that turn the direction of
# writing, line separators that Markdown and YAML obey, and halves of characters, which cannot be written to a file.
_HARMFUL_RE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_COLOUR_RE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LOGIN_RE = re.compile(r"(?<=://)[^/@\s]*@")


class PlainError(Exception):
    """An error whose message may quote what somebody else wrote. What it prints is harmless."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str) -> str:
    r"""Show every character that acts instead of being seen as its escape, for example ``\x1b``.

    Line feeds and tabs stay.
    """
    return _HARMFUL_RE.sub(_escape, text)


def colourless(text: str) -> str:
    """Return what a program printed without the sequences that colour a terminal (ECMA-48, 5.4)."""
    return _COLOUR_RE.sub("", text)


def without_login(text: str) -> str:
    """Return a text without the user and password that stand before the host in URLs (RFC 3986, 3.2.1)."""
    return _LOGIN_RE.sub("", text)


def name(value: Any) -> str:
    """Read what is meant to be a name: text on one line, of bounded length; empty for None."""
    text = "" if value is None else str(value)[: 4 * LONGEST_NAME]
    return printable(" ".join(text.split()))[:LONGEST_NAME]


def printable_values(value: Any) -> Any:
    """Return JSON-like data with every text and key of it `printable`."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_values(key): printable_values(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable_values(entry) for entry in value]
    return value


def _escape(match: Any) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - what fits into one byte
