# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from .errors import LabError

TAIL_LINES = 15


def run(
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float = 120.0,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    label: str = "",
) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, with its output captured.

    ``env`` is added to the environment of this process, ``timeout`` is in seconds, ``label`` stands for the command in
    messages.
    Raises LabError when the program is missing, times out or (with ``check``) ends with a status other than 0.
    """
    try:
        done = subprocess.run(
            list(command),
            input=stdin,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            check=False,
        )
    except FileNotFoundError as error:
        raise LabError(f"{command[0]}: program not found; run `lab.py install` (as root) first") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{label or _shown(command)}: not finished after {timeout:.0f} s") from error
    if check and done.returncode != 0:
        raise LabError(
            f"{label or _shown(command)}: ended with status {done.returncode}\n{tail(done.stderr or done.stdout)}"
        )
    return done


def text(command: Sequence[str], *, timeout: float = 120.0, env: Mapping[str, str] | None = None) -> str:
    """The standard output of a command that has to succeed, stripped."""
    return run(command, timeout=timeout, env=env).stdout.decode("utf-8", "replace").strip()


def tail(output: bytes) -> str:
    """The last lines of a program's output, for error messages."""
    return "\n".join(output.decode("utf-8", "replace").strip().splitlines()[-TAIL_LINES:])


def _shown(command: Sequence[str]) -> str:
    line = " ".join(command)
    return line if len(line) <= 160 else line[:157] + "..."
