# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How releases come onto a host and how one of them becomes the one that counts: what a transaction needs of that.

Whatever the way, a release has a version folder with its programs in it before anything stops, so that it can be
tried, and so that there is something to go back to.
"""

from __future__ import annotations

import abc
import contextlib
import os
from typing import Any, ContextManager, Dict, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    adoption,
    artifact,
    installation,
    process,
    release,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host


class Way(abc.ABC):
    """One way of installing, on one host. A *folder* is the name of a version folder."""

    #: Whether a release may have to be brought from the controller.
    is_brought = False
    #: Whether switching also replaces the process, so that nothing is stopped before.
    is_live = False
    #: Whether releases have version folders, with programs in them that can be tried.
    has_folders = True
    #: The edition, where the way knows it better than the programs do.
    edition: Optional[str] = None

    @abc.abstractmethod
    def current(self) -> Optional[str]:
        """Name of the folder of the release that counts; None when that cannot be told."""

    @abc.abstractmethod
    def is_linked(self, current: Optional[str]) -> bool:
        """Whether everything that people and units call is the wanted release, of which *current* is the folder."""

    @abc.abstractmethod
    def is_adopted(self, current: Optional[str], now: Optional[str]) -> bool:
        """Whether the folder *current* is the way back to *now*, the release that counts, without any preparation."""

    @abc.abstractmethod
    def is_present(self) -> bool:
        """Whether the wanted release is on the host."""

    @abc.abstractmethod
    def check_available(self, extra_bytes: int) -> None:
        """Make sure, without changing anything, that the wanted release can be had and that there is room for it.

        :raises HostError: when not.
        """

    @abc.abstractmethod
    def stage(self) -> bool:
        """Bring the wanted release into its folder; say whether that was necessary.

        :raises HostError: when it cannot be had or is not what it should be.
        """

    @abc.abstractmethod
    def adopt(self, folder: str, version: str, edition: str, running_program: Optional[str]) -> None:
        """Give the release that counts now a folder, so that it can be gone back to. Nothing that runs notices.

        :param running_program: path that leads to the program of the process, when that is not the installed one.
        :raises HostError: when there would be no way back.
        """

    @abc.abstractmethod
    def adoption_size(self, running_program: Optional[str]) -> int:
        """Bytes that `adopt` takes, as far as they are known before."""

    def remember(self) -> Optional[Dict[str, Any]]:
        """Return what has to be put back besides the programs, for the journal; None when that is nothing."""
        return None

    def exclusive(self) -> ContextManager[None]:
        """Keep others from changing what is installed while the block runs."""
        return contextlib.nullcontext()

    @abc.abstractmethod
    def lead_to(self, folder: str, remembered: Optional[Dict[str, Any]], back: bool) -> None:
        """Make the release in *folder* the one that counts.

        :param remembered: what `remember` returned before anything was changed.
        :param back: whether that is the way back, at the end of which everything is as it was remembered.
        :raises HostError, OSError: when it fails; it can be repeated, also with another folder.
        """


class TarballWay(Way):
    """Release tarballs, unpacked side by side; one link is switched."""

    is_brought = True

    def __init__(
        self, host: Host, layout: installation.Layout, wanted: release.Release, client: bool, opener: artifact.Opener
    ) -> None:
        """Take what is wanted where, and how to fetch from URLs."""
        self._host = host
        self._layout = layout
        self._wanted = wanted
        self._client = client
        self._opener = opener

    def current(self) -> Optional[str]:
        """See `Way`."""
        return installation.current_folder(self._layout)

    def is_linked(self, current: Optional[str]) -> bool:
        """See `Way`."""
        return current == self._wanted.folder and not (
            installation.wrong_links(self._layout, current, self._client)
            or installation.stale_links(self._layout, current)
        )

    def is_adopted(self, current: Optional[str], _now: Optional[str]) -> bool:
        """Whether what people call leads through ``current`` to a complete version folder."""
        if current is None:
            return False
        name = "tsh" if self._client else "teleport"
        behind = os.path.join(self._layout.current, name)
        whole = installation.manifest(self._layout.folder(current)) is not None
        return whole and process.same_file(self._layout.program(name), behind)

    def is_present(self) -> bool:
        """See `Way`."""
        return release.is_present(self._layout, self._wanted)

    def check_available(self, extra_bytes: int) -> None:
        """See `Way`."""
        release.check_available(self._layout, self._wanted, self._opener, extra_bytes)

    def stage(self) -> bool:
        """See `Way`."""
        return release.stage(self._host, self._layout, self._wanted, self._opener)

    def adopt(self, folder: str, version: str, edition: str, running_program: Optional[str]) -> None:
        """See `Way`."""
        programs = adoption.sources(self._layout, running_program)
        release.check_space(self._layout, adoption.size(programs))
        release.clean(self._layout)
        adoption.adopt(self._layout, folder, version, edition, programs)
        installation.apply_links(self._layout, folder, only_present=True)

    def adoption_size(self, running_program: Optional[str]) -> int:
        """See `Way`."""
        return adoption.size(adoption.sources(self._layout, running_program))

    def lead_to(self, folder: str, _remembered: Optional[Dict[str, Any]], _back: bool) -> None:
        """See `Way`."""
        installation.replace_link(self._layout.current, folder)
        installation.apply_links(self._layout, folder, self._client)
