# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a host belong into a backup besides the backend."""

from __future__ import annotations

import os
import re
from typing import Iterable, List, Optional

#: Certificates, keys, licences and token files are small; whatever is larger is named by mistake.
MAX_BYTES = 4 << 20

# Every option of teleport.yaml that names such a file ends in "_file" (license_file, https_key_file, tls_ca_file …).
# Targets have no YAML parser, and this needs none: a name too many only makes the backup a little larger.
_NAMED_FILE = re.compile(r"""\b[a-z_]+_file["']?\s*:\s*["']?([^\s"',}\]#]+)""")

_DEFAULT_LICENSE = "license.pem"
_IDENTITY = "host_uuid"


def files_to_save(config_path: str, unit_path: Optional[str], data_dir: str) -> List[str]:
    """Return the existing regular files to save: configuration, unit, host UUID, and what the configuration names."""
    named = [config_path, unit_path, os.path.join(data_dir, _IDENTITY), os.path.join(data_dir, _DEFAULT_LICENSE)]
    wanted = [path for path in named if path]
    wanted += named_files(_lines(config_path), data_dir)
    return sorted({path for path in wanted if _is_small_file(path)})


def named_files(lines: Iterable[str], data_dir: str) -> List[str]:
    """Return the paths of all ``…_file`` options in the lines of a ``teleport.yaml``, relative ones below *data_dir*.

    Comments do not count.
    """
    found = [name for line in lines for name in _NAMED_FILE.findall(line.split(" #")[0]) if not _is_comment(line)]
    return [os.path.normpath(os.path.join(data_dir, name)) for name in found]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _is_small_file(path: str) -> bool:
    return os.path.isfile(path) and os.path.getsize(path) <= MAX_BYTES


def _lines(path: str) -> List[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.readlines()
    except OSError:
        return []
