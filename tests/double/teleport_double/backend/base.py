# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every store can do. Keys look like ``/authorities/host/example.com``, values are JSON texts."""

from __future__ import annotations

import abc
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One record; ``expires`` is seconds since the epoch or None."""

    key: str
    value: str
    expires: float | None = None

    def alive(self, now: float | None = None) -> bool:
        """False once the record has expired."""
        return self.expires is None or self.expires > (time.time() if now is None else now)


class BackendError(Exception):
    """The store cannot be opened or does not answer."""


class Backend(abc.ABC):
    """A key-value store; all methods are safe to call from several threads."""

    #: names the store, for the witness: equal for two auths exactly when they share it
    location = ""

    @abc.abstractmethod
    def get(self, key: str) -> Item | None:
        """The living record under ``key``."""

    @abc.abstractmethod
    def put(self, key: str, value: str, expires: float | None = None) -> None:
        """Write a record, whatever was there."""

    @abc.abstractmethod
    def delete(self, key: str) -> bool:
        """Remove a record; False when there was none."""

    @abc.abstractmethod
    def scan(self, prefix: str) -> list[Item]:
        """Living records whose key starts with ``prefix``, ordered by key."""

    @abc.abstractmethod
    def swap(self, key: str, expected: str, value: str) -> bool:
        """Replace ``expected`` by ``value``; False when something else is stored."""

    def close(self) -> None:  # noqa: B027 - optional: a store may hold nothing
        """Let go of files and connections."""
