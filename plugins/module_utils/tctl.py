# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calling ``tctl`` on an auth host, and telling a passing trouble from a lasting one."""

from __future__ import annotations

import re
from typing import Any, List, Optional, Sequence, Union

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import PlainError, colourless
from ansible_collections.lockstep.teleport.plugins.module_utils.timed_command import TIMED_OUT

_ERROR_RE = re.compile(r"^(?:ERROR|error):\s*(?P<reason>.+)$", re.MULTILINE)
_SHOWN = 300

#: What tctl says while its Auth Service starts, restarts or reloads; the same question may be answered a moment later.
_PASSING = (
    "cannot connect to the auth server",
    "is the auth server running",
    "connection refused",
    "connection reset",
    "connection error",
    "failed to dial",
    "failed direct dial",
    "bad certificate",
    "eof",
    "deadline exceeded",
    "transport is closing",
    "unavailable",
    "i/o timeout",
)

#: What tctl says to a kind of resource, a command or an option that its version does not know.
_UNKNOWN = (
    "is not supported",
    "unsupported resource",
    "unknown resource",
    "unknown long flag",
    "expected command but got",
    "not implemented",
    "unknown method",
)


class TctlError(PlainError):
    """``tctl`` gave no answer. The message holds the command, what it said and what to do next."""


class UnknownToTctl(TctlError):
    """This version of ``tctl`` or of its Auth Service does not know what was asked for."""


class Tctl:
    """Asks an Auth Service through ``tctl``.

    :param program: path of ``tctl``, or the words that call it.
    :param config_path: the ``teleport.yaml`` of an Auth Service on this host: tctl finds its way in from there.
    :param seconds: time limit of one call.
    :param attempts: how often a question is asked while Auth cannot be reached, *pause* seconds apart.
    """

    def __init__(
        self,
        host: Host,
        program: Union[str, Sequence[str]],
        config_path: Optional[str] = None,
        seconds: float = 30.0,
        attempts: int = 3,
        pause: float = 2.0,
    ) -> None:
        self._host = host
        words = [program] if isinstance(program, str) else list(program)
        self._base = [*words, "-c", config_path] if config_path else words
        self._seconds = seconds
        self._attempts = attempts
        self._pause = pause

    def text(self, arguments: Sequence[str]) -> str:
        """Return what ``tctl`` prints, without colours. Raises :class:`TctlError`."""
        error: Optional[TctlError] = None
        for attempt in range(self._attempts):
            if attempt:
                self._host.sleep(self._pause)
            done = self._host.run([*self._base, *arguments], self._seconds)
            if done.status == 0:
                return colourless(done.output)
            said = colourless(done.text)
            error = self._error(arguments, done.status, said)
            if not is_passing(said) and done.status != TIMED_OUT:
                break
        raise error or TctlError("tctl was not asked")

    def resources(self, kind: str) -> List[Any]:
        """Return the resources of one *kind*. Raises :class:`TctlError`."""
        return as_list(self._json(["get", kind, "--format=json"]))

    def inventory(self) -> List[Any]:
        """Return what ``tctl inventory list`` knows. Raises :class:`UnknownToTctl` where there is no inventory."""
        return as_list(self._json(["inventory", "list", "--format=json"]))

    def _json(self, arguments: Sequence[str]) -> Any:
        answer = self.text(arguments)
        try:
            return foreign_file.parse_json(answer.encode("utf-8", "replace")) if answer.strip() else None
        except ValueError as error:
            raise TctlError(f"{self._command(arguments)} printed no JSON ({error}): {answer[:_SHOWN]!r}") from error

    def _error(self, arguments: Sequence[str], status: int, said: str) -> TctlError:
        if status == TIMED_OUT:
            return TctlError(f"{self._command(arguments)} did not answer within {self._seconds:g} s.")
        kind = UnknownToTctl if is_unknown(said) else TctlError
        return kind(f"{self._command(arguments)} failed ({status}): {reason(said)}")

    def _command(self, arguments: Sequence[str]) -> str:
        return " ".join([*self._base, *arguments])


def is_passing(said: str) -> bool:
    """Return whether *said* is a trouble that asking again may cure."""
    lower = said.lower()
    return any(text in lower for text in _PASSING) and not is_unknown(said)


def is_unknown(said: str) -> bool:
    """Return whether tctl does not know what it was asked for, by its words or by printing its usage."""
    lower = said.lower()
    return any(text in lower for text in _UNKNOWN) or lower.startswith("usage:")


def reason(said: str) -> str:
    """Return the one line of *said* that tells most, of bounded length."""
    match = _ERROR_RE.search(said)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    line = match.group("reason") if match else next(iter(lines), "no output")
    return line[:_SHOWN]


def as_list(answer: Any) -> List[Any]:
    """Return the resources of a JSON answer of any generation.

    Up to 4.4 one resource is an object, several are an array and none is ``[]``; from 5.0 on it is an array always,
    but ``null`` for none. Raises :class:`TctlError` when it holds something else.
    """
    if answer is None:
        return []
    found = answer if isinstance(answer, list) else [answer]
    if not all(isinstance(resource, dict) for resource in found):
        raise TctlError(f"tctl answered with {str(found)[:_SHOWN]!r}; expected are resources")
    return found
