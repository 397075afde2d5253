# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a host belong into a backup besides the backend."""

from __future__ import annotations

import glob
import os
import re
from typing import Iterable, List, Optional, Sequence

#: Certificates, keys, licences and token files are small; whatever is larger is named by mistake.
MAX_BYTES = 4 << 20

# Every option of teleport.yaml that names such a file ends in "_file" (license_file, https_key_file, tls_ca_file …).
# Targets have no YAML parser, and this needs none: a name too many only makes the backup a little larger.
_NAMED_FILE = re.compile(r"""\b[a-z_]+_file["']?\s*:\s*["']?([^\s"',}\]#]+)""")

_ENVIRONMENT_FILE = re.compile(r"^\s*EnvironmentFile\s*=\s*-?(/\S+)", re.MULTILINE)

#: Where systemd looks for units and what is dropped into them (systemd.unit(5)); the last wins least.
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)

_DEFAULT_LICENSE = "license.pem"
_IDENTITY = "host_uuid"


def files_to_save(config_path: str, unit_path: Optional[str], data_dir: str) -> List[str]:
    """Return the existing regular files to save: configuration, unit, host UUID, and what the first two name."""
    wanted = [config_path, os.path.join(data_dir, _IDENTITY), os.path.join(data_dir, _DEFAULT_LICENSE)]
    wanted += unit_files(unit_path) if unit_path else []
    wanted += named_files(_lines(config_path), data_dir)
    return sorted({path for path in wanted if _is_small_file(path)})


def unit_files(unit_path: str, folders: Sequence[str] = UNIT_FOLDERS) -> List[str]:
    """Return the unit's file, the drop-ins that change it, and the environment files these name."""
    name = os.path.basename(unit_path)
    places = [os.path.join(folder, name + ".d") for folder in dict.fromkeys([os.path.dirname(unit_path), *folders])]
    files = [
        unit_path,
        *(path for place in places for path in sorted(glob.glob(os.path.join(glob.escape(place), "*.conf")))),
    ]
    named = (_ENVIRONMENT_FILE.findall("".join(_lines(path))) for path in files)
    return [*files, *(path for paths in named for path in paths)]


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
