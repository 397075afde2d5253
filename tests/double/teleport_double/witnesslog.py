# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Append-only record of what really happened on this host; the judge reads it, nothing else does."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

WITNESS_FILE = "/var/log/teleport-witness.jsonl"
WITNESS_ENV = "TELEPORT_DOUBLE_WITNESS"


def path() -> str:
    """The file of this host."""
    return os.environ.get(WITNESS_ENV, WITNESS_FILE)


def record(event: str, **fields: Any) -> None:
    """Append one event; one write of one line, so processes may share the file."""
    line = {"at": round(time.time(), 3), "host": host(), "pid": os.getpid(), "event": event, **fields}
    data = (json.dumps(line, sort_keys=True) + "\n").encode()
    try:
        descriptor = os.open(path(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError:
        return  # a tool run by an ordinary user has nothing to bear witness of
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def host() -> str:
    """Name under which this host's events are kept (tests on one machine set it per process)."""
    return os.environ.get("TELEPORT_DOUBLE_HOST") or socket.gethostname()
