# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``tbot`` command: it only tells its version, so that client tools can be upgraded and proven."""

from __future__ import annotations

from .errors import CommandError
from .flags import Command, Parser
from .identity import Identity

COMMANDS = (
    Command(("version",), "Print the version of your tbot binary."),
    Command(("help",), "Show help.", operands=-1),
)


def main(argv: list[str], identity: Identity) -> int:
    """Run the command; the exit status."""
    parsed = Parser("tbot", identity.version, COMMANDS, {}).parse(argv[1:])
    if parsed.command.words == ("version",):
        print(identity.version_line)
        return 0
    raise CommandError("the double's tbot runs no bot")
