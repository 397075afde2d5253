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
from typing import BinaryIO, Optional, Set

from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

#: Limits far above any release (the largest have some 60 members and 1.5 GB).
MOST_MEMBERS = 10000
MOST_BYTES = 8 << 30


def unpack(archive: str, target: str) -> None:
    """Unpack regular files and folders of *archive* into the new folder *target*, without the archive's one top folder.

    Owners and odd permissions in the archive are ignored. What is written is on disk when this returns.

    :raises HostError: when the archive is damaged, or holds anything but plain files and folders below one top folder.
    """
    os.mkdir(target, 0o755)
    try:
        with tarfile.open(archive, mode="r|gz") as source:
            _unpack_members(source, archive, target)
    except (tarfile.TarError, EOFError, zlib.error) as problem:
        raise HostError(f"{archive}: is damaged or no tarball ({problem}). Nothing was installed.") from None
    if not os.listdir(target):
        raise HostError(f"{archive}: holds no file. Nothing was installed.")


def _unpack_members(source: tarfile.TarFile, archive: str, target: str) -> None:
    seen: Set[str] = set()
    top: Optional[str] = None
    total = 0
    for member in source:
        total += member.size
        top = top or member.name.strip("/").split("/")[0]
        problem = _objection(member, top, seen, total)
        if problem:
            raise HostError(f"{archive}: {member.name[:200]!r} {problem}. Nothing was installed.")
        seen.add(os.path.normpath(member.name))
        inside = os.path.relpath(os.path.normpath(member.name), top)
        path = os.path.normpath(os.path.join(target, inside))
        if member.isdir():
            os.makedirs(path, mode=0o755, exist_ok=True)
        else:
            content = source.extractfile(member)
            if content is not None:
                _write(content, path, bool(member.mode & stat.S_IXUSR))  # type: ignore[arg-type]


def _objection(member: tarfile.TarInfo, top: str, seen: Set[str], total: int) -> str:
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
        (total > MOST_BYTES, f"makes the archive larger than {MOST_BYTES} bytes"),
    )
    return next((reason for found, reason in checks if found), "")


def _write(content: BinaryIO, path: str, executable: bool) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
        file.flush()
        os.fchmod(file.fileno(), 0o755 if executable else 0o644)
        os.fsync(file.fileno())
