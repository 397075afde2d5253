# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that run on every host read in before they begin: each import is compiled anew, on each host."""

from __future__ import annotations

import subprocess
import sys
from typing import Set

import pytest

PACKAGE = "ansible_collections.lockstep.teleport.plugins"


def imported_with(module: str) -> Set[str]:
    """Return the names, below module_utils, of what a fresh Python has imported after this module."""
    program = f"import sys; import {PACKAGE}.modules.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    start = f"{PACKAGE}.module_utils."
    return {name[len(start) :] for name in done.stdout.split() if name.startswith(start)}


@pytest.mark.parametrize("module", ["instance_info", "instance_upgrade", "instance_stage"])
def test_an_agent_reads_in_no_backend(module: str) -> None:
    found = imported_with(module)
    assert "installation" in found
    assert {name for name in found if name.startswith("backends.")} <= {"backends.base", "backends.means"}


def test_an_upgrade_reads_in_no_way_but_that_of_tarballs() -> None:
    found = imported_with("instance_upgrade")
    assert "way" in found
    assert found.isdisjoint({"way_package", "way_updater", "backup"})
