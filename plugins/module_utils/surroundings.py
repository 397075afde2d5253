# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host's surroundings newer Teleports have demands on: kernel, C library, environment, repositories.

Reading must never fail: what cannot be read is left out, and then nothing is said about it.
"""

from __future__ import annotations

import base64
import glob
import importlib.util
import os
import re
import time
from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

#: Variables whose presence matters. Their values may hold credentials and are not read.
_VARIABLES = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "teleport_allow_no_second_factor",
    "teleport_tls_routing_conn_upgrade",
    "teleport_tls_routing_conn_upgrade_mode",
    "teleport_unstable_allow_old_clients",
    "teleport_unstable_skip_version_upgrade_check",
    "teleport_unstable_unlisted_agent_dialing",
)

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
_LARGEST_FILE = 1 << 20

#: Where tbot's unit and its package look for the configuration.
_TBOT_CONFIG = "/etc/tbot.yaml"
_TBOT_V2_RE = re.compile(r"^version\s*:\s*[\"']?v2\b", re.MULTILINE)
#: ``auth_server`` with the web port of a proxy, its default or that of https.
_TBOT_PROXY_RE = re.compile(r"^auth_server\s*:\s*[\"']?\S+:(?:443|3080)\b", re.MULTILINE)

#: The validity of an X.509 certificate is its first pair of times (RFC 5280, 4.1.2.5): UTCTime or GeneralizedTime.
_TIME = rb"(?:\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)"
_VALIDITY_RE = re.compile(_TIME + _TIME)
_PEM_RE = re.compile(rb"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)


def surroundings(host: Host, pid: int, licence_path: str) -> Dict[str, Any]:
    """Return the facts by name.

    ``kernel``, ``glibc`` (versions), ``libraries_missing``, ``legacy_repositories`` (lists), ``licence_found`` (its
    path, or None), ``licence_ended`` (the day, once it is past), ``tbot_v1`` and ``tbot_dials_proxy`` (the path of
    tbot's configuration where that is so), ``boto3`` (whether this Python can import it), and ``environment``:
    lower-case names of those variables of process *pid* that matter.
    """
    facts: Dict[str, Any] = {
        "kernel": os.uname().release,
        "glibc": _glibc(),
        "libraries_missing": [name for name in _LIBRARIES if not _has_library(name)],
        "legacy_repositories": [path for path in _expanded(_REPOSITORIES) if _is_legacy(path)],
        "licence_found": licence_path if os.path.exists(licence_path) else None,
        "licence_ended": _ended(licence_path, host.wall()),
        **_tbot(_read(_TBOT_CONFIG)),
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
    return bool(_LEGACY_RE.search(_read(path).decode("utf-8", "replace")))


def _read(path: str) -> bytes:
    """What a file holds; nothing when it cannot be read."""
    try:
        return foreign_file.read(path, _LARGEST_FILE)
    except (OSError, ValueError):
        return b""


def _tbot(content: bytes) -> Dict[str, Optional[str]]:
    text = content.decode("utf-8", "replace")
    return {
        "tbot_v1": _TBOT_CONFIG if text and not _TBOT_V2_RE.search(text) else None,
        "tbot_dials_proxy": _TBOT_CONFIG if _TBOT_PROXY_RE.search(text) else None,
    }


def _ended(licence_path: str, now: float) -> Optional[str]:
    """The day on which the certificate that a licence is ended; None while it lasts, or where that cannot be told."""
    match = _PEM_RE.search(_read(licence_path))
    try:
        validity = _VALIDITY_RE.search(base64.b64decode(match.group(1))) if match else None
    except ValueError:
        return None
    if validity is None:
        return None
    short, full = validity.group(3), validity.group(4)
    # Two digits of a year mean 1950 to 2049 (RFC 5280, 4.1.2.5.1).
    written = (full or (b"20" if short < b"50" else b"19") + short).decode()
    return f"{written[:4]}-{written[4:6]}-{written[6:8]}" if written < _as_written(now) else None


def _as_written(moment: float) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(moment))


def _environment(host: Host, pid: int) -> Optional[List[str]]:
    try:
        with open(os.path.join(host.proc, str(pid), "environ"), "rb") as source:
            entries = source.read().split(b"\0")
    except OSError:
        return None
    names = {entry.partition(b"=")[0].decode("ascii", "replace").lower() for entry in entries}
    return [name for name in _VARIABLES if name in names]
