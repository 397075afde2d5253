# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host as the other parts see it: commands with a time limit, two clocks, and where the kernel keeps its files."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import PlainError, printable

#: What coreutils ``timeout`` exits with when it had to end the command.
TIMED_OUT = 124
#: What a shell, and ``timeout``, exit with when a program is there but cannot be executed, or is not there.
CANNOT_EXECUTE = 126
NOT_FOUND = 127
#: What becomes of ``timeout`` itself when it had to kill a command that did not heed the first signal.
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)


class HostError(PlainError):
    """Something about this host stops the work. The message names it, what was found and what to do next."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class Completed(NamedTuple):
    """A command that has ended, or was ended: exit status (124 after a timeout), output and errors."""

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

    :param run_command: as ``AnsibleModule.run_command``: takes a list of arguments, returns (status, output, errors).
    :param clock: seconds that only grow, for waiting.
    :param wall: seconds since the epoch, for timestamps.
    :param timeout_program: path of coreutils ``timeout``; empty only where the commands are not real.
    """

    run_command: Callable[..., Any]
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    kill: Callable[[int, int], None] = os.kill
    timeout_program: str = ""
    proc: str = "/proc"
    units: str = "/etc/systemd/system"
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, arguments: Sequence[str], seconds: float = 15.0, **more: Any) -> Completed:
        """Run a command for at most *seconds*; never raises for what the command does. *more* is for ``run_command``.

        ``run_command`` of ansible-core has no time limit of its own, so coreutils' ``timeout`` sets it, and kills what
        does not react to the first signal.
        """
        command = list(arguments)
        if self.timeout_program:
            command = [self.timeout_program, "--kill-after=5", f"{seconds:g}", *command]
        # Without this a newer tsh or tctl may replace itself by the cluster's version before it answers.
        environment = {"LC_ALL": "C", "TELEPORT_TOOLS_VERSION": "off", **self.environment}
        # A path is taken as it is: run_command would expand ~ and $NAME in it.
        more.setdefault("expand_user_and_vars", False)
        begun = self.clock()
        try:
            status, output, errors = self.run_command(
                command, environ_update=environment, handle_exceptions=False, **more
            )
        except OSError as problem:
            return Completed(CANNOT_EXECUTE, "", os.strerror(problem.errno) if problem.errno else str(problem))
        if self.timeout_program and status in _KILLED and self.clock() - begun >= seconds:
            status = TIMED_OUT
        return Completed(status, output, errors)

    def wait_until(self, condition: Callable[[], bool], seconds: float, pause: float = 0.2) -> bool:
        """Try *condition* until it holds; say whether it did within *seconds*. It is tried once even if that is 0."""
        deadline = self.clock() + seconds
        while not condition():
            if self.clock() >= deadline:
                return False
            self.sleep(pause)
        return True


def from_module(module: Any) -> Host:
    """Give access to the host a module runs on. The module fails where no command can be given a time limit."""
    return Host(run_command=module.run_command, timeout_program=module.get_bin_path("timeout", required=True))
