# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of this machine, as far as killing a controller needs them."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def descendants(ancestor: int) -> list[int]:
    """Return all processes below one. A worker of ansible-core has a process group of its own, so groups do not do."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    found = [ancestor]
    for parent in found:
        found += [pid for pid, own_parent in parents.items() if own_parent == parent]
    return found[1:]


def kill_tree(ancestor: int) -> None:
    """End a process and all below it as a power cut would: nothing cleans up."""
    for pid in [*descendants(ancestor), ancestor]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
