# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of the system's package manager: the version folder holds the package, and installing it is the switch.

The package is fetched from the channel of its own release line, verified and unpacked beside the running version, and
so is the one to go back to. Between stop and start nothing is needed from the network. While packages are exchanged the
unit is held, so that no script of theirs can start it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from typing import Any, ContextManager, Dict, List, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    durable,
    foreign_file,
    hold,
    installation,
    package_tools,
    release,
    trust,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tool import Offer, Repository, pick, release_of
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tools import Package
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.module_utils.way import Way

#: Where packages have had the programs, by generation.
_PROGRAM_FOLDERS = ("usr/local/bin", "opt/teleport/system/bin", "usr/bin")
#: Unpacked, and its programs kept beside it, a package takes about so many times its size.
_UNPACKED_PER_PACKED = 5
_LIKELY_PACKAGE = 200 << 20
_LARGEST_FILE = 1 << 20


class Kept(NamedTuple):
    """What has to be as it was after a way back: the hold of the package, that of the unit, and the source's file."""

    held: bool
    unit_held: bool
    path: str
    before: str
    after: str


class PackageWay(Way):
    """Debian and RPM packages, from a repository with a channel per release line."""

    def __init__(
        self, host: Host, layout: installation.Layout, wanted: release.Release, unit: str, package: Package
    ) -> None:
        """Take what is wanted where. *unit* is empty on hosts of client tools."""
        self._host = host
        self._layout = layout
        self._wanted = wanted
        self._unit = unit
        self._package = package
        self.edition: str = package.edition

    def current(self) -> Optional[str]:
        """See `Way`."""
        version = self._package.tool.installed(self._package.name)
        found = release_of(version) if version else None
        return installation.folder_name(found, self.edition) if found else None

    def is_linked(self, current: Optional[str]) -> bool:
        """See `Way`."""
        return current == self._wanted.folder

    def is_adopted(self, current: Optional[str], now: Optional[str]) -> bool:
        """See `Way`."""
        if current is None or now is None or current != installation.folder_name(now, self.edition):
            return False
        return current == self._wanted.folder or self._file(current) is not None

    def is_present(self) -> bool:
        """See `Way`."""
        return self._file(self._wanted.folder) is not None

    def _file(self, folder: str) -> Optional[str]:
        """Path of the package in a complete version folder."""
        path = self._layout.folder(folder)
        name = (installation.manifest(path) or {}).get("package")
        return os.path.join(path, str(name)) if name and "/" not in str(name) else None

    # -- before anything stops

    def check_available(self, extra_bytes: int) -> None:
        """See `Way`."""
        self._check_edition()
        with tempfile.TemporaryDirectory(prefix="lockstep-") as scratch:
            size = self._find(self._wanted.version, self._repository(self._wanted.version, scratch)).size
        release.check_space(self._layout, (size or _LIKELY_PACKAGE) * _UNPACKED_PER_PACKED + extra_bytes)

    def _check_edition(self) -> None:
        if self.edition != self._wanted.edition:
            raise HostError(
                f"the package {self._package.name} is installed, which is the {self.edition} edition; wanted "
                f"is {self._wanted.edition}. An edition is not switched by an upgrade. Nothing was installed."
            )

    def stage(self) -> bool:
        """See `Way`."""
        self._check_edition()
        folder = self._wanted.folder
        if self._file(folder) and not installation.damaged(self._layout.folder(folder)):
            return False
        self._bring(folder, self._wanted.version, cached=False)
        return True

    def adoption_size(self, _running_program: Optional[str]) -> int:
        """See `Way`. Known only to the repository, and looked at before it is fetched."""
        return 0

    def adopt(self, folder: str, version: str, _edition: str, _running_program: Optional[str]) -> None:
        """Have the package of the version that counts now, which the repository may not have any more."""
        if self._file(folder) and not installation.damaged(self._layout.folder(folder)):
            return
        try:
            self._bring(folder, version, cached=True)
        except HostError as problem:
            raise HostError(
                f"there would be no way back to {version}: {problem}. Put its package into the cache of the package "
                "manager of this host, and run again. Nothing was stopped."
            ) from problem

    def _bring(self, folder: str, version: str, cached: bool) -> None:
        fresh = os.path.join(self._layout.versions_dir, ".unpack-" + folder)
        scratch = os.path.join(self._layout.versions_dir, ".fetch-packages")
        with release.cleaned(self._layout):
            for path in (fresh, scratch):
                os.mkdir(path, 0o755)
            package = self._take_cached(version, fresh) if cached else None
            package = package or self._fetch(version, scratch, fresh)
            self._unpack(package, fresh)
            wanted = release.Release(version, self.edition, self._wanted.architecture, name=_base(package))
            release.check_program(self._host, os.path.join(fresh, "teleport"), wanted)
            facts = {"version": version, "edition": self.edition, "source": _base(package)}
            release.publish(self._layout, fresh, folder, {**facts, "package": _base(package)})

    def _take_cached(self, version: str, folder: str) -> Optional[str]:
        found = self._package.tool.cached(self._package.name, version)
        if found is None or trust.program_objection(found):
            return None
        target = os.path.join(folder, _base(found))
        durable.copy_file(found, target)
        return target

    def _fetch(self, version: str, scratch: str, folder: str) -> str:
        repository = self._repository(version, scratch)
        offer = self._find(version, repository)
        release.check_space(self._layout, (offer.size or _LIKELY_PACKAGE) * _UNPACKED_PER_PACKED)
        return repository.fetch(offer, folder)

    def _repository(self, version: str, scratch: str) -> Repository:
        return self._package.tool.repository(self._source_for(version), scratch)

    def _source_for(self, version: str) -> Source:
        return package_tools.source(self._package.tool).at(Version.parse(version).line)

    def _find(self, version: str, repository: Repository) -> Offer:
        offers = repository.offers(self._package.name)
        found = pick(offers, version)
        if found is None:
            has = ", ".join(offer.version for offer in offers[:20]) or "none"
            channel = self._source_for(version).channel
            raise HostError(
                f"{channel} has no {self._package.name} {version}; it has: {has}. Check the version and the repository"
            )
        return found

    def _unpack(self, package: str, folder: str) -> None:
        """Put the programs of a package into *folder*, where they can be tried."""
        root = os.path.join(folder, "root")
        os.mkdir(root, 0o700)
        self._package.tool.unpack(package, root)
        for name in installation.PROGRAMS:
            places = (os.path.join(root, place, name) for place in _PROGRAM_FOLDERS)
            found = next((path for path in places if os.path.isfile(path) and not os.path.islink(path)), None)
            if found:
                os.rename(found, os.path.join(folder, name))
        shutil.rmtree(root)

    # -- the switch

    def remember(self) -> Dict[str, Any]:
        """See `Way`."""
        source = package_tools.source(self._package.tool)
        return {
            "tool": self._package.tool.name,
            "package": self._package.name,
            "held": self._package.tool.is_held(self._package.name),
            "unit_held": bool(self._unit) and hold.is_held(self._host, self._unit),
            "path": source.path,
            "before": source.text,
            "after": source.at(Version.parse(self._wanted.version).line).text,
        }

    def exclusive(self) -> ContextManager[None]:
        """See `Way`."""
        return self._package.tool.exclusive()

    def lead_to(self, folder: str, remembered: Optional[Dict[str, Any]], back: bool) -> None:
        """See `Way`."""
        kept = self._read(remembered or {})
        if self._unit and not hold.is_held(self._host, self._unit):
            hold.put(self._host, self._unit)
        # What the package manager calls installed is whole; what a killed run left half unpacked it does not.
        if self.current() != folder:
            self._install(folder)
        _point(kept.path, [kept.before, kept.after], kept.before if back else kept.after)
        self._package.tool.set_held(self._package.name, kept.held)
        installation.replace_link(self._layout.current, folder)
        if self._unit and not kept.unit_held:
            hold.lift(self._host, self._unit)

    def _install(self, folder: str) -> None:
        path = self._file(folder)
        if path is None:
            raise HostError(f"{self._layout.folder(folder)} holds no package")
        self._package.tool.install(path)

    def _read(self, document: Dict[str, Any]) -> Kept:
        """Read what a journal remembers. Raises `HostError` for what cannot have been written here."""
        known = {name: document.get(name) for name in Kept._fields}
        texts: List[Any] = [known["path"], known["before"], known["after"]]
        flags = {type(known["held"]), type(known["unit_held"])}
        folders = {os.path.dirname(place) for place in self._package.tool.places}
        if flags != {bool} or not all(isinstance(text, str) for text in texts):
            raise HostError("the journal of an unfinished upgrade is not understood: it does not say what was there")
        if os.path.dirname(str(known["path"])) not in folders:
            raise HostError(f"the journal of an unfinished upgrade is not understood: {known['path']!r} is no source")
        return Kept(**known)  # type: ignore[arg-type]  # checked above


def _base(path: str) -> str:
    return os.path.basename(path)


def _point(path: str, known: List[str], wanted: str) -> None:
    """Let the source's file be *wanted*; owner and mode stay. One that somebody else has changed meanwhile is left."""
    text = foreign_file.read(path, _LARGEST_FILE).decode("utf-8")
    if text == wanted or text not in known:
        return
    found = os.stat(path)
    with durable.replacing(os.path.realpath(path)) as target:
        target.write(wanted.encode("utf-8"))
        os.fchmod(target.fileno(), stat.S_IMODE(found.st_mode))
        os.fchown(target.fileno(), found.st_uid, found.st_gid)
