# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over an installation that was made by hand, so that it has a version folder and can be gone back to."""

from __future__ import annotations

import os
from typing import Dict, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, installation, release
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host


def sources(layout: installation.Layout, running_program: Optional[str]) -> Dict[str, str]:
    """Where the programs of a plain installation are: name and path, links followed.

    :param running_program: path that leads to the program of the process, when that is not the installed one any more.
    """
    found = {
        name: os.path.realpath(layout.program(name))
        for name in installation.PROGRAMS
        if os.path.isfile(layout.program(name))
    }
    if running_program:
        found["teleport"] = running_program
    return found


def size(programs: Dict[str, str]) -> int:
    """Bytes that adopting takes."""
    return sum(os.stat(path).st_size for path in programs.values())


def adopt(layout: installation.Layout, name: str, version: str, edition: str, programs: Dict[str, str]) -> None:
    """Copy the programs into the version folder *name*, unless it exists, and make it the current one.

    Nothing that runs notices: the same files are reached by another way.
    """
    if installation.manifest(layout.folder(name)) is None:
        fresh = os.path.join(layout.versions_dir, ".unpack-" + name)
        os.mkdir(fresh, 0o755)
        for program, path in sorted(programs.items()):
            durable.copy_file(path, os.path.join(fresh, program))
            os.chmod(os.path.join(fresh, program), 0o755)  # noqa: S103 - programs are for everybody
        release.publish(layout, fresh, name, {"version": version, "edition": edition, "source": "adopted"})
    installation.replace_link(layout.current, name)


def running_program(host: Host, running: Optional[str], installed: Optional[str], pid: int) -> Optional[str]:
    """Path to the program of the process when its file was replaced by another version, else None."""
    if pid and running and running != installed:
        return os.path.join(host.proc, str(pid), "exe")
    return None
