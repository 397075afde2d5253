# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets ssh notice a host that vanished while it worked.

By itself ssh waits for ever for the answer of a host whose power or cable is gone, and the run with it.
"""

from __future__ import annotations

from typing import Protocol

#: Two minutes without any sign of life; a host that is merely busy answers these questions all the same.
OPTIONS = "-o ServerAliveInterval=15 -o ServerAliveCountMax=8"
_SSH = "ssh"
_EXTRA = "ssh_extra_args"


class Connection(Protocol):
    """What is used of Ansible's connections."""

    @property
    def transport(self) -> str:
        """Which plugin it is."""

    def get_option(self, option: str) -> object:
        """Return the value of an option."""

    def set_option(self, option: str, value: object) -> None:
        """Set an option for this connection."""


def keep_alive(connection: Connection) -> None:
    """Let a connection by OpenSSH ask for signs of life, unless its own arguments say something about that."""
    if connection.transport != _SSH:
        return
    given = [str(connection.get_option(name) or "") for name in ("ssh_args", "ssh_common_args", _EXTRA)]
    if "ServerAlive" not in " ".join(given):
        connection.set_option(_EXTRA, f"{given[-1]} {OPTIONS}".strip())
