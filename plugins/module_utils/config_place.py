# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value of a ``teleport.yaml``, read and replaced where it stands, without touching another byte of the file.

Targets have no YAML parser. The controller, which has one, says at which bytes a value stands; here is only checked
that it still does.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from typing import Any, Dict, Mapping, NamedTuple, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError

# A word that means the same plain and in either kind of quotes, so it can be replaced by another such word.
_WORD = re.compile(rb"""(["']?)([A-Za-z0-9_./+=-]+)\1(?=[\s,}\]#]|$)""")


class Place(NamedTuple):
    """The byte at which a value begins in the file at ``path``, its opening quote included, and the name of its key."""

    path: str
    start: int
    key: str


def place_of(path: str, storage: Mapping[str, Any], key: str) -> Place:
    """Return where *key* of ``teleport.storage`` stands, which ``instance_info`` found out (``storage.places``).

    Raises :class:`BackupError` when it is not written as one plain word.
    """
    start = (storage.get("places") or {}).get(key)
    if start is None:
        raise BackupError(
            f"{path}: storage.{key} cannot be replaced, because it is not written as one plain word of its own (it is "
            f"an alias, has an anchor, or comes from a merge). Write it as '{key}: NAME'."
        )
    return Place(path, int(start), key)


def read(place: Place) -> str:
    """Return the value that stands there now. Raises :class:`BackupError` when none does."""
    return _found(_content(place), place)[0]


def replace(place: Place, old: str, new: str) -> None:
    """Put *new* where *old* stands, in one atomic step that keeps every other byte, owner, mode and attributes.

    Does nothing when *new* stands there already. Raises :class:`BackupError`, and changes nothing then, when something
    else does.
    """
    content = _content(place)
    found, begin, end = _found(content, place)
    if found == new:
        return
    if found != old:
        raise _changed(place, f"{found!r} stands where {old!r} stood")
    write_like(os.path.realpath(place.path), content[:begin] + new.encode() + content[end:])


def diff(path: str, old: str, new: str, key: str) -> Dict[str, str]:
    """Return the change of one value for ``--diff``."""
    header = f"{path} (storage.{key})"
    return {
        "before_header": header,
        "after_header": header,
        "before": f"{key}: {old}\n",
        "after": f"{key}: {new}\n",
    }


def _content(place: Place) -> bytes:
    try:
        with open(place.path, "rb") as handle:
            return handle.read()
    except OSError as error:
        raise BackupError(f"{place.path}: cannot be read ({error.strerror or error}).") from error


def _found(content: bytes, place: Place) -> Tuple[str, int, int]:
    match = _WORD.match(content, place.start)
    if match is None or not re.search(rb"[\s{,\"']" + place.key.encode() + rb"[\"']?\s*:\s+$", content[: place.start]):
        raise _changed(place, f"storage.{place.key} is not where it was")
    return match.group(2).decode(), match.start(2), match.end(2)


def _changed(place: Place, what: str) -> BackupError:
    return BackupError(f"{place.path}: was changed since it was observed, {what}. Run again, so that it is read anew.")


def write_like(path: str, content: bytes) -> None:
    """Put *content* in the place of *path* in one atomic step, with its owner, mode and attributes.

    Raises :class:`BackupError`.
    """
    folder = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".lockstep-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as writer:
            found = os.stat(path)
            os.fchown(writer.fileno(), found.st_uid, found.st_gid)
            # Mode, access list and security label; without the label SELinux would keep Teleport from reading it.
            shutil.copystat(path, temporary)
            writer.write(content)
            writer.flush()
            os.utime(temporary)
            os.fsync(writer.fileno())
        os.rename(temporary, path)
    except OSError as error:
        raise BackupError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    durable.sync_folder(folder)
