# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry of every binary: finds out which tool it is and runs it.

Imports are local on purpose: hosts are asked for their version all the time, and that must cost no more
than it costs the real binary.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from .identity import Identity


def main(argv: list[str], stamp: str | bytes) -> int:
    """Run the tool named by the stamp; the exit status."""
    identity = Identity.from_json(stamp)
    if argv[1:] == ["version"]:
        print(identity.version_line)
        return 0
    from .errors import CommandError, report

    try:
        return _tool(identity.tool)(argv, identity)
    except CommandError as error:
        report(error, identity.version)
        return error.code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _tool(name: str) -> Callable[[list[str], Identity], int]:
    if name == "teleport":
        from .cli_teleport import main as teleport

        return teleport
    if name == "tctl":
        from .cli_tctl import main as tctl

        return tctl
    if name == "tsh":
        from .cli_tsh import main as tsh

        return tsh
    from .cli_tbot import main as tbot

    return tbot
