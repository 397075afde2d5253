# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Teleport's programs lie on a host: one folder per version, one link that says which of them counts.

``<versions_dir>/<version>[-ent][-fips]/`` holds a release; ``<versions_dir>/current`` names the one in use and is the
one thing that is switched; ``<versions_dir>/previous`` names the way back; ``<bin_dir>/teleport`` and its siblings lead
through ``current``. A folder counts only with a manifest in it, which is written last.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, foreign_file, trust, updater
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.version import ENTERPRISE, FIPS

MANIFEST = ".manifest.json"
MANIFEST_FORMAT = 1
_LARGEST_MANIFEST = 4 << 20

TARBALL = "tarball"
PACKAGE = "package"
MANAGED_UPDATES = "managed_updates"
NONE = "none"

PROGRAMS = ("teleport", "tctl", "tsh", "tbot")
CLIENT_PROGRAMS = ("tsh", "tctl", "tbot")
#: Programs of a release that get a link; a tarball must not be able to shadow ``sudo`` or ``systemctl`` in the path.
_LINKED_RE = re.compile(r"(?:tctl|tsh|tbot|teleport|[a-z]+-teleport|teleport-[a-z]+)")
#: An updater that would switch the same links as this collection.
_NOT_LINKED = ("teleport-update",)

_MACHINES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "i386": "386",
    "i686": "386",
    "armv6l": "arm",
    "armv7l": "arm",
}


class Layout(NamedTuple):
    """The two folders that everything hangs on."""

    versions_dir: str
    bin_dir: str

    @property
    def current(self) -> str:
        """The link that is switched."""
        return os.path.join(self.versions_dir, "current")

    @property
    def previous(self) -> str:
        """The link that names the way back."""
        return os.path.join(self.versions_dir, "previous")

    def folder(self, name: str) -> str:
        """Path of a version folder."""
        return os.path.join(self.versions_dir, name)

    def program(self, name: str = "teleport") -> str:
        """Path under which units and people call a program."""
        return os.path.join(self.bin_dir, name)


def folder_name(version: str, edition: str) -> str:
    """Name of the folder a release is kept in, the same as the middle of its artefact's name."""
    return version + {ENTERPRISE: "-ent", FIPS: "-ent-fips"}.get(edition, "")


def architecture(machine: str) -> str:
    """Translate what the kernel calls the machine into what Teleport's artefacts call it; unknown ones stay."""
    return _MACHINES.get(machine, machine)


