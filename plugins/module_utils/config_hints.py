# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guesses from ``teleport.yaml`` without a YAML parser, for a target that has only Python's own library.

They save a second look at the host in the common case. The controller parses the file and asks again when a guess was
wrong, so a guess may be wrong, but reading must never fail.
"""

from __future__ import annotations

import re
from typing import Dict

DEFAULT_CONFIG_PATH = "/etc/teleport.yaml"
DEFAULT_DATA_DIR = "/var/lib/teleport"

#: Bytes; more than any real ``teleport.yaml``. A larger file is neither read nor changed.
LARGEST_CONFIG = 1 << 20

_LINE_RE = re.compile(r"^(?P<indent> *)(?P<key>[a-z_]+) *:(?: +(?P<value>.*))?$")
_WANTED = {"teleport": ("data_dir", "diag_addr"), "auth_service": ("license_file",)}


def guess(text: str) -> Dict[str, str]:
    """Return ``data_dir`` and, where they stand written the usual way, ``diag_addr`` and ``license_file``."""
    found = {"data_dir": DEFAULT_DATA_DIR}
    section = ""
    depth = 0
    for line in text.splitlines():
        match = _LINE_RE.match(line)
        if not match:
            continue
        indent = len(match.group("indent"))
        if indent == 0:
            section, depth = match.group("key"), 0
            continue
        depth = depth or indent
        if indent == depth and match.group("key") in _WANTED.get(section, ()):
            found[match.group("key")] = _scalar(match.group("value") or "") or found.get(match.group("key"), "")
    return {key: value for key, value in found.items() if value}


def _scalar(value: str) -> str:
    quoted = re.match(r"^([\"'])(.*?)\1", value)
    if quoted:
        return quoted.group(2)
    return re.split(r"\s+#", value, maxsplit=1)[0].strip()
