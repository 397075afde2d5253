# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large documents: written in pieces, and the same as in one."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import controller_files

DOCUMENT: dict[str, Any] = {"steps": [{"host": f"agent-{number}", "to": "17.7.20"} for number in range(9000)]}
TEXT = json.dumps(DOCUMENT, indent=4, sort_keys=True) + "\n"


def wanted(folder: Path) -> dict[str, controller_files.Content]:
    return controller_files.contents([{"path": "plan.json", "document": DOCUMENT}], str(folder))


def test_a_document_of_many_pieces_is_written_whole_and_then_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    controller_files.write(wanted(tmp_path), [str(file)], 0o600, str(tmp_path))
    assert file.read_text() == TEXT
    assert controller_files.stale(wanted(tmp_path)) == []


@pytest.mark.parametrize("found", [TEXT[:-1], TEXT + "\n", TEXT.replace("agent-8999", "agent-9000"), ""])
def test_a_file_that_differs_anywhere_is_stale(tmp_path: Path, found: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(found)
    assert controller_files.stale(wanted(tmp_path)) == [str(file)]


def test_writing_a_document_takes_a_fraction_of_the_memory_of_its_text(tmp_path: Path) -> None:
    pieces = wanted(tmp_path)
    tracemalloc.start()
    controller_files.write(pieces, list(pieces), 0o600, str(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(TEXT) / 2
