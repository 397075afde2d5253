# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any backend, cloned by Teleport itself into a SQLite file and back (``teleport backend clone``).

The command copies every item and removes none (lib/backend/clone.go of Teleport), so a restore clones back over what is
there and then removes the keys that were not saved. What it reads has no common moment: nobody may write meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import kinds, sqlite
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import Backend, BackupError, Part, Saved
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import Means
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Completed

KIND = "clone"

_ASK_SECONDS = 60.0
_COPY_SECONDS = 6 * 3600.0
_PARALLEL = 16
_STORAGE = re.compile(r"^(?P<indent>\s+)storage:(?P<rest>.*)$")
_BLANK = re.compile(r"\s*(#.*)?$")


class CloneBackend(Backend):
    """A backend that Teleport's own command reads and writes.

    *native* is what else could save it, ``None`` when nothing could; it names the place and guesses the size.
    """

    kind = KIND
    online = False

    def __init__(
        self,
        storage: Mapping[str, Any],
        means: Means,
        native: Optional[Backend] = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._means = means
        self._native = native
        self._clock = clock
        self.shared = native is None or native.shared
        name = storage.get("table_name") or storage.get("collection_name") or ""
        self.location = native.location if native else f"{kinds.kind_of(storage)} {name}".strip()

    def size_bytes(self) -> int:
        """Ask whether the installed version has the command; the copy is there twice for a moment."""
        self._probe()
        return 2 * self._native.size_bytes() if self._native else 0

    def save(self, folder: str, serving: bool) -> Saved:
        """Clone into SQLite, and save that as SQLite is saved."""
        del serving
        self._probe()
        with self._cloned(folder) as database:
            saved = sqlite.SqliteBackend(database).save(folder, serving=False)
        if not saved.counts.get("kv"):
            raise BackupError(f"{self.location}: teleport backend clone copied nothing. Check teleport.storage.")
        return Saved([saved.parts[0]._replace(source=self.location)], saved.counts, saved.details)

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Let SQLite check the clone, and count its rows."""
        sqlite.SqliteBackend(os.path.join(folder, sqlite.PART)).verify(folder, saved)

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        """Clone what is there now, and compare items that have not expired."""
        del saved, parts
        return self._items_now() == self._items(os.path.join(folder, sqlite.PART))

    def preserve(self, folder: str) -> None:
        """Clone what is there now."""
        with self._cloned(folder) as database:
            durable.copy_file(database, os.path.join(folder, sqlite.PART))

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Clone back over what is there, then remove what was not saved."""
        del saved, parts
        source = os.path.join(folder, sqlite.PART)
        extra = sorted(set(self._items_now()) - set(self._items(source)))
        with tempfile.TemporaryDirectory(prefix="lockstep-clone-") as scratch:
            # Teleport opens a SQLite backend for writing, and nobody may write to a backup.
            shutil.copyfile(source, os.path.join(scratch, sqlite.PART))
            self._clone({"type": "sqlite", "path": scratch}, None, force=True)
        for key in extra:
            done = self._run(["rm", "--config", self._means.config_path, key], "y\n", _ASK_SECONDS)
            if done.status != 0:
                raise BackupError(f"teleport backend rm cannot remove {key}, which was not saved: {_reason(done)}.")

    def close(self) -> None:
        """Let go of what the other way to save it may hold."""
        if self._native:
            self._native.close()

    def _probe(self) -> None:
        # The programs exit with 1 for the help of a command that they have, too.
        text = self._run(["clone", "--help"], None, _ASK_SECONDS).text
        if not ("clone" in text and "--config" in text):
            raise BackupError(
                f"{self._means.program}: this version has no 'teleport backend clone'. "
                "Set teleport_backup_method to auto."
            )

    @contextlib.contextmanager
    def _cloned(self, folder: str) -> Iterator[str]:
        """Clone what is there now into a scratch folder below *folder*, and give the database."""
        with tempfile.TemporaryDirectory(prefix=".clone-", dir=folder) as scratch:
            self._clone(None, {"type": "sqlite", "path": scratch}, force=False)
            yield os.path.join(scratch, sqlite.PART)

    def _clone(self, source: Optional[Mapping[str, str]], target: Optional[Mapping[str, str]], force: bool) -> None:
        """Run the command; ``None`` stands for the backend itself."""
        lines = [
            *self._section("src", source),
            *self._section("dst", target),
            f"parallel: {_PARALLEL}",
            f"force: {json.dumps(force)}",
        ]
        # The order holds the secrets of teleport.storage: as a file it would outlive a run that is killed.
        done = self._run(["clone", "--config", "/dev/stdin"], "\n".join(lines) + "\n", _COPY_SECONDS)
        if done.status != 0:
            raise BackupError(f"teleport backend clone fails: {_reason(done)}.")

    def _section(self, name: str, storage: Optional[Mapping[str, str]]) -> List[str]:
        if storage is not None:
            return [f"{name}: {json.dumps(storage)}"]
        if kinds.kind_of(self._storage) in kinds.FILE_TYPES:
            return [f"{name}: {json.dumps({'type': 'sqlite', 'path': os.path.dirname(self.location)})}"]
        with open(self._means.config_path, encoding="utf-8") as handle:
            return storage_section(name, handle.read(), self._means.config_path)

    def _run(self, arguments: List[str], data: Optional[str], seconds: float) -> Completed:
        return self._means.run([self._means.program, "backend", *arguments], seconds, None, data)

    def _items_now(self) -> Dict[str, bytes]:
        with tempfile.TemporaryDirectory(prefix="lockstep-clone-") as folder, self._cloned(folder) as database:
            return self._items(database)

    def _items(self, database: str) -> Dict[str, bytes]:
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self._clock()))
        query = "SELECT key, value FROM kv WHERE expires IS NULL OR substr(expires, 1, 19) > ?"
        with contextlib.closing(sqlite3.connect(database)) as connection:
            return {str(key): bytes(value) for key, value in connection.execute(query, (now,))}


def storage_section(name: str, text: str, path: str) -> List[str]:
    """Return ``teleport.storage`` of a ``teleport.yaml``, secrets included, as the section *name* of another file.

    Raises :class:`BackupError` when it is not there in a form that can be taken over line by line.
    """
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _STORAGE.match(line)
        if match:
            depth = len(match.group("indent"))
            taken = [f"{name}:{match.group('rest')}"]
            for below in lines[number + 1 :]:
                if not _BLANK.match(below) and len(below) - len(below.lstrip()) <= depth:
                    break
                taken.append(below)
            return taken
    raise BackupError(f"{path}: has no section teleport.storage that could be handed to teleport backend clone.")


def _reason(done: Completed) -> str:
    lines = [line.strip() for line in done.text.splitlines() if line.strip()]
    return lines[-1] if lines else f"it exits with {done.status}"
