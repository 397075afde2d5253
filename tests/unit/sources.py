# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of the collection as the tests about them see them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.lockstep.teleport"


def tracked_files() -> list[Path]:
    """Return what is, or would be, committed."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def plugins(kind: str) -> list[Path]:
    """Return the Python files of one kind of plugin, such as ``modules``."""
    return sorted((ROOT / "plugins" / kind).rglob("*.py"))


def name_of(path: Path) -> str:
    """Return the path as people write it, for the names of parametrized tests."""
    return str(path.relative_to(ROOT))
