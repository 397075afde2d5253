# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host of a lab: prints a JSON digest of files and units.

The only argument is JSON: ``roots``, ``volatile`` and ``ignored``, lists of shell patterns for whole paths.
A file is ``{kind, mode, owner, size, sha256}``, a link ``{kind, owner, target}``, any other ``{kind, mode, owner}``.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import json
import os
import stat
import subprocess
import sys
from typing import Any

KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISREG, "file"),
    (stat.S_ISLNK, "link"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISFIFO, "pipe"),
)
PROPERTIES = "Id,LoadState,ActiveState,SubState,MainPID,NRestarts,UnitFileState,FragmentPath,DropInPaths,InvocationID"
# systemd's own helpers come and go with logins and timers.
PASSING_UNITS = ("session-*", "user@*", "user-runtime-dir@*", "systemd-*", "ssh@*", "modprobe@*")


def matches(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def describe(path: str, volatile: bool) -> dict[str, Any]:
    entry = os.lstat(path)
    kind = next((name for test, name in KINDS if test(entry.st_mode)), "other")
    found: dict[str, Any] = {"kind": kind, "owner": f"{entry.st_uid}:{entry.st_gid}"}
    if kind == "link":
        return {**found, "target": os.readlink(path)}
    found["mode"] = f"{stat.S_IMODE(entry.st_mode):04o}"
    if kind == "file" and not volatile:
        with open(path, "rb") as handle:
            found.update(size=entry.st_size, sha256=hashlib.sha256(handle.read()).hexdigest())
    return found


def walk(root: str, ignored: list[str]) -> list[str]:
    paths = [root]
    if os.path.isdir(root) and not os.path.islink(root):
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if not matches(os.path.join(folder, name), ignored)]
            paths += [os.path.join(folder, name) for name in folders + files]
    return [path for path in paths if not matches(path, ignored)]


def digest_files(question: dict[str, list[str]]) -> dict[str, Any]:
    found = {}
    for pattern in question["roots"]:
        for root in glob.glob(pattern):
            for path in walk(root, question["ignored"]):
                try:
                    found[path] = describe(path, matches(path, question["volatile"]))
                except FileNotFoundError:
                    # Gone between listing and reading: only volatile files do that, and those are named in `volatile`.
                    found[path] = {"kind": "passing"}
    return found


def digest_units() -> dict[str, Any]:
    command = ["systemctl", "--no-pager", "show", "--all", "*.service", "*.timer", f"--property={PROPERTIES}"]
    blocks = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n\n")
    units = {}
    for block in blocks:
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        name = unit.pop("Id", "")
        if name and not matches(name, list(PASSING_UNITS)):
            units[name] = unit
    return units


if __name__ == "__main__":
    json.dump({"files": digest_files(json.loads(sys.argv[1])), "units": digest_units()}, sys.stdout)
