# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which package Teleport belongs to on this host, and where that comes from."""

from __future__ import annotations

import glob
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, Type

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file, installation, package_source
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_apt import Apt
from ansible_collections.lockstep.teleport.plugins.module_utils.package_rpm import Rpm
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tool import EDITIONS, PackageTool, release_of

TOOLS: Tuple[Type[PackageTool], ...] = (Apt, Rpm)
#: Bytes; more than any file that names repositories.
_LARGEST = 1 << 20


class Package(NamedTuple):
    """A package and what manages it."""

    tool: PackageTool
    name: str

    @property
    def edition(self) -> str:
        """The edition in it. Raises `HostError` for a package that is not Teleport's own."""
        if self.name not in EDITIONS:
            raise HostError(
                f"Teleport belongs to the package {self.name}; known are {', '.join(sorted(EDITIONS))}. Install one of "
                "them, or the tarball, and run again."
            )
        return EDITIONS[self.name]


def find(host: Host, layout: installation.Layout) -> Package:
    """Return the package that the programs in ``bin_dir`` belong to.

    :raises HostError: when they belong to none.
    """
    present = [name for name in installation.PROGRAMS if os.path.exists(layout.program(name))]
    for path in (os.path.realpath(layout.program(name)) for name in present):
        for tool in (kind(host) for kind in TOOLS):
            owner = tool.owner(path)
            if owner:
                return Package(tool, owner)
    raise HostError(f"no package owns the programs in {layout.bin_dir}")


def remembered(host: Host, document: Mapping[str, Any]) -> Package:
    """Return the package that a journal names.

    :raises HostError: when it names none that can be.
    """
    kind = next((kind for kind in TOOLS if kind.name == document.get("tool")), None)
    if kind is None or document.get("package") not in EDITIONS:
        raise HostError(f"the journal of an unfinished upgrade is not understood: package {document.get('package')!r}")
    return Package(kind(host), str(document["package"]))


def source(tool: PackageTool) -> Source:
    """Return the one entry that Teleport's packages come from.

    :raises HostError: when there is none, or more than one, or one that says that signatures do not matter.
    """
    found = sources(tool)
    if len(found) != 1:
        seen = ", ".join(f"{one.path} ({one.channel})" for one in found) or "none"
        raise HostError(
            f"there must be one enabled entry with a channel of Teleport's repository, such as stable/v17, in "
            f"{', '.join(tool.places)}; found: {seen}. Mend the entries and run again."
        )
    if found[0].is_unsigned:
        raise HostError(f"{found[0].path} turns the check of signatures off. Let it be checked, and run again.")
    return found[0]


def sources(tool: PackageTool) -> List[Source]:
    """Return all enabled entries with a channel of Teleport's repository."""
    paths = [path for place in tool.places for path in glob.glob(place)]
    return package_source.find({path: text for path, text in ((path, _text(path)) for path in paths) if text})


def _text(path: str) -> str:
    try:
        return foreign_file.read(path, _LARGEST).decode("utf-8")
    except (OSError, ValueError):
        return ""


def facts(host: Host, layout: installation.Layout) -> Dict[str, Optional[Any]]:
    """Return what ``instance_info`` shows of a package; ``problem`` says why it cannot be upgraded."""
    try:
        package = find(host, layout)
        described: Dict[str, Optional[Any]] = {
            "tool": package.tool.name,
            "name": package.name,
            "edition": EDITIONS.get(package.name),
            "version": release_of(package.tool.installed(package.name) or ""),
            "held": package.tool.is_held(package.name),
            "channel": None,
            "problem": None,
        }
    except HostError as problem:
        return {"problem": str(problem)}
    try:
        _edition, entry = package.edition, source(package.tool)
    except HostError as problem:
        return {**described, "problem": str(problem)}
    return {**described, "channel": entry.channel, "source": entry.path}
