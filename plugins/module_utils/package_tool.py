# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade needs of a package manager. One class per family implements it."""

from __future__ import annotations

import abc
import os
import re
from typing import ContextManager, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Completed, Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY, ENTERPRISE, FIPS

#: Teleport's packages and the edition in each.
EDITIONS = {"teleport": COMMUNITY, "teleport-ent": ENTERPRISE, "teleport-ent-fips": FIPS}
#: Seconds for asking a repository what it has, for fetching a package, and for installing one.
ASK_SECONDS = 120.0
FETCH_SECONDS = 1800.0
INSTALL_SECONDS = 600.0
#: Seconds to wait until other package managers have finished; the old version serves meanwhile.
LOCK_SECONDS = 300.0

_PACKAGE_VERSION_RE = re.compile(
    r"(?:[0-9]+:)?(?P<release>[0-9]+\.[0-9]+\.[0-9]+)(?:[~-](?P<pre>[a-z][0-9a-z.]*))?(?:-[0-9][0-9A-Za-z.~+]*)?"
)


_SIZE_RE = re.compile(r"[0-9]{1,15}")


def size_of(text: str) -> int:
    """Read a number of bytes as a package manager prints it; 0 when something else stands there."""
    return int(text) if _SIZE_RE.fullmatch(text) else 0


class Offer(NamedTuple):
    """A package that a repository has: its version as the package manager writes it, and its bytes (0: not known)."""

    name: str
    version: str
    size: int


class Repository(abc.ABC):
    """One repository, asked without any other and without a trace in what the host knows of repositories."""

    @abc.abstractmethod
    def offers(self, name: str) -> Tuple[Offer, ...]:
        """Return all versions of a package that it has.

        :raises HostError: when it does not answer, or is not signed by who it should be.
        """

    @abc.abstractmethod
    def fetch(self, offer: Offer, folder: str) -> str:
        """Fetch a package into *folder* and return its path. Its signature has been verified then.

        :raises HostError: when it cannot be had, or is not what it should be.
        """


class PackageTool(abc.ABC):
    """One package manager on one host."""

    #: What a journal calls it.
    name = ""
    #: Files that name repositories, as patterns.
    places: Tuple[str, ...] = ()

    def __init__(self, host: Host) -> None:
        """Take the host."""
        self.host = host

    @abc.abstractmethod
    def owner(self, path: str) -> Optional[str]:
        """Name of the package that a file belongs to."""

    @abc.abstractmethod
    def installed(self, name: str) -> Optional[str]:
        """Version of a package, as the package manager writes it; None unless it is installed as a whole."""

    @abc.abstractmethod
    def is_held(self, name: str) -> bool:
        """Whether somebody has told the package manager to leave the package as it is."""

    @abc.abstractmethod
    def set_held(self, name: str, held: bool) -> None:
        """Put a hold on the package, or take it away. Raises `HostError`."""

    @abc.abstractmethod
    def repository(self, source: Source, scratch: str) -> Repository:
        """Return the repository of an entry. *scratch* is an empty folder for what has to be remembered of it."""

    @abc.abstractmethod
    def cached(self, name: str, version: str) -> Optional[str]:
        """Path of a package that was fetched before, where the package manager keeps such."""

    @abc.abstractmethod
    def unpack(self, path: str, folder: str) -> None:
        """Unpack the files of a package below *folder*; runs nothing of it. Raises `HostError`."""

    @abc.abstractmethod
    def install(self, path: str) -> None:
        """Install exactly this package, newer or older than what is there, held or not, and no other.

        :raises HostError: when that fails.
        """

    @abc.abstractmethod
    def exclusive(self) -> ContextManager[None]:
        """Keep other package managers out while the block runs. Raises `HostError` when they do not finish."""

    def demand(self, done: Completed, what: str) -> Completed:
        """Return a command that succeeded.

        :raises HostError: saying *what* failed, with the end of what it printed.
        """
        if done.status != 0:
            raise HostError(f"{what} fails: {done.text[-600:].strip() or f'status {done.status}'}")
        return done


def release_of(package_version: str) -> Optional[str]:
    """Return the release that is in a package of this version, None when that cannot be told.

    ``17.7.20``, ``17.7.20-1`` (with the package's own revision) and ``17.0.0~alpha.2`` are known.
    """
    found = _PACKAGE_VERSION_RE.fullmatch(package_version)
    if found is None:
        return None
    return found.group("release") + (f"-{found.group('pre')}" if found.group("pre") else "")


def pick(offers: Tuple[Offer, ...], version: str) -> Optional[Offer]:
    """Return the offer of a release; the first, which is the newest revision, of several."""
    return next((offer for offer in offers if release_of(offer.version) == version), None)


def only_file(folder: str, ending: str, what: str) -> str:
    """Path of the one file with this ending in *folder*. Raises `HostError` when there is none, or more."""
    found = [name for name in os.listdir(folder) if name.endswith(ending)]
    if len(found) != 1:
        raise HostError(f"{what} left {len(found)} files instead of one package")
    return os.path.join(folder, found[0])
