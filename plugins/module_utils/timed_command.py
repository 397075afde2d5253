# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command for a limited time.

``AnsibleModule.run_command`` has no time limit, and where a program closes its output a moment before it ends, as
coreutils' ``timeout`` does, it sleeps for a second that an outage cannot spare: between its two looks at the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Dict, List, Optional, Tuple

#: What a shell, and coreutils' ``timeout``, exit with when a command had to be ended.
TIMED_OUT = 124
#: Seconds between the signal that asks a command to end and the one that it cannot refuse.
_GRACE = 5.0
#: Seconds between two looks whether a command has ended whose output something else keeps open.
_LOOK = 0.5


def run_command(
    command: List[str], *, environ_update: Dict[str, str], seconds: float, data: Optional[str] = None
) -> Tuple[int, str, str]:
    """Run *command* with *data* as its input; return its exit status, its output and its errors.

    What still runs after *seconds* is ended, with what it has started; the status is 124 then, and its output is lost.
    A command that a signal ends has the negative number of that as its status.

    :raises OSError: when it cannot be started.
    """
    # A session of its own: what the command starts has to end with it.
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ_update},
        start_new_session=True,
    )
    try:
        done = _communicate(process, data, time.monotonic() + seconds)
    except BaseException:
        _end(process)
        raise
    finally:
        _close(process)
    if done is None:
        return TIMED_OUT, "", ""
    return process.returncode, _text(done[0]), _text(done[1])


def _communicate(
    process: subprocess.Popen[bytes], data: Optional[str], end: float
) -> Optional[Tuple[Optional[bytes], Optional[bytes]]]:
    """Return output and errors; None when the process had to be ended."""
    content = None if data is None else data.encode("utf-8", "surrogateescape")
    while True:
        left = end - time.monotonic()
        try:
            return process.communicate(content, timeout=max(0.0, min(left, _LOOK)))
        except subprocess.TimeoutExpired as so_far:
            # Something that it left behind may keep its output open for ever.
            if process.poll() is not None:
                return so_far.output, so_far.stderr
            if left <= _LOOK:
                _end(process)
                return None
            content = None  # communicate goes on with what it was given first


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _text(content: Optional[bytes]) -> str:
    return (content or b"").decode("utf-8", "surrogateescape")
