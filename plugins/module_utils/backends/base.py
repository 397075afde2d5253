# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of backend can do for a backup, and the error all of them raise."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import PlainError


class BackupError(PlainError):
    """A backup cannot be taken, trusted or restored.

    The one line of text says which file or server, what was found there, what was expected, and what to do next.
    """


class UnsupportedBackend(BackupError):
    """``storage.type`` names a backend that this collection cannot save by itself. ``kind`` is that type."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Part(NamedTuple):
    """One file of a backup: its name in the folder and what was read at the source while it was written."""

    name: str
    size: int
    sha256: str
    source: str
    mode: int
    uid: int
    gid: int

    def as_dict(self) -> Dict[str, Any]:
        """Return the part as it stands in the manifest."""
        return dict(self._asdict())


def written_part(folder: str, name: str, source: str = "") -> Part:
    """Describe the file *name* that was written into *folder*: private, and ours whatever *source* it came from."""
    copied = durable.hash_file(os.path.join(folder, name))
    return Part(name, copied.size, copied.sha256, source, durable.PRIVATE_FILE, os.getuid(), os.getgid())


def copied_part(name: str, copied: durable.Copied, source: str) -> Part:
    """Describe what was *copied* from the path *source* as the file *name*: with the owner and mode it has there."""
    found = os.stat(source)
    return Part(name, copied.size, copied.sha256, source, found.st_mode & 0o777, found.st_uid, found.st_gid)


class Saved(NamedTuple):
    """What a backend wrote into a backup folder.

    ``counts`` is what has to be found again when it is read back (rows by table, files or keys); ``details`` is what
    a restore has to know besides, e.g. the etcd revision. Both are JSON-safe and hold no secret.
    """

    parts: List[Part]
    counts: Dict[str, int]
    details: Dict[str, Any]


class Drilled(NamedTuple):
    """What a restore drill did with a backup: ``proven`` in one sentence, and the records it ``counts`` by name.

    ``restored`` tells a state that was put somewhere else and opened there from files that were only read back.
    """

    restored: bool
    proven: str
    counts: Dict[str, int]


class ConfigChange(NamedTuple):
    """What has to stand in ``teleport.storage`` of every Auth Service after a restore that could not keep the place."""

    key: str
    old: str
    new: str

    def as_dict(self) -> Dict[str, str]:
        """As it stands in a result."""
        return dict(self._asdict())


class Backend(ABC):
    """Where a cluster keeps its state. ``kind`` and ``location`` go into the manifest, so they hold no secret."""

    kind: str
    location: str

    #: Whether a state worth restoring can be saved while an Auth Service writes.
    online: bool

    #: Whether another host than the one that took a backup may put it back.
    shared: bool

    #: What :meth:`restore` leaves to be changed in ``teleport.yaml`` before any Auth Service starts.
    config_change: Optional[ConfigChange] = None

    def accepts(self, saved: Mapping[str, Any]) -> bool:
        """Return whether a backup with this ``backend`` entry in its manifest may be put back here."""
        return (self.kind, self.location) == (saved["kind"], saved["location"])

    @abstractmethod
    def size_bytes(self) -> int:
        """Return how many bytes :meth:`save` will need, rounded up generously where it cannot be known."""

    @abstractmethod
    def save(self, folder: str, serving: bool) -> Saved:
        """Write the whole state into *folder*, consistent in itself.

        *serving* says that an Auth Service may be writing meanwhile; without it the backend makes sure, as far as it
        can see from here, that nobody does. Raises :class:`BackupError`.
        """

    @abstractmethod
    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Read back what :meth:`save` wrote and raise :class:`BackupError` unless it is sound.

        *saved* is the manifest's ``backend`` entry. Sizes and hashes were compared by the caller.
        """

    @abstractmethod
    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> Optional[bool]:
        """Return whether the state found now is exactly the saved one, ``None`` when nobody can tell."""

    def stage(self, folder: str, parts: Mapping[str, Part]) -> None:  # noqa: B027 - most write to where the state is
        """Bring beside the state what :meth:`restore` will put in its place; what a killed call left is overwritten."""

    @abstractmethod
    def preserve(self, folder: str) -> None:
        """Write the state found now into *folder* as evidence, whatever its condition; :meth:`restore` follows."""

    @abstractmethod
    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Make the state what was saved, after :meth:`stage`. Killed at any point, calling both again completes it."""

    def settled_change(self, saved: Mapping[str, Any]) -> Optional[ConfigChange]:
        """Return the ``config_change`` that an earlier restore of the backup has made in this configuration."""
        del saved
        return None

    def planned_change(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]
    ) -> Optional[ConfigChange]:
        """Return the ``config_change`` that a restore would leave, without restoring anything."""
        del folder, saved, parts
        return None

    def rehearse(self, saved: Mapping[str, Any]) -> None:  # noqa: B027 - only stores that check rights have something to ask
        """Find out whether what :meth:`save` just made could be restored, without changing anything. *saved* is its
        ``backend`` entry. Raises :class:`BackupError`.
        """

    def discard(self, folder: str, saved: Mapping[str, Any]) -> None:  # noqa: B027 - most are nothing but their folder
        """Remove what :meth:`save` made outside of *folder*; *saved* is the ``backend`` entry of its manifest."""

    def drill(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part], scratch: str, host: Host
    ) -> Drilled:
        """Restore into the empty private folder *scratch* and open what was restored there.

        Never writes to the cluster's own store, nor starts anything that could reach the cluster; what it starts, it
        ends, and the caller removes *scratch*. Raises :class:`BackupError` when the restored state is not the saved
        one. Here, for stores of which no second one can be started on a host, the files are read back.
        """
        del parts, scratch, host
        self.verify(folder, saved)
        return Drilled(
            False, f"The saved files were read back; no second {self.kind} was started.", dict(saved["counts"])
        )

    def peek(self, key: str) -> Optional[bytes]:
        """Return what stands under *key* (Teleport's own, without a prefix) now, None when nothing does.

        Works while Auth serves. Raises :class:`UnsupportedBackend` where only a whole state can be read.
        """
        raise UnsupportedBackend(self.kind, f"single keys of {self.kind} are not read; {key} was asked for.")

    def names(self, start: str) -> List[str]:
        """Return the keys that begin with *start*, none of their values; see :meth:`peek`."""
        raise UnsupportedBackend(self.kind, f"keys of {self.kind} are not listed; {start} was asked for.")

    def tools(self) -> Dict[str, str]:
        """Return the versions of the programs and libraries that save this backend, by name."""
        return {}

    def close(self) -> None:  # noqa: B027 - only backends that hold connections have something to do
        """Let go of connections."""
