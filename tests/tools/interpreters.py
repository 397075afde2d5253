# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the Python interpreters of this machine that can be used for tests.

``python3 interpreters.py path`` prints a search path that ends with their folders.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
OLDEST_TARGET = (3, 7)
Release = tuple[int, int]
PROBE = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"


def parse_release(text: str) -> Release:
    """Return ``(3, 11)`` for ``3.11``."""
    major, minor = text.strip().split(".")
    return int(major), int(minor)


def pyenv_folders(environ: dict[str, str]) -> list[Path]:
    """Return the ``bin`` folders of what pyenv has installed.

    The shims are of no use: those of inactive versions exist and exit with 127.
    """
    root = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(root.glob("versions/*/bin"))


def search_folders(environ: dict[str, str]) -> list[Path]:
    """Return every folder an interpreter may be in, the system's own first and no shims."""
    own = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if entry]
    folders = [Path(entry) for entry in SYSTEM_PATH] + own + pyenv_folders(environ)
    return [folder for folder in dict.fromkeys(folders) if "shims" not in folder.parts]


def probe(executable: Path) -> Release | None:
    """Return the release of an interpreter that can make virtual environments, else None."""
    try:
        done = subprocess.run([executable, "-c", PROBE], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    return parse_release(done.stdout) if done.returncode == 0 else None


def find_interpreters(environ: dict[str, str]) -> dict[Release, Path]:
    """Return one working interpreter per release, the first one found."""
    found: dict[Release, Path] = {}
    for folder in search_folders(environ):
        for candidate in sorted(folder.glob("python3.*")):
            match = re.fullmatch(r"python(3\.\d+)", candidate.name)
            if not match or (named := parse_release(match.group(1))) in found or named < OLDEST_TARGET:
                continue
            if probe(candidate) == named:
                found[named] = candidate
    return found


def main() -> None:
    found = find_interpreters(dict(os.environ))
    if sys.argv[1:] == ["path"]:
        print(os.pathsep.join(dict.fromkeys([*SYSTEM_PATH, *(str(path.parent) for path in found.values())])))
        return
    for release, path in sorted(found.items()):
        print("{}.{} {}".format(*release, path))


if __name__ == "__main__":
    main()
