# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that end a command, written the way each generation writes them."""

from __future__ import annotations

import sys

from .features import has
from .versions import Version


class CommandError(Exception):
    """Ends the command with status 1 (or ``code``) and the text on stderr."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


class UsageShown(CommandError):
    """Help was asked for: the real tools print it on stderr and, for sub-commands, return 1."""


class RawText(CommandError):
    """Text for stderr that no generation decorates."""


def report(error: CommandError, version: Version) -> None:
    """Print the error; from 6 on in colour, terminal or not, with an empty line after it."""
    if isinstance(error, (UsageShown, RawText)):
        sys.stderr.write(error.text)
    elif has(version, "ansi_errors"):
        sys.stderr.write(f"\x1b[31mERROR: \x1b[0m{error.text}\n\n")
    else:
        sys.stderr.write(f"error: {error.text}\n")
    sys.stderr.flush()
