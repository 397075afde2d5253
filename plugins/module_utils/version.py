# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teleport versions: parsing, ordering, and reading them from what Teleport's programs print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import total_ordering

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import colourless

#: Suffixes that a vendor put on finished releases. By semver they look like pre-releases, yet nobody has to allow
#: them by name: upstream's last 3.2 tag prints ``3.2.18-gravity``, after the product it was cut for.
VENDOR_SUFFIXES = frozenset({"gravity"})

COMMUNITY = "community"
ENTERPRISE = "enterprise"
FIPS = "fips"

#: From this major on a release line is a whole major, below it a minor (Teleport RFD 12, "Versioning").
FIRST_MAJOR_LINE = 5

# Longer than anything Teleport prints, short enough to quote, and far below the digits that int() refuses.
_MAX_LENGTH = 128
_NUMBERS_IN_A_VERSION = 3

_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRERELEASE_PART = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = (
    rf"v?(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER})"
    rf"(?:-(?P<prerelease>{_PRERELEASE_PART}(?:\.{_PRERELEASE_PART})*))?"
    r"(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_SEMVER_RE = re.compile(_SEMVER)

_OUTPUT_RE = re.compile(
    r"^\s*Teleport(?P<enterprise> Enterprise)?(?: [A-Z][A-Za-z]*)* v?(?P<version>[0-9]\S*)"
    r"(?: +git:(?P<git>\S*))?(?P<rest>.*)$"
)
_GO_RE = re.compile(r"(?:^|\s)(go[0-9]\S*)")
_TAG_RE = re.compile(r"(?P<tag>v.+)-0-g[0-9a-f]+")


class VersionError(ValueError):
    """A text is no Teleport version. The message quotes the text, says what is wrong with it and what is allowed."""


@total_ordering
@dataclass(frozen=True)
class Version:
    """One Teleport version, ordered by the precedence of Semantic Versioning 2.0 (section 11).

    Build metadata is kept for printing and takes no part in comparing or hashing, as semver demands.
    """

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    build: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: object) -> Version:
        """Read ``X.Y.Z[-prerelease][+build]``, with or without a leading ``v`` and surrounding blanks.

        :raises VersionError: for everything else, also for values that are no text (YAML reads ``17.7`` as a number).
        """
        if not isinstance(text, str):
            raise VersionError(_complaint(text, "it is not a text; put it in quotes"))
        stripped = text.strip()
        match = _SEMVER_RE.fullmatch(stripped) if len(stripped) <= _MAX_LENGTH else None
        if match is None:
            raise VersionError(_complaint(text, _reason(stripped)))
        return cls(
            int(match.group("major")),
            int(match.group("minor")),
            int(match.group("patch")),
            match.group("prerelease") or "",
            match.group("build") or "",
        )

    @property
    def line(self) -> str:
        """Name of the release line: ``major.minor`` below 5.0, the major alone from 5.0 on."""
        if self.major >= FIRST_MAJOR_LINE:
            return str(self.major)
        return f"{self.major}.{self.minor}"

    @property
    def is_prerelease(self) -> bool:
        """Whether policy must treat this as unfinished: it has a suffix, and not just one of `VENDOR_SUFFIXES`.

        Suffixes nobody knows count as unfinished too: allowing one by name is cheap, running one by accident is not.
        """
        return bool(self.prerelease) and self.prerelease.partition(".")[0] not in VENDOR_SUFFIXES

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += "-" + self.prerelease
        if self.build:
            text += "+" + self.build
        return text

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._precedence() < other._precedence()

    def _precedence(self) -> tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]:
        return (
            self.major,
            self.minor,
            self.patch,
            not self.prerelease,
            tuple(
                (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in self.prerelease.split(".")
            ),
        )


@dataclass(frozen=True)
class VersionOutput:
    """What the ``version`` command of a Teleport program says about that program.

    ``tag`` is the release tag the sources stood at exactly (``git:v3.2.17-0-g…``), None for anything else.
    """

    version: Version
    edition: str
    go: str | None
    tag: Version | None = None

    @property
    def release(self) -> Version:
        """The release whose artefact this program came in.

        Only vendor builds differ: 3.2.17 prints ``v3.2.18-gravity git:v3.2.17-0-g…``, and 3.2.17 is what to download.
        """
        vendor_build = self.version.prerelease and not self.version.is_prerelease
        return self.tag if self.tag is not None and vendor_build else self.version


def parse_version_output(text: str) -> VersionOutput:
    """Read the output of ``teleport|tctl|tsh|tbot version`` of any generation, with ``--raw`` or without.

    Lines that are no version line (hints, the proxy's version that ``tsh`` adds) and ANSI colours are ignored. A bare
    number as ``--raw`` prints it does not tell the edition; it is then taken for ``community``.

    :raises VersionError: when no line holds a version.
    """
    lines = colourless(text).splitlines()
    for line in lines:
        match = _OUTPUT_RE.match(line)
        if match:
            return _from_match(match)
    for line in lines:
        if _SEMVER_RE.fullmatch(line.strip()):
            return VersionOutput(Version.parse(line), COMMUNITY, None)
    raise VersionError(
        f"found no version in the output {_quote(text.strip())}; expected a line such as "
        "'Teleport v17.7.20 git:v17.7.20-0-gabc go1.23.4', or '17.7.20' alone"
    )


def _from_match(match: re.Match[str]) -> VersionOutput:
    rest = match.group("rest")
    go = _GO_RE.search(rest)
    edition = ENTERPRISE if match.group("enterprise") else COMMUNITY
    if "boringcrypto" in rest:
        edition = FIPS
    return VersionOutput(
        Version.parse(match.group("version")), edition, go.group(1) if go else None, _exact_tag(match.group("git"))
    )


def _exact_tag(git_ref: str | None) -> Version | None:
    match = _TAG_RE.fullmatch(git_ref or "")
    if match is None or not _SEMVER_RE.fullmatch(match.group("tag")):
        return None
    return Version.parse(match.group("tag"))


def _complaint(found: object, reason: str) -> str:
    return f"{_quote(found)} is not a Teleport version: {reason}; allowed is X.Y.Z, e.g. 17.7.20"


def _quote(found: object) -> str:
    shown = repr(found)
    return shown if len(shown) <= _MAX_LENGTH else shown[: _MAX_LENGTH - 3] + "..."


def _reason(text: str) -> str:
    """Say what is wrong with a text that is no version."""
    if not text:
        return "it is empty"
    if len(text) > _MAX_LENGTH:
        return f"it is longer than {_MAX_LENGTH} characters"
    core = re.split(r"[-+]", text[1:] if text.startswith("v") else text, maxsplit=1)[0]
    numbers = core.split(".")
    return _number_reason(numbers) or _count_reason(numbers) or f"the suffix after {core} is malformed"


def _number_reason(numbers: list[str]) -> str:
    for number in numbers:
        if not number:
            return "a number is missing beside a dot"
        if number.lower() in ("x", "*"):
            return f"{number!r} stands where a number belongs"
        if not re.fullmatch("[0-9]+", number):
            return f"{number!r} is not a number"
        if not re.fullmatch(_NUMBER, number):
            return f"the number {number} has a leading zero"
    return ""


def _count_reason(numbers: list[str]) -> str:
    if len(numbers) == _NUMBERS_IN_A_VERSION:
        return ""
    return "it has {} number{} instead of three".format(len(numbers), "" if len(numbers) == 1 else "s")
