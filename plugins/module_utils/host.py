# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as the other parts see it: commands with a time limit, two clocks, and where the kernel keeps its files."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Union

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import PlainError, printable
from ansible_collections.lockstep.teleport.plugins.module_utils.timed_command import run_command

#: What a shell exits with when a program is there but cannot be executed, or is not there.
CANNOT_EXECUTE = 126
NOT_FOUND = 127


class HostError(PlainError):
    """Something about this host stops the work. The message names it, what was found and what to do next."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class Completed(NamedTuple):
    """A command that has ended, or was ended: exit status (`timed_command.TIMED_OUT` then), output and errors."""

    status: int
    output: str
    errors: str

    @property
    def text(self) -> str:
        """Output and errors together, for messages; nothing in it acts on a terminal."""
        return printable("\n".join(part.strip() for part in (self.output, self.errors) if part.strip()))


@dataclass
class Host:
    """Access to one host.

    :param run_command: as `timed_command.run_command`.
    :param clock: seconds that only grow, for waiting.
    :param wall: seconds since the epoch, for timestamps.
    """

    run_command: Callable[..., Any] = run_command
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    kill: Callable[[int, int], None] = os.kill
    proc: str = "/proc"
    units: str = "/etc/systemd/system"
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        arguments: Sequence[str],
        seconds: float = 15.0,
        data: Optional[str] = None,
        cwd: Optional[str] = None,
    ) -> Completed:
        """Run a command for at most *seconds*; never raises for what the command does.

        :param data: its input.
        :param cwd: the folder it runs in.
        """
        # Without this a newer tsh or tctl may replace itself by the cluster's version before it answers.
        environment = {"LC_ALL": "C", "TELEPORT_TOOLS_VERSION": "off", **self.environment}
        try:
            return Completed(
                *self.run_command(list(arguments), environ_update=environment, seconds=seconds, data=data, cwd=cwd)
            )
        except FileNotFoundError as problem:
            return Completed(NOT_FOUND, "", _reason(problem))
        except OSError as problem:
            return Completed(CANNOT_EXECUTE, "", _reason(problem))

    def wait_until(
        self, condition: Callable[[], bool], seconds: float, pause: Union[float, Callable[[], float]] = 0.2
    ) -> bool:
        """Try *condition* until it holds; say whether it did within *seconds*. It is tried once even if that is 0.

        :param pause: seconds until the next try, or what tells them each time.
        """
        deadline = self.clock() + seconds
        while not condition():
            if self.clock() >= deadline:
                return False
            self.sleep(pause() if callable(pause) else pause)
        return True


def _reason(problem: OSError) -> str:
    return os.strerror(problem.errno) if problem.errno else str(problem)
