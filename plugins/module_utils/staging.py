# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the releases of a whole upgrade onto a host ahead of it, so that the upgrade only has to switch."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Dict, Iterable, List, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact, durable, installation, journal, release
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError


class Staging:
    """The releases that one host is to have, all of one layout."""

    def __init__(
        self, host: Host, layout: installation.Layout, wanted: Sequence[release.Release], opener: artifact.Opener
    ) -> None:
        """Take what is wanted, and how to fetch from URLs."""
        self._host = host
        self._layout = layout
        self._wanted = wanted
        self._opener = opener

    def missing(self) -> List[release.Release]:
        """Return the releases that are not on the host yet, or not whole any more."""
        return [one for one in self._wanted if not self._is_whole(one)]

    def _is_whole(self, one: release.Release) -> bool:
        return release.is_present(self._layout, one) and not installation.damaged(self._layout.folder(one.folder))

    def check_room(self, missing: Iterable[release.Release]) -> None:
        """Make sure, without changing anything, that all of *missing* can be had and find room together.

        :raises HostError: when not.
        """
        installation.check_folders(self._layout)
        needed = 0
        for one in missing:
            needed += release.needed_bytes(one, self._opener)
            self._digest(one)
        if needed:
            release.check_space(self._layout, needed - self._already_here())

    def _already_here(self) -> int:
        """Bytes of the room needed that earlier runs have taken already."""
        return sum(os.path.getsize(path) for path in self._partials())

    def bring(self, missing: Sequence[release.Release], rate: int) -> Dict[str, Any]:
        """Bring *missing* one after the other; return how many bytes were fetched, and the versions brought.

        :param rate: bytes per second to fetch at most, on average; 0 for as fast as it goes.
        :raises HostError: when one cannot be had. Those before it are on the host then.
        """
        self.check_room(missing)
        installation.make_versions_dir(self._layout)
        fetched = 0
        brought: List[str] = []
        with journal.alone(self._layout.versions_dir):
            self._sweep()
            for one in missing:
                fetched += self._bring(one, rate)
                brought.append(one.version)
        return {"fetched_bytes": fetched, "brought": brought}

    def _bring(self, one: release.Release, rate: int) -> int:
        if not one.base_url:
            release.stage(self._host, self._layout, one, self._opener)
            return 0
        offer = artifact.find(self._opener, one.tarball_url or one.base_url, one.artifact, self._digest(one))
        partial = self._partial(one)
        try:
            pace = artifact.paced(rate, self._host.clock, self._host.sleep)
            fetched = artifact.resume(
                self._opener, offer, partial, durable.room(self._layout.versions_dir), pace, self._host.clock
            )
        except OSError as problem:
            raise HostError(f"{partial}: {problem.strerror}. Make room there and run again.") from problem
        local = dataclasses.replace(one, base_url="", file=partial, checksum=offer.sha256)
        try:
            release.stage(self._host, self._layout, local, self._opener)
        finally:
            os.unlink(partial)
        return fetched

    def _digest(self, one: release.Release) -> str:
        """Return the digest that is known before the tarball is looked for; empty to have it found beside that."""
        if one.checksum or not (one.tarball_url and one.base_url):
            return one.checksum
        return artifact.published(self._opener, one.base_url, one.artifact)

    def _partial(self, one: release.Release) -> str:
        return os.path.join(self._layout.versions_dir, artifact.PARTIAL + one.artifact)

    def _partials(self) -> List[str]:
        wanted = [self._partial(one) for one in self._wanted]
        return [path for path in wanted if os.path.isfile(path)]

    def _sweep(self) -> None:
        """Remove what is left of fetches of releases that nobody wants any more."""
        wanted = self._partials()
        for name in os.listdir(self._layout.versions_dir):
            path = os.path.join(self._layout.versions_dir, name)
            if name.startswith(artifact.PARTIAL) and path not in wanted:
                os.unlink(path)

    def outcome(self) -> Dict[str, Any]:
        """Return what is on the host now, in versions, and the bytes left free."""
        return {
            "present": [one.version for one in self._wanted if release.is_present(self._layout, one)],
            "free_bytes": durable.free_bytes(self._layout.versions_dir),
        }
