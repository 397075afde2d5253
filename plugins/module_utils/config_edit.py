# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a ``teleport.yaml`` as a plan says, and putting back what stood there.

The controller, which can read YAML, says which bytes give way to what. Here is only made sure, by SHA-256, that the
file is the one it read and becomes the one it planned. What was there goes on to lie beside it, under a name that is
made of its digest, until the version folder that it belongs to is pruned.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import config_place, durable, foreign_file, trust
from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import LARGEST_CONFIG
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version

_RECORDS = ".config-edits.json"
_LARGEST_RECORDS = 1 << 20
_PLANNED = ".teleport.yaml-as-planned"
_KEYS = ("path", "kept", "before", "after")


class Replacement(NamedTuple):
    """What a file becomes. *before* and *after* are SHA-256; *lines* show the change, and hold no secret."""

    path: str
    before: str
    after: str
    content: bytes
    lines: Sequence[str] = ()

    @property
    def kept(self) -> str:
        """Where the old content goes on to lie."""
        return f"{self.path}.lockstep-{self.before[:12]}"

    def document(self) -> Dict[str, str]:
        """As it stands in the journal."""
        return {key: str(getattr(self, key)) for key in _KEYS}


def is_document(document: Any) -> bool:
    """Whether this can have come from `Replacement.document`; a journal is a file, and may say anything."""
    if not isinstance(document, dict) or sorted(document) != sorted(_KEYS):
        return False
    if not all(isinstance(value, str) for value in document.values()):
        return False
    return bool(document["kept"] == f"{document['path']}.lockstep-{document['before'][:12]}")


def from_plan(
    config_path: str, edits: Sequence[Mapping[str, Any]], planned: Mapping[str, Any], is_dry: bool = False
) -> Optional[Replacement]:
    """Return what the plan makes of the file; None when that stands there already.

    :param edits: the chain of changes that ``instance_info`` returned (``config_edits``).
    :param planned: ``before``, ``after`` and ``lines`` of the plan.
    :param is_dry: the hops before have only been tried, so that their changes may be missing.
    :raises HostError: when the file is another than was observed, or would become another than was planned.
    """
    path = os.path.realpath(config_path)
    content = _read(path)
    before = _digest(content)
    if before == planned["after"]:
        return None
    way = _between(edits, before, str(planned["after"]))
    if before != planned["before"] and not (is_dry and way):
        raise HostError(
            f"{config_path} was changed since it was observed; nothing was stopped or switched. Run again, so that it "
            "is read and planned anew."
        )
    for edit in way:
        content = _applied(content, edit)
    if _digest(content) != planned["after"]:
        raise HostError(
            f"{config_path} would not become what the plan says; nothing was changed. Observe and plan again."
        )
    return Replacement(path, before, str(planned["after"]), content, tuple(map(str, planned.get("lines") or ())))


def _between(edits: Sequence[Mapping[str, Any]], before: str, after: str) -> List[Mapping[str, Any]]:
    found: List[Mapping[str, Any]] = []
    for edit in edits:
        if edit["before"] == (found[-1]["after"] if found else before):
            found.append(edit)
        if found and found[-1]["after"] == after:
            break
    return found


def _applied(content: bytes, edit: Mapping[str, Any]) -> bytes:
    for at, length, text in reversed(edit["spans"]):
        content = content[: int(at)] + str(text).encode() + content[int(at) + int(length) :]
    return content


