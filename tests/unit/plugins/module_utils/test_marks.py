# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mark stays on a host until it is removed."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.lockstep.teleport.plugins.module_utils import marks


def test_a_mark_is_found_until_it_is_removed(tmp_path: Path) -> None:
    folder = str(tmp_path / "versions")
    assert marks.found(folder) == []
    marks.put(folder, "auth_group")
    marks.put(folder, "drained")
    marks.put(folder, "drained")
    assert marks.found(folder) == ["drained", "auth_group"]
    marks.remove(folder, "drained")
    marks.remove(folder, "drained")
    assert marks.found(folder) == ["auth_group"]
