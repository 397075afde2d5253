# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend that its user's own commands save and restore."""

from __future__ import annotations

import os
import shutil
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, trees
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    Part,
    Saved,
    written_part,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import Command, Means
from ansible_collections.lockstep.teleport.plugins.module_utils.host import CANNOT_EXECUTE, NOT_FOUND, Completed
from ansible_collections.lockstep.teleport.plugins.module_utils.timed_command import TIMED_OUT

KIND = "command"
FOLDER = "command"
OUTPUT = "output.txt"
FAILURE = "preserve-failed.txt"

_SHELL = "/bin/sh"
_SHOWN = 500


class CommandBackend(Backend):
    """Whatever ``storage.type`` names, saved by one command and restored by another, both chosen by the user.

    What a command leaves in its folder, and what it prints, is the backup. Whether a store is what was saved nobody can
    tell from here, so every restore runs the command.
    """

    kind = KIND
    online = True
    shared = True

    def __init__(self, storage: Mapping[str, Any], means: Means) -> None:
        self._means = means
        self._type = str(storage.get("type") or "dir")
        where = storage.get("table_name") or storage.get("collection_name") or storage.get("path") or ""
        self.location = f"{self._type} {where}".strip()

    def size_bytes(self) -> int:
        """Return 0, because nobody can know; find out on the way whether the programs are there."""
        choice = self._means.choice
        for command in (self._chosen("backup"), self._chosen("restore"), choice.verify):
            if isinstance(command, list) and shutil.which(command[0]) is None:
                raise BackupError(f"{command[0]}: there is no such program on this host. Correct the backup commands.")
        return 0

    def save(self, folder: str, serving: bool) -> Saved:
        """Run the user's command with an empty folder below *folder*."""
        own = os.path.join(folder, FOLDER)
        durable.private_folder(own)
        done = self._run("backup", self._chosen("backup"), own, serving)
        if done.output.strip():
            durable.write_file(os.path.join(own, OUTPUT), done.output.encode())
        parts = self._seal(folder, own)
        size = sum(part.size for part in parts)
        if not size:
            raise BackupError(
                "teleport_backup_command ended well but left no file in LOCKSTEP_FOLDER and printed nothing, so there "
                "would be nothing to restore from."
            )
        return Saved(parts, {"files": len(parts), "bytes": size}, {"storage_type": self._type})

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Count what was saved, and run the user's own check where there is one."""
        own = os.path.join(folder, FOLDER)
        files = trees.files_below(own)
        found = {"files": len(files), "bytes": sum(os.path.getsize(os.path.join(own, name)) for name in files)}
        if found != dict(saved["counts"]):
            raise BackupError(f"{own}: holds {found}, the manifest says {dict(saved['counts'])}.")
        command = self._means.choice.verify
        if command is not None:
            self._run("verify", command, own, serving=False)

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> Optional[bool]:
        """Return ``None``: what is in the store only the user's commands know."""
        del folder, saved, parts
        return None

    def preserve(self, folder: str) -> None:
        """Run the backup command for the state found. That it fails is evidence too, and no reason to stay down."""
        own = os.path.join(folder, FOLDER)
        durable.private_folder(own)
        try:
            done = self._run("preserve", self._chosen("backup"), own, serving=False)
            durable.write_file(os.path.join(own, OUTPUT), done.output.encode())
        except BackupError as problem:
            durable.write_file(os.path.join(own, FAILURE), f"{problem}\n".encode())

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Run the user's command; the folder of the backup is its input."""
        del saved, parts
        self._run("restore", self._chosen("restore"), os.path.join(folder, FOLDER), serving=False)

    def _chosen(self, which: str) -> Command:
        choice = self._means.choice
        command = choice.backup if which == "backup" else choice.restore
        if command is None:
            raise BackupError(
                f"this backup of {self.location} was, or is to be, made by the user's own command, and "
                f"teleport_{which}_command is not set. Set it."
            )
        return command

    def _run(self, action: str, command: Command, folder: str, serving: bool) -> Completed:
        arguments = [_SHELL, "-c", command] if isinstance(command, str) else list(command)
        seconds = self._means.choice.seconds
        done = self._means.run(arguments, seconds, self._environment(action, folder, serving))
        if done.status != 0:
            name = "teleport_backup_verify_command" if action == "verify" else f"teleport_{_option(action)}_command"
            raise BackupError(f"{name} {_reason(done, arguments[0], seconds)}")
        return done

    def _environment(self, action: str, folder: str, serving: bool) -> Dict[str, str]:
        return {
            "LOCKSTEP_ACTION": action,
            "LOCKSTEP_FOLDER": folder,
            "LOCKSTEP_CLUSTER": self._means.cluster,
            "LOCKSTEP_VERSION": self._means.version,
            "LOCKSTEP_CONFIG": self._means.config_path,
            "LOCKSTEP_STORAGE_TYPE": self._type,
            "LOCKSTEP_SERVING": "yes" if serving else "no",
        }

    def _seal(self, folder: str, own: str) -> List[Part]:
        """Make private what the command wrote, and list it; only plain files can be read back later."""
        parts = []
        for where, folders, names in os.walk(own):
            for name in folders:
                os.chmod(os.path.join(where, name), durable.PRIVATE_FOLDER)
            for name in sorted(names):
                path = os.path.join(where, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    raise BackupError(f"{path}: teleport_backup_command left something that is no plain file.")
                os.chmod(path, durable.PRIVATE_FILE)
                parts.append(written_part(folder, os.path.relpath(path, folder)))
        return parts


def _option(action: str) -> str:
    return "restore" if action == "restore" else "backup"


def _reason(done: Completed, program: str, seconds: float) -> str:
    if done.status == TIMED_OUT:
        return f"did not end within {seconds:g} s. Give it more in teleport_backup_command_timeout, or find out why."
    if done.status in (CANNOT_EXECUTE, NOT_FOUND):
        return f"cannot be run: {program}: {done.errors.strip() or 'not found'}."
    # Its output may be the very thing that is secret; what it complains about has to be seen.
    said = done.errors.strip()[-_SHOWN:]
    return f"exits with {done.status}: {said or 'it says nothing'}"