def manifest(folder: str) -> Optional[Dict[str, Any]]:
    """Return the manifest of a complete version folder, None for a folder that is incomplete or no version folder.

    Files are checked by size here; `damaged` reads them.
    """
    try:
        found = foreign_file.parse_json(foreign_file.read(os.path.join(folder, MANIFEST), _LARGEST_MANIFEST))
        whole = found["format"] == MANIFEST_FORMAT and all(
            os.path.getsize(_below(folder, name)) == entry["size"] and isinstance(entry["sha256"], str)
            for name, entry in found["files"].items()
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return dict(found) if whole else None


def _below(folder: str, name: str) -> str:
    if os.path.isabs(name) or ".." in name.split("/"):
        raise ValueError(f"{name!r} leads out of the folder")
    return os.path.join(folder, name)


def damaged(folder: str) -> List[str]:
    """Names of the files in a version folder whose content is not what the manifest says; all when there is none."""
    found = manifest(folder)
    if found is None:
        return [MANIFEST]
    return [
        name
        for name, entry in sorted(found["files"].items())
        if durable.hash_file(os.path.join(folder, name)).sha256 != entry["sha256"]
    ]


def write_manifest(folder: str, facts: Dict[str, Any]) -> None:
    """Declare a version folder complete: record *facts* (version, edition, source…) and every file's size and
    digest."""
    files = {}
    for where, _folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            copied = durable.hash_file(path)
            files[os.path.relpath(path, folder)] = {"size": copied.size, "sha256": copied.sha256}
    durable.write_json(os.path.join(folder, MANIFEST), {"format": MANIFEST_FORMAT, "files": files, **facts})


def kept_versions(layout: Layout) -> List[str]:
    """Names of the complete version folders, sorted by name."""
    try:
        names = os.listdir(layout.versions_dir)
    except OSError:
        return []
    return sorted(
        name
        for name in names
        if not name.startswith(".")
        and not os.path.islink(layout.folder(name))
        and manifest(layout.folder(name)) is not None
    )


def current_folder(layout: Layout) -> Optional[str]:
    """Name of the version folder that ``current`` leads to."""
    return _link_name(layout.current)


def previous_folder(layout: Layout) -> Optional[str]:
    """Name of the version folder to go back to."""
    return _link_name(layout.previous)


def _link_name(link: str) -> Optional[str]:
    try:
        return os.path.basename(os.readlink(link).rstrip("/"))
    except OSError:
        return None


def linked_programs(folder: str) -> List[str]:
    """Names of the programs in a version folder that belong into ``bin_dir``."""
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return []
    return sorted(
        entry.name
        for entry in entries
        if entry.is_file(follow_symlinks=False)
        and entry.stat(follow_symlinks=False).st_mode & stat.S_IXUSR
        and _LINKED_RE.fullmatch(entry.name)
        and entry.name not in _NOT_LINKED
    )


def wanted_links(layout: Layout, folder: str, only_present: bool) -> Dict[str, str]:
    """The links in ``bin_dir`` that a version folder asks for: path and what it must contain.

    :param only_present: ask for none where ``bin_dir`` has nothing yet: a host of client tools gets no ``teleport``.
    """
    names = linked_programs(layout.folder(folder))
    return {
        layout.program(name): os.path.join(layout.current, name)
        for name in names
        if not only_present or os.path.lexists(layout.program(name))
    }


def wrong_links(layout: Layout, folder: str, only_present: bool) -> Dict[str, str]:
    """Those of `wanted_links` that are missing or different."""
    return {path: goal for path, goal in wanted_links(layout, folder, only_present).items() if _read_link(path) != goal}


def stale_links(layout: Layout, folder: str) -> List[str]:
    """Links in ``bin_dir`` through ``current`` for programs that the version folder does not have."""
    wanted = wanted_links(layout, folder, False)
    try:
        paths = [layout.program(name) for name in sorted(os.listdir(layout.bin_dir))]
    except OSError:
        return []
    return [path for path in paths if path not in wanted and _read_link(path).startswith(layout.current + "/")]


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def replace_link(path: str, goal: str) -> None:
    """Make *path* a link to *goal* in one atomic step, whatever was there."""
    temporary = f"{path}.lockstep-{os.getpid()}"
    durable.sweep(f"{path}.lockstep-")
    os.symlink(goal, temporary)
    os.rename(temporary, path)
    durable.sync_folder(os.path.dirname(path))


def apply_links(layout: Layout, folder: str, only_present: bool) -> List[str]:
    """Make ``bin_dir`` lead to the programs of a version folder through ``current``; return the paths changed."""
    wrong = wrong_links(layout, folder, only_present)
    for path, goal in sorted(wrong.items()):
        replace_link(path, goal)
    stale = stale_links(layout, folder)
    for path in stale:
        os.unlink(path)
    return sorted([*wrong, *stale])


def check_folders(layout: Layout) -> None:
    """Refuse folders in which somebody else could plant programs that root then runs.

    :raises HostError: when others than root can change one of them, or the way to it (see `trust`).
    """
    trust.require(layout.versions_dir, "versions_dir")
    trust.require(layout.bin_dir, "bin_dir", strict=False)


def make_versions_dir(layout: Layout) -> None:
    """Make sure that the versions folder is there, readable for everybody: users call ``tsh`` through it.

    :raises HostError: as `check_folders`.
    """
    trust.make_folder(layout.versions_dir, "versions_dir")


def install_method(host: Host, layout: Layout, managed_root: str = updater.ROOT) -> str:
    """Tell how the programs in ``bin_dir`` came there: tarball, package, managed_updates or none."""
    if updater.is_managed(managed_root):
        return MANAGED_UPDATES
    present = [name for name in PROGRAMS if os.path.exists(layout.program(name))]
    if not present:
        return NONE
    program = os.path.realpath(layout.program(present[0]))
    if _inside(program, layout.versions_dir):
        return TARBALL
    if _inside(program, managed_root) and "/versions/" in program:
        return MANAGED_UPDATES
    return PACKAGE if _owned_by_package(host, program) else TARBALL


def _inside(path: str, folder: str) -> bool:
    return path.startswith(os.path.realpath(folder).rstrip("/") + "/")


def _owned_by_package(host: Host, path: str) -> bool:
    asked = (["dpkg", "-S", path], ["rpm", "-qf", path])
    return any(host.run(command).status == 0 for command in asked)
