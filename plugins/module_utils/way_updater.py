# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed updates: teleport-update fetches, switches and restarts; what is said here is when and to what."""

from __future__ import annotations

from typing import Any, Dict, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import installation, process, updater
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.release import Release
from ansible_collections.lockstep.teleport.plugins.module_utils.way import Way


class UpdaterWay(Way):
    """One host under teleport-update, which keeps the versions and goes back by itself when a new one crashes."""

    is_live = True
    has_folders = False

    def __init__(self, host: Host, layout: installation.Layout, wanted: Release, root: str = updater.ROOT) -> None:
        """Take what is wanted where. *root* is where teleport-update keeps its files."""
        self._host = host
        self._layout = layout
        self._wanted = wanted
        self._root = root
        self._versions = {wanted.folder: wanted.version}

    def current(self) -> Optional[str]:
        """See `Way`."""
        answer = process.ask_version(self._host, self._layout.program())
        if answer.output is None:
            return None
        version = str(answer.output.release)
        folder = installation.folder_name(version, answer.output.edition)
        self._versions[folder] = version
        return folder

    def is_linked(self, current: Optional[str]) -> bool:
        """See `Way`."""
        return current is not None and self._versions.get(current) == self._wanted.version

    def is_adopted(self, current: Optional[str], _now: Optional[str]) -> bool:
        """See `Way`. teleport-update keeps, or fetches, the version before."""
        return current is not None

    def is_present(self) -> bool:
        """See `Way`. Only teleport-update knows what it has."""
        return False

    def check_available(self, _extra_bytes: int) -> None:
        """See `Way`."""
        self._updater()

    def stage(self) -> bool:
        """See `Way`. It is fetched by the switch, while the old version serves."""
        self._updater()
        return False

    def adopt(self, _folder: str, _version: str, _edition: str, _running_program: Optional[str]) -> None:
        """See `Way`."""

    def adoption_size(self, _running_program: Optional[str]) -> int:
        """See `Way`."""
        return 0

    def lead_to(self, folder: str, _remembered: Optional[Dict[str, Any]], _back: bool) -> None:
        """See `Way`."""
        updater.pin(self._host, self._updater(), self._versions.get(folder) or _version_in(folder))

    def _updater(self) -> updater.Updater:
        found = updater.find(self._host, self._root)
        if found is None or found.kind != updater.UPDATE:
            raise HostError("teleport-update is not set up on this host any more; observe and plan again")
        if not found.enabled:
            # A pin would switch it on.
            raise HostError("teleport-update is disabled on this host; enable it, or install the tarball or package")
        return found


def _version_in(folder: str) -> str:
    """The version in the name of a version folder."""
    for ending in ("-ent-fips", "-ent"):
        if folder.endswith(ending):
            return folder[: -len(ending)]
    return folder
