# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entry of Teleport's package repository in the files of apt, dnf and yum. Pure: texts in, texts out.

The repository has a channel per release line, ``stable/v16``, beside ``stable/cloud`` and ``stable/rolling``. In files
of apt the channel is a component, in those of dnf a part of the URL.
"""

from __future__ import annotations

import re
from typing import Iterator, List, Mapping, NamedTuple, Tuple

_CHANNEL = r"stable/(?:v[0-9]{1,3}|cloud|rolling)(?=[\s/]|$)"
_OF_A_LINE_RE = re.compile(r"v[0-9]+")
_LINE_RE = re.compile(
    rf"[ \t]*deb[ \t]+(?:\[[^\]]*\][ \t]*)?\S+[ \t]+\S+[ \t]+(?:[^#\n]*[ \t])?(?P<channel>{_CHANNEL})"
)
_STANZA_RE = re.compile(r"(?:^[^\n]*\S[^\n]*(?:\n|\Z))+", re.MULTILINE)
_SECTION_RE = re.compile(r"^\[[^\]\n]+\][^\n]*(?:\n(?!\[)[^\n]*)*\n?", re.MULTILINE)
_COMPONENTS_RE = re.compile(
    rf"^Components:(?:[^\n#]|\n#[^\n]*|\n(?=[ \t]))*?[ \t](?P<channel>{_CHANNEL})", re.MULTILINE | re.IGNORECASE
)
_BASE_URL_RE = re.compile(rf"^baseurl[ \t]*=[ \t]*[^\n]*/(?P<channel>{_CHANNEL})", re.MULTILINE)
_OFF_RE = re.compile(
    r"^(?:Enabled:[ \t]*(?:no|false|0)|enabled[ \t]*=[ \t]*(?:0|no|false))[ \t]*$", re.MULTILINE | re.IGNORECASE
)
#: What makes apt, dnf and yum take packages that nobody has signed.
_UNSIGNED_RE = re.compile(
    r"^[^#\n]*\b(?:trusted|allow-insecure)[ \t]*[=:][ \t]*yes\b|^[ \t]*gpgcheck[ \t]*=[ \t]*(?:0|no|false)\b",
    re.MULTILINE | re.IGNORECASE,
)


class Source(NamedTuple):
    """One enabled entry: the file, its whole text, where in it the entry is, and where in it the channel is."""

    path: str
    text: str
    entry: Tuple[int, int]
    place: Tuple[int, int]

    @property
    def channel(self) -> str:
        """The channel, as in ``stable/v16``."""
        return self.text[slice(*self.place)]

    @property
    def alone(self) -> str:
        """The entry without all others of the file."""
        return self.text[slice(*self.entry)].rstrip("\n") + "\n"

    @property
    def is_unsigned(self) -> bool:
        """Whether the entry says that signatures do not matter."""
        return _UNSIGNED_RE.search(self.alone) is not None

    def at(self, line: str) -> Source:
        """Return the same with the channel of the release line *line*; a channel that has all lines stays."""
        stem, _slash, name = self.channel.partition("/")
        if not _OF_A_LINE_RE.fullmatch(name):
            return self
        channel = f"{stem}/v{line}"
        start, end = self.place
        grown = len(channel) - (end - start)
        text = self.text[:start] + channel + self.text[end:]
        return Source(self.path, text, (self.entry[0], self.entry[1] + grown), (start, start + len(channel)))


def find(files: Mapping[str, str]) -> List[Source]:
    """Return the enabled entries that have one of Teleport's channels.

    :param files: path and text of each file; its ending tells how it is written (``.list``, ``.sources``, ``.repo``).
    """
    return [source for path in sorted(files) for source in _entries(path, files[path])]


def _entries(path: str, text: str) -> Iterator[Source]:
    for start, end, pattern in _blocks(path, text):
        found = pattern.search(text, start, end)
        if found and not _OFF_RE.search(text, start, end):
            yield Source(path, text, (start, end), found.span("channel"))


def _blocks(path: str, text: str) -> Iterator[Tuple[int, int, re.Pattern[str]]]:
    if path.endswith(".sources"):
        yield from ((*stanza.span(), _COMPONENTS_RE) for stanza in _STANZA_RE.finditer(text))
    elif path.endswith(".repo"):
        yield from ((*section.span(), _BASE_URL_RE) for section in _SECTION_RE.finditer(text))
    else:
        found = (_LINE_RE.match(text, line.start(), line.end()) for line in re.finditer(r"[^\n]+", text))
        yield from ((match.start(), _end_of_line(text, match.end()), _LINE_RE) for match in found if match)


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
