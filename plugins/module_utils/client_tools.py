# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client tools on a host without a service: those in ``bin_dir``, which are upgraded, and those anywhere else."""

from __future__ import annotations

import glob
import os
from typing import Dict, Iterator, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import installation, process
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

#: Where install scripts, packages and managed updates put programs; patterns.
PLACES = ("/usr/local/bin", "/usr/bin", "/opt/teleport/*/bin", "/opt/teleport/*/versions/*/bin")
#: Where tools that update themselves keep what they fetched, for the user who called them.
HOMES = ("/root/.tsh/bin", "/home/*/.tsh/bin")


def ask(host: Host, layout: installation.Layout) -> Dict[str, process.Program]:
    """Return what the tools in ``bin_dir`` say of themselves, by name."""
    present = [name for name in installation.CLIENT_PROGRAMS if os.path.exists(layout.program(name))]
    return {name: process.ask_version(host, layout.program(name)) for name in present}


def elsewhere(
    host: Host, layout: installation.Layout, places: Tuple[str, ...] = PLACES, homes: Tuple[str, ...] = HOMES
) -> Dict[str, Optional[str]]:
    """Return tools in other usual places: path and version, which is None where it is not asked or not told.

    What lies in a home folder belongs to its user and is not run as root. Links to one program are one tool.
    """
    seen = {os.path.realpath(layout.program(name)) for name in installation.CLIENT_PROGRAMS}
    found: Dict[str, Optional[str]] = {}
    for path, is_trusted in (
        *((path, True) for path in _programs(places)),
        *((path, False) for path in _programs(homes)),
    ):
        real = os.path.realpath(path)
        if real in seen or real.startswith(os.path.realpath(layout.versions_dir) + "/"):
            continue
        seen.add(real)
        output = process.ask_version(host, path).output if is_trusted else None
        found[path] = str(output.release) if output else None
    return found


def _programs(patterns: Tuple[str, ...]) -> Iterator[str]:
    for pattern in patterns:
        for folder in sorted(glob.glob(pattern)):
            paths = (os.path.join(folder, name) for name in installation.CLIENT_PROGRAMS)
            yield from (path for path in paths if os.path.isfile(path))
