# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the changes that a run of ansible-playbook reported, in order, one JSON list [task, host] a line.

Reads the output of the default callback. Two runs that print the same made, or announced, the same changes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?P<name>.*?)\] \*+$")
_CHANGED = re.compile(r"^changed: \[(?P<host>[^\]]+?)(?: -> [^\]]+)?\]")


def changes(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield task and host of each change, the hosts of one task by name: which of them ends first is chance."""
    task = ""
    hosts: list[str] = []
    for line in lines:
        if found := _TASK.match(line):
            yield from ((task, host) for host in sorted(hosts))
            task, hosts = found["name"], []
        elif found := _CHANGED.match(line):
            hosts.append(found["host"])
    yield from ((task, host) for host in sorted(hosts))


if __name__ == "__main__":
    for change in changes(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()):
        print(json.dumps(change))
