# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks on a host that something around its instance is still to be put back.

A run may be killed between upgrading a proxy and giving it back to its load balancer. Nothing of the instance tells
that afterwards; the mark does, and the next run plans a step for the host, which puts things right and removes it.
"""

from __future__ import annotations

import contextlib
import os
from typing import List

from ansible_collections.lockstep.teleport.plugins.module_utils import durable

#: The proxy is out of its load balancer; somebody else leaves the auth group to this run.
NAMES = ("drained", "auth_group")
_PREFIX = ".mark-"


def _path(versions_dir: str, name: str) -> str:
    return os.path.join(versions_dir, _PREFIX + name)


def found(versions_dir: str) -> List[str]:
    """Return the names of the marks on this host."""
    return [name for name in NAMES if os.path.exists(_path(versions_dir, name))]


def put(versions_dir: str, name: str) -> None:
    """Mark the host; the mark outlives a power cut."""
    os.makedirs(versions_dir, mode=0o755, exist_ok=True)
    durable.write_file(_path(versions_dir, name), b"lockstep.teleport puts this right; see its docs/around.md\n")


def remove(versions_dir: str, name: str) -> None:
    """Remove the mark."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(versions_dir, name))
    durable.sweep(_path(versions_dir, name) + ".part-")
