# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that systemd gives to a unit's processes, read without a process of it."""

from __future__ import annotations

import glob
import shlex
from typing import Dict, Iterable, List

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host


def unit_environment(host: Host, unit: str, prefix: str) -> Dict[str, str]:
    """Return the variables of *unit* whose names begin with *prefix*; the files it names win over the unit itself.

    Values may be secrets. What cannot be read is left out, as systemd does for files marked with ``-``.
    """
    answer = host.run(["systemctl", "show", unit, "--property=Environment", "--property=EnvironmentFiles"])
    lines = answer.output.splitlines()
    found = _assignments(_values(lines, "Environment"))
    for value in _values(lines, "EnvironmentFiles"):
        # systemctl prints "/etc/default/teleport (ignore_errors=yes)".
        for path in sorted(glob.glob(value.rsplit(" (", 1)[0])):
            found.update(_assignments(_file_lines(path)))
    return {name: value for name, value in found.items() if name.startswith(prefix)}


def _values(lines: Iterable[str], name: str) -> List[str]:
    return [line[len(name) + 1 :] for line in lines if line.startswith(f"{name}=")]


def _assignments(lines: Iterable[str]) -> Dict[str, str]:
    words = [word for line in lines for word in _words(line)]
    return dict(word.split("=", 1) for word in words if "=" in word)


def _words(line: str) -> List[str]:
    try:
        return shlex.split(line, comments=line.lstrip().startswith(("#", ";")))
    except ValueError:
        return []


def _file_lines(path: str) -> List[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return [
                line for line in handle.read().replace("\\\n", "").splitlines() if line.lstrip()[:1] not in ("#", ";")
            ]
    except OSError:
        return []
