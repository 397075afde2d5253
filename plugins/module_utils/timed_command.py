# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command for a limited time.

``AnsibleModule.run_command`` has no time limit, and sleeps for a second when a program ends between two looks that it
takes at it. That happens the more often the earlier the program closes its output, and coreutils' ``timeout``, which
would set the limit, closes it early. Outages cannot spare that second.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from typing import Any, Dict, List, Optional, Tuple

#: What a shell, and coreutils' ``timeout``, exit with when a command had to be ended.
TIMED_OUT = 124
#: Seconds between the signal that asks a command to end and the one that it cannot refuse.
_GRACE = 5.0
#: Seconds between two looks whether a command has ended whose output something else keeps open.
_LOOK = 0.5
#: What is written at once: more could block, although the pipe takes some.
_WRITTEN_AT_ONCE = select.PIPE_BUF
_READ_AT_ONCE = 1 << 16


def run_command(
    command: List[str],
    *,
    environ_update: Dict[str, str],
    seconds: float,
    data: Optional[str] = None,
    cwd: Optional[str] = None,
) -> Tuple[int, str, str]:
    """Run *command* in the folder *cwd* with *data* as its input; return its exit status, its output and its errors.

    What still runs after *seconds* is ended, with what it has started; the status is 124 then, and its output is lost.
    A command that a signal ends has the negative number of that as its status.

    :raises OSError: when it cannot be started.
    """
    # A session of its own: what the command starts has to end with it.
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function # for what run_command lacks, see above
        command,
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ_update},
        cwd=cwd,
        start_new_session=True,
    )
    end = time.monotonic() + seconds
    talk = _Talk(process, data)
    try:
        in_time = talk.is_over(end) and _has_ended(process, end)
        if not in_time:
            _end(process)
    except BaseException:
        _end(process)
        raise
    finally:
        talk.close()
    if not in_time:
        return TIMED_OUT, "", ""
    return process.returncode, talk.said(process.stdout), talk.said(process.stderr)


class _Talk:
    """What a process is given and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], data: Optional[str]) -> None:
        self._process = process
        self._given = memoryview((data or "").encode("utf-8", "surrogateescape"))
        self._said: Dict[Any, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
        self._open = selectors.DefaultSelector()
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)
            self._open.register(pipe, selectors.EVENT_WRITE if pipe is process.stdin else selectors.EVENT_READ)

    def _pipes(self) -> List[Any]:
        return [pipe for pipe in (self._process.stdin, *self._said) if pipe is not None]

    def is_over(self, end: float) -> bool:
        """Hand over and listen until all pipes are closed, or the process has ended and nothing is left to be read.

        False when that took longer than to *end*. What the process left behind may keep its output open for ever.
        """
        while self._open.get_map():
            # Asked first: whatever it said is in the pipe then.
            has_ended = self._process.poll() is not None
            left = end - time.monotonic()
            ready = self._open.select(0 if has_ended else max(0.0, min(left, _LOOK)))
            for key, _events in ready:
                pipe: Any = key.fileobj
                if not (self._give() if pipe is self._process.stdin else self._listen(pipe)):
                    self._open.unregister(pipe)
                    pipe.close()
            if has_ended and not ready:
                return True
            # Also of what has ended: what it left behind may go on talking for ever.
            if left <= 0:
                return has_ended
        return True

    def _give(self) -> bool:
        """Write a piece; say whether there is more."""
        pipe: Any = self._process.stdin
        try:
            self._given = self._given[os.write(pipe.fileno(), self._given[:_WRITTEN_AT_ONCE]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            self._given = self._given[:0]
        return bool(self._given)

    def _listen(self, pipe: Any) -> bool:
        """Read a piece; say whether there may be more."""
        try:
            piece = os.read(pipe.fileno(), _READ_AT_ONCE)
        except BlockingIOError:
            # A kernel may call a pipe ready that is not; ansible-core met it.
            return True
        self._said[pipe] += piece
        return bool(piece)

    def said(self, pipe: Any) -> str:
        """Return what was read from a pipe."""
        return self._said[pipe].decode("utf-8", "surrogateescape")

    def close(self) -> None:
        """Let go of the pipes."""
        self._open.close()
        for pipe in self._pipes():
            pipe.close()


def _has_ended(process: subprocess.Popen[bytes], end: float) -> bool:
    """Wait for a process that has closed its output; say whether it ended in time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, end - time.monotonic()))
    return process.returncode is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
