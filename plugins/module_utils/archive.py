# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacking a release tarball so that it can write nowhere but into its own new folder."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zlib
from typing import Any, BinaryIO, Optional, Set

from ansible_collections.lockstep.teleport.plugins.module_utils import deadline
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

#: Limits far above any release (the largest have some 60 members and 1.5 GB).
MOST_MEMBERS = 10000
MOST_BYTES = 8 << 30
#: Long names and other additions to a member, which are read into memory whole.
MOST_EXTRA_BYTES = 64 << 10
MOST_SECONDS = 1800.0
_EXTRA_TYPES = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_FOLDER_MODE = 0o755
#: What reading a damaged or hostile archive ends in; the last two when a file stands where a folder should.
_DAMAGE = (
    tarfile.TarError, EOFError, zlib.error, ValueError, RecursionError, deadline.TooSlow, FileExistsError,
    NotADirectoryError,
)  # fmt: skip
_LONGEST_NAME = 1024
_LONGEST_PART = 255


class Member(tarfile.TarInfo):
    """A member whose head is judged before anything that it announces is read.

    ``tarfile`` reads additions of any announced size into memory, and goes round in circles for negative sizes.
    """

    @classmethod
    def frombuf(cls, buf: Any, encoding: Any, errors: Any) -> Member:
        """Read a head of 512 bytes. Raises :class:`ValueError` for one that no honest archive has."""
        found = super().frombuf(buf, encoding, errors)
        if found.size < 0 or (found.type in _EXTRA_TYPES and found.size > MOST_EXTRA_BYTES):
            raise ValueError(f"{found.name[:200]!r} announces {found.size} bytes in its head")
        return found


def unpack(archive: str, target: str, most: int = MOST_BYTES) -> None:
    """Unpack regular files and folders of *archive* into the new folder *target*, without the archive's one top folder.

    Owners and odd permissions in the archive are ignored, and so is the umask. What is written is on disk when this
    returns.

    :param most: bytes to write at most.
    :raises HostError: when the archive is damaged, or holds anything but plain files and folders below one top folder.
    """
    _make_folder(target)
    try:
        with deadline.within(MOST_SECONDS, "unpacking"), tarfile.open(archive, mode="r|gz", tarinfo=Member) as source:
            _unpack_members(source, archive, target, min(most, MOST_BYTES))
    except _DAMAGE as problem:
        raise HostError(f"{archive}: is damaged or no tarball ({problem}). Nothing was installed.") from None
    if not os.listdir(target):
        raise HostError(f"{archive}: holds no file. Nothing was installed.")


def _unpack_members(source: tarfile.TarFile, archive: str, target: str, most: int) -> None:
    seen: Set[str] = set()
    top: Optional[str] = None
    total = 0
    for member in source:
        total += member.size
        top = top or member.name.strip("/").split("/")[0]
        problem = _objection(member, top, seen) or _excess(total, most)
        if problem:
            raise HostError(f"{archive}: {member.name[:200]!r} {problem}. Nothing was installed.")
        seen.add(os.path.normpath(member.name))
        inside = os.path.relpath(os.path.normpath(member.name), top)
        path = os.path.normpath(os.path.join(target, inside))
        if member.isdir():
            _make_folders(target, path)
        else:
            content = source.extractfile(member)
            if content is not None:
                _make_folders(target, os.path.dirname(path))
                _write(content, path, bool(member.mode & stat.S_IXUSR))  # type: ignore[arg-type]


def _make_folders(target: str, path: str) -> None:
    if path != target and not os.path.isdir(path):
        _make_folders(target, os.path.dirname(path))
        _make_folder(path)


def _make_folder(path: str) -> None:
    os.mkdir(path)
    os.chmod(path, _FOLDER_MODE)


def _excess(total: int, most: int) -> str:
    return f"makes the archive larger than {most} bytes, which is all there is room for" if total > most else ""


def _objection(member: tarfile.TarInfo, top: str, seen: Set[str]) -> str:
    """Say why a member must not be unpacked; empty when it may. Pure."""
    parts = member.name.split("/")
    name = os.path.normpath(member.name)
    checks = (
        (member.name.startswith("/"), "has an absolute name"),
        (".." in parts, "leads out of the archive"),
        ("\0" in member.name or not name.strip("."), "has no usable name"),
        (not (member.isreg() or member.isdir()), "is no plain file or folder"),
        (member.issparse(), "is a sparse file"),
        (name != top and not name.startswith(top + "/"), f"is not below the folder {top!r}"),
        (name == top and not member.isdir(), "stands where the top folder belongs"),
        (name in seen, "is there twice"),
        (len(seen) >= MOST_MEMBERS, f"is one of more than {MOST_MEMBERS} members"),
        (member.size < 0, "has a negative size"),
        (
            len(member.name) > _LONGEST_NAME or any(len(os.fsencode(part)) > _LONGEST_PART for part in parts),
            "has a name too long",
        ),
    )
    return next((reason for found, reason in checks if found), "")


def _write(content: BinaryIO, path: str, executable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
        file.flush()
        os.fchmod(file.fileno(), 0o755 if executable else 0o644)
        os.fsync(file.fileno())
