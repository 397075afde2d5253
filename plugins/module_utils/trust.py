# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can change what a path leads to, decided before root writes there or runs what lies there.

A check of a path helps only when nobody can change the path between the check and the use. So every folder on the way
is judged, and every link: once nobody but root can rename, replace or add anything on the way, no race is left.
"""

from __future__ import annotations

import os
import stat
from typing import List, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

#: As many links as the kernel follows (MAXSYMLINKS).
_MOST_LINKS = 40


def objection(path: str, strict: bool = True, may_be_missing: bool = True) -> str:
    """Say who else can change the folder *path*, or what it leads through; empty when only root can.

    What does not exist yet is judged by the folder it would be made in. Besides root, the user that runs this counts as
    trusted. On the way, folders that are writable for a group are accepted (who is in the group that owns
    ``/usr/local`` on Debian is as good as root), and world-writable ones with the sticky bit, where nobody can replace
    what is root's.

    :param strict: whether *path* itself must be no link, and be writable for no group but root's.
    """
    todo = _parts(path)
    if not os.path.isabs(path) or ".." in todo:
        return f"{path} is not an absolute path without '..'"
    reached = "/"
    links = 0
    while todo:
        name = todo.pop(0)
        if name == "..":
            reached = os.path.dirname(reached)
            continue
        place = os.path.join(reached, name)
        try:
            found = os.lstat(place)
        except FileNotFoundError:
            return "" if may_be_missing else f"{place} is gone again"
        except OSError as problem:
            return f"{place} cannot be looked at ({problem.strerror})"
        reason = _object(place, found, not todo, strict)
        if reason:
            return reason
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > _MOST_LINKS:
                return f"{path} leads through more than {_MOST_LINKS} links"
            target = os.readlink(place)
            reached, todo = ("/" if target.startswith("/") else reached), _parts(target) + todo
        else:
            reached = place
    return ""


def require(path: str, option: str, strict: bool = True) -> None:
    """Refuse a folder in which somebody else could plant what root then runs, or replace what root just checked.

    :param option: name of the option that names another folder.
    :raises HostError: when it is no folder, or somebody else can change it or the way to it.
    """
    _refuse(objection(path, strict), option)


def _refuse(reason: str, option: str) -> None:
    if reason:
        raise HostError(
            f"{reason}; allowed is a real folder that only root can change, and so are the folders above it. Correct "
            f"it, or name another {option}."
        )


def make_folder(path: str, option: str, mode: int = 0o755) -> None:
    """Make a folder and what is missing above it, with *mode* whatever the umask says; leave one that exists alone.

    :raises HostError: as `require`; also when somebody else was quicker to put something there.
    """
    require(path, option)
    missing: List[str] = []
    place = path.rstrip("/")
    while not os.path.lexists(place):
        missing.append(place)
        place = os.path.dirname(place)
    for place in reversed(missing):
        try:
            os.mkdir(place, 0o700)
            os.chmod(place, mode)
        except FileExistsError:
            break
        except OSError as problem:
            raise HostError(f"{place}: cannot be made: {problem.strerror}. Name another {option}.") from problem
    # Whoever was quicker may have gone again, to come back once root trusts the place.
    _refuse(objection(path, may_be_missing=False), option)


def program_objection(path: str) -> Optional[str]:
    """Say why root must not run the program *path*: everybody could have written it. None when that is not so."""
    try:
        found = os.stat(path)
        real = os.path.realpath(path)
        folder = os.stat(os.path.dirname(real)) if os.path.exists(real) else None
    except OSError:
        return None
    if found.st_mode & stat.S_IWOTH:
        return f"{path} is writable for everybody, so it is not run as root"
    if folder is not None and folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        return f"the folder of {path} is writable for everybody, so it is not run as root"
    return None


def _parts(path: str) -> List[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _object(place: str, found: os.stat_result, is_last: bool, strict: bool) -> str:
    if found.st_uid not in (0, os.geteuid()):
        return f"{place} belongs to the user with id {found.st_uid}"
    if stat.S_ISLNK(found.st_mode):
        return f"{place} is a symbolic link" if is_last and strict else ""
    if not stat.S_ISDIR(found.st_mode):
        return f"{place} is no folder"
    mode = f"(mode {stat.S_IMODE(found.st_mode):04o})"
    if found.st_mode & stat.S_IWOTH and (is_last or not found.st_mode & stat.S_ISVTX):
        return f"{place} is writable for everybody {mode}"
    if is_last and strict and found.st_mode & stat.S_IWGRP and found.st_gid != 0:
        return f"{place} is writable for the group with id {found.st_gid} {mode}"
    return ""
