# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines as strict as the real parser: unknown flags and commands are errors with its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .errors import CommandError, RawText, UsageShown
from .features import has
from .versions import Version

ROLE_HINT = (
    "make sure role used in flag has a corresponding Teleport role in RBAC, an example RBAC role can be seen here: "
    '"https://gravitational.com/teleport/docs/enterprise/ssh_rbac/#roles"'
)


@dataclass(frozen=True)
class Command:
    """One command: its words, the long flags it knows (with value / without) and short forms."""

    words: tuple[str, ...]
    about: str
    valued: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    since: str = ""  # name of a feature that must be there
    hidden: bool = False
    operands: int = 0  # how many words may follow; -1 any number


@dataclass
class Parsed:
    """A command line taken apart."""

    command: Command
    flags: dict[str, list[str]] = field(default_factory=dict)
    operands: list[str] = field(default_factory=list)

    def last(self, name: str, default: str = "") -> str:
        """Value of the last occurrence of a flag."""
        return self.flags[name][-1] if self.flags.get(name) else default

    def given(self, name: str) -> bool:
        """True when the flag was on the command line."""
        return name in self.flags


class Parser:
    """Parser of one tool."""

    def __init__(self, tool: str, version: Version, commands: Iterable[Command], short: dict[str, str]) -> None:
        self._tool = tool
        self._version = version
        self._commands = [c for c in commands if not c.since or has(version, c.since)]
        self._short = {"h": "help", **short}

    def parse(self, argv: list[str]) -> Parsed:
        """Take ``argv`` (without the program) apart; raises CommandError as the real parser would."""
        if not argv or argv[0] in ("--help", "-h") or argv == ["help"]:
            raise RawText(self._overview(), code=0 if argv[:1] == ["help"] else 1)
        leading, words, rest = self._split(argv)
        command = self._find(words)
        parsed = Parsed(command)
        self._consume(parsed, leading + words[len(command.words) :] + rest)
        return parsed

    def _split(self, argv: list[str]) -> tuple[list[str], list[str], list[str]]:
        """Flags before the command, words up to the next flag, and the rest."""
        leading: list[str] = []
        index = 0
        valued = {name for command in self._commands for name in command.valued}
        while index < len(argv) and argv[index].startswith("-"):
            name = self._long_name(argv[index])
            leading.append(argv[index])
            index += 1
            if name in valued and "=" not in leading[-1] and index < len(argv):
                leading.append(argv[index])
                index += 1
        words = []
        while index < len(argv) and not argv[index].startswith("-"):
            words.append(argv[index])
            index += 1
        return leading, words, argv[index:]

    def _find(self, words: list[str]) -> Command:
        for size in range(len(words), 0, -1):
            for command in self._commands:
                if command.words == tuple(words[:size]):
                    return command
        if not words:
            raise RawText(self._overview())
        raise CommandError(f'expected command but got "{words[0]}"')

    def _consume(self, parsed: Parsed, tokens: list[str]) -> None:
        index = 0
        command = parsed.command
        while index < len(tokens):
            token = tokens[index]
            index += 1
            if command.operands == -1 and parsed.operands:  # a remote command keeps its own flags
                parsed.operands.append(token)
                continue
            if token == "--" or not token.startswith("-") or token == "-":
                if token != "--":
                    parsed.operands.append(token)
                continue
            index = self._take_flag(parsed, token, tokens, index)
        if command.operands != -1 and len(parsed.operands) > command.operands:
            raise CommandError(f"unexpected {parsed.operands[command.operands]}")

    def _take_flag(self, parsed: Parsed, token: str, tokens: list[str], index: int) -> int:
        name = self._long_name(token)
        inline = token.partition("=")[2] if "=" in token else None
        if name == "help":
            raise UsageShown(self._usage(parsed.command))
        if name in parsed.command.switches:
            parsed.flags.setdefault(name, []).append(inline or "true")
            return index
        if name not in parsed.command.valued:
            raise self._unknown(token)
        if inline is None:
            if index >= len(tokens):
                raise CommandError(f"expected argument for flag '{token}'")
            inline = tokens[index]
            index += 1
        parsed.flags.setdefault(name, []).append(inline)
        return index

    def _long_name(self, token: str) -> str:
        name = token.lstrip("-").partition("=")[0]
        return name if token.startswith("--") else self._short.get(name, name)

    def _unknown(self, token: str) -> CommandError:
        if self._tool == "tctl" and has(self._version, "role_hint_for_unknown_flag"):
            return CommandError(ROLE_HINT)
        kind = "long" if token.startswith("--") else "short"
        return CommandError(f"unknown {kind} flag '{token.partition('=')[0]}'")

    def _overview(self) -> str:
        rows = "".join(f"  {' '.join(c.words):<20} {c.about}\n" for c in self._commands if not c.hidden)
        return f"Usage: {self._tool} [<flags>] <command> [<args> ...]\n\nCommands:\n{rows}\n"

    def _usage(self, command: Command) -> str:
        flags = "".join(f"      --{name}\n" for name in sorted(command.valued | command.switches))
        return f"usage: {self._tool} {' '.join(command.words)} [<flags>]\n\n{command.about}\n\nFlags:\n{flags}\n"
