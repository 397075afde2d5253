# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host's surroundings newer Teleports have demands on: kernel, C library, environment, repositories.

Reading must never fail: what cannot be read is left out, and then nothing is said about it.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import re
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

#: Variables whose presence matters. Their values may hold credentials and are not read.
_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "teleport_allow_no_second_factor")

#: Since 8 Teleport is linked against these (CHANGELOG 8.0.0).
_LIBRARIES = ("libgcc_s.so.1", "libm.so.6")
_LIBRARY_FOLDERS = ("/lib", "/lib64", "/lib/*-linux-*", "/usr/lib", "/usr/lib64", "/usr/lib/*-linux-*")

_REPOSITORIES = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/*",
    "/etc/yum.repos.d/*.repo",
    "/etc/zypp/repos.d/*.repo",
)
_LEGACY_RE = re.compile(r"^[^#\n]*\b(?:deb|rpm)\.releases\.teleport\.dev\b", re.MULTILINE)
_LARGEST_REPOSITORY = 1 << 20


def surroundings(host: Host, pid: int, licence_path: str) -> Dict[str, Any]:
    """Return the facts by name.

    ``kernel``, ``glibc`` (versions), ``libraries_missing``, ``legacy_repositories`` (lists), ``licence_found`` (its
    path, or None), ``boto3`` (whether this Python can import it), and ``environment``: lower-case names of those
    variables of process *pid* that matter.
    """
    facts: Dict[str, Any] = {
        "kernel": os.uname().release,
        "glibc": _glibc(),
        "libraries_missing": [name for name in _LIBRARIES if not _has_library(name)],
        "legacy_repositories": [path for path in _expanded(_REPOSITORIES) if _is_legacy(path)],
        "licence_found": licence_path if os.path.exists(licence_path) else None,
        "boto3": importlib.util.find_spec("boto3") is not None,
    }
    names = _environment(host, pid)
    return facts if names is None else {**facts, "environment": names}


def _glibc() -> Optional[str]:
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return None
    return text.partition(" ")[2] or None


def _has_library(name: str) -> bool:
    return any(os.path.exists(os.path.join(folder, name)) for folder in _expanded(_LIBRARY_FOLDERS))


def _expanded(patterns: Sequence[str]) -> List[str]:
    return [path for pattern in patterns for path in sorted(glob.glob(pattern))]


def _is_legacy(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return bool(_LEGACY_RE.search(source.read(_LARGEST_REPOSITORY)))
    except OSError:
        return False


def _environment(host: Host, pid: int) -> Optional[List[str]]:
    try:
        with open(os.path.join(host.proc, str(pid), "environ"), "rb") as source:
            entries = source.read().split(b"\0")
    except OSError:
        return None
    names = {entry.partition(b"=")[0].decode("ascii", "replace").lower() for entry in entries}
    return [name for name in _VARIABLES if name in names]
