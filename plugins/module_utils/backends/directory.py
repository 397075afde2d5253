# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file backend of Teleport before 4.0 (``dir``): one folder of small files."""

from __future__ import annotations

import os
from typing import Any, Mapping

from ansible_collections.lockstep.teleport.plugins.module_utils import trees
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    Drilled,
    Part,
    Saved,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

PART = "dir.tar"


class DirectoryBackend(Backend):
    """The ``backend`` folder of a 3.x Auth Service.

    The files of one record are written one by one, so only a stopped Auth Service leaves a state worth restoring. A
    ``sqlite.db`` that a newer Teleport has put into the folder is not part of it and goes away with a restore.
    """

    kind = "dir"
    online = False
    shared = False

    def __init__(self, path: str) -> None:
        self.location = path

    def size_bytes(self) -> int:
        """Return the size of all files."""
        return trees.size_of(self.location)

    def save(self, folder: str, serving: bool) -> Saved:
        """Pack the folder into one tar file."""
        if not trees.files_below(self.location):
            raise BackupError(
                f"{self.location}: holds no files of a dir backend. Check storage.path and data_dir in teleport.yaml."
            )
        part = trees.pack(self.location, folder, PART, serving)
        return Saved([part], {"files": len(trees.content(os.path.join(folder, PART)))}, {})

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Read every file of the tar file and count them."""
        path = os.path.join(folder, PART)
        found = len(trees.content(path))
        if found != saved["counts"]["files"]:
            raise BackupError(f"{path}: holds {found} files, the manifest says {saved['counts']['files']}.")

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        """Return whether the folder holds exactly the saved files."""
        del saved, parts
        return trees.matches(os.path.join(folder, PART), self.location)

    def preserve(self, folder: str) -> None:
        """Copy the folder as it is."""
        trees.copy_tree(self.location, os.path.join(folder, "dir"))

    def drill(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part], scratch: str, host: Host
    ) -> Drilled:
        """Unpack the files elsewhere, and compare each with the saved one."""
        del parts, host
        path = os.path.join(folder, PART)
        found = trees.extract(path, scratch)
        if found != saved["counts"]["files"] or not trees.matches(path, scratch):
            raise BackupError(f"{path}: {found} files were unpacked, and they are not those that were saved.")
        return Drilled(True, "The files were unpacked into a scratch folder and compared.", {"files": found})

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Make the folder hold exactly the saved files."""
        del saved
        trees.unpack(os.path.join(folder, PART), self.location, parts[PART])
