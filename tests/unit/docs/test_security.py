# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every claim of docs/security.md names tests, and they exist."""

from __future__ import annotations

import ast
import re

import pytest

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
_TEST_RE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
CLAIMS = [
    row
    for table in re.findall(r"\| claim \| tests \|\n\| --- \| --- \|\n((?:\|.*\n)+)", PAGE)
    for row in table.splitlines()
]


@pytest.mark.parametrize("row", CLAIMS, ids=lambda row: row[2:60])
def test_the_tests_of_a_claim_exist(row: str) -> None:
    claim, tests = row.strip("| ").split(" | ", 1)
    named = _TEST_RE.findall(tests)
    assert claim
    assert named, "a claim without a test"
    assert _TEST_RE.sub("", tests).strip() == ""
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file} has no {name}"


def test_there_are_claims() -> None:
    assert len(CLAIMS) > 20
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) > 5
