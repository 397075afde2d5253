# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading small files that another user may have put there: regular ones only, and never more than is asked for."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import Any


def read(path: str, most: int, follow: bool = True) -> bytes:
    """Return at most *most* bytes of a regular file.

    A named pipe would be waited for, and a link could lead root to what its owner must not see.

    :param follow: whether *path* itself may be a link. Not where another user may write to the folder.
    :raises OSError: when it cannot be read, is a link that is not to be followed, or no regular file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no regular file", path)
        return source.read(most)


def parse_json(content: bytes) -> Any:
    """Read JSON.

    :raises ValueError: when it is none, or nested so deeply that reading it would end the program.
    """
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
