# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CONTRIBUTING.md asks of every file and no linter checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT, name_of, tracked_files

LONGEST_FUNCTION = 60
LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
# Folders of somebody's own machine: homes, checkouts, scratch space with a name.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root/\.(?:pyenv|cache)|Users/\w|work/(?:main|shared)|opt/(?:pypi|wheels))")
SOURCES = sorted(path for path in tracked_files() if path.suffix in {".py", ".yml", ".yaml", ".sh", ".toml"})
GENERATED = {ROOT / "changelogs" / "changelog.yaml"}


def machine_paths(text: str) -> list[str]:
    """Return the lines that name a folder of somebody's machine."""
    return [line for line in text.splitlines() if MACHINE_PATH.search(line)]


def function_lengths(source: str) -> Iterator[tuple[str, int]]:
    """Yield every function with its number of lines, docstring aside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0]
            documented = ast.get_docstring(node) is not None
            docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


@pytest.mark.parametrize("path", tracked_files(), ids=name_of)
def test_no_file_names_a_folder_of_somebodys_machine(path: Path) -> None:
    text = path.read_text(errors="replace")
    assert machine_paths(text) == [] or path == Path(__file__).resolve()


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".py"], ids=name_of)
def test_functions_are_short(path: Path) -> None:
    long = {name: lines for name, lines in function_lengths(path.read_text()) if lines > LONGEST_FUNCTION}
    assert not long, f"{name_of(path)}: at most {LONGEST_FUNCTION} lines per function"


@pytest.mark.parametrize("path", [path for path in SOURCES if path not in GENERATED], ids=name_of)
def test_source_names_its_licence(path: Path) -> None:
    assert LICENCE in path.read_text()[:600]


def test_sanity_ignores_are_empty() -> None:
    ignores = sorted((ROOT / "tests" / "sanity").glob("ignore-*.txt"))
    assert ignores
    assert [path.name for path in ignores if path.read_text().strip()] == []


@pytest.mark.parametrize("line", ["see /Users/jo/x", "cd /root/.cache", "'/work/main'"])
def test_a_machine_path_is_found(line: str) -> None:
    assert machine_paths(line) == [line]


@pytest.mark.parametrize("line", ["/etc/teleport.yaml", "/var/lib/teleport/root/x", "https://a.example/work/main"])
def test_a_path_of_the_product_is_none(line: str) -> None:
    assert machine_paths(line) == []


def test_length_of_a_function_is_without_its_docstring() -> None:
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert list(function_lengths(source)) == [("f", 2)]