class ConfigEdits:
    """The changes made on one host. They are noted in the versions folder before they are made."""

    def __init__(self, versions_dir: str) -> None:
        self._path = os.path.join(versions_dir, _RECORDS)
        self._planned = os.path.join(versions_dir, _PLANNED)

    @contextlib.contextmanager
    def written(self, replacement: Optional[Replacement], config_path: str) -> Iterator[str]:
        """Give the path of a file with the planned content, for the new version to judge, while the block runs."""
        if replacement is None:
            yield config_path
            return
        durable.write_file(self._planned, replacement.content)
        try:
            yield self._planned
        finally:
            os.unlink(self._planned)

    def for_downgrade(self, config_path: str, version: str) -> Optional[Replacement]:
        """Return what the file was before it was changed for versions after *version*; None when it was not.

        A file that somebody has changed since is left as it is.

        :raises HostError: when what was there is gone.
        """
        path, wanted = os.path.realpath(config_path), Version.parse(version)
        records = [record for record in self._records() if record["path"] == path and _is_beyond(record, wanted)]
        if not records:
            return None
        before = now = _digest(_read(path))
        content = b""
        for record in reversed(records):
            if record["after"] == now:
                content, now = _read(str(record["kept"])), str(record["before"])
        if now == before:
            return None
        if _digest(content) != now:
            raise HostError(f"what {config_path} was before {version} was left has been changed; put it back by hand.")
        return Replacement(path, before, now, content)

    def make(self, replacement: Replacement, back: Any, to: Any) -> None:
        """Change the file in one atomic step that keeps owner, mode and attributes.

        :param back: place to go back to, with ``folder`` and ``version``; *to* is the one that the change is for.
        :raises HostError: when others may write to its folder. :raises OSError, BackupError: when it cannot be changed.
        """
        if _digest(_read(replacement.path)) == replacement.after:
            return
        objection = trust.objection(os.path.dirname(replacement.path), may_be_missing=False)
        if objection:
            raise HostError(f"{replacement.path} is not changed: {objection}.")
        record = {**replacement.document(), "folder": back.folder, "from": back.version, "to": to.version}
        self._write([*self._others(record), record])
        _keep(replacement.path, replacement.kept)
        config_place.write_like(replacement.path, replacement.content)

    def revert(self, document: Mapping[str, str]) -> bool:
        """Put back what a change replaced; say whether it had to be. Takes no room on the disk.

        A file that somebody has changed since is left as it is.

        :raises OSError: when it cannot be put back.
        """
        path, kept = document["path"], document["kept"]
        changed = os.path.exists(kept) and _digest(_read(path)) == document["after"]
        if changed:
            beside = f"{path}.lockstep-back"
            _keep(kept, beside)
            os.rename(beside, path)
            durable.sync_folder(os.path.dirname(path))
        self._forget([record for record in self._records() if _is_same(record, document)])
        return changed

    def prune(self, folders: Sequence[str]) -> None:
        """Forget changes whose version folder is none of *folders*: nobody can go back there any more."""
        self._forget([record for record in self._records() if record["folder"] not in folders])

    def _forget(self, doomed: Sequence[Mapping[str, Any]]) -> None:
        if not doomed:
            return
        left = [record for record in self._records() if record not in doomed]
        for kept in {record["kept"] for record in doomed} - {record["kept"] for record in left}:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(kept)
        self._write(left)

    def _others(self, record: Mapping[str, Any]) -> List[Dict[str, Any]]:
        return [kept for kept in self._records() if not _is_same(kept, record)]

    def _records(self) -> List[Dict[str, Any]]:
        try:
            found = foreign_file.parse_json(foreign_file.read(self._path, _LARGEST_RECORDS))
            return [dict(record) for record in found if is_document({key: record[key] for key in _KEYS})]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as problem:
            raise HostError(f"{self._path} cannot be read ({problem}); remove it to go on without it.") from None

    def _write(self, records: Sequence[Mapping[str, Any]]) -> None:
        if records:
            durable.write_json(self._path, list(records))
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def _is_same(record: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(record[key] == other[key] for key in _KEYS)


def _is_beyond(record: Mapping[str, Any], wanted: Version) -> bool:
    """Whether a change was made on the way up, by a hop that started at *wanted* or later."""
    return Version.parse(record["to"]) > Version.parse(record["from"]) >= wanted


def _keep(source: str, name: str) -> None:
    """Give a file a second name: that takes no room, and keeps its owner, mode and attributes."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    try:
        os.link(source, name)
    except OSError:
        # Some file systems have no links.
        shutil.copy2(source, name)
        found = os.stat(source)
        os.chown(name, found.st_uid, found.st_gid)
    durable.sync_folder(os.path.dirname(name))


def _read(path: str) -> bytes:
    content = foreign_file.read(path, LARGEST_CONFIG + 1)
    if len(content) > LARGEST_CONFIG:
        raise HostError(f"{path} is larger than {LARGEST_CONFIG} bytes; it is not changed.")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
