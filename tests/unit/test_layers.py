# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layer may import which. CONTRIBUTING.md has the same in words."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.tests.unit.sources import PACKAGE, ROOT, name_of, plugins

STANDARD_LIBRARY = frozenset(sys.stdlib_module_names)
OWN_MODULE_UTILS = f"{PACKAGE}.plugins.module_utils"
OWN_PLUGIN_UTILS = f"{PACKAGE}.plugins.plugin_utils"


@dataclass(frozen=True)
class Layer:
    """What the files of one folder may import beside the standard library: packages, with all they contain."""

    allowed: tuple[str, ...]
    # Whether the same holds for everything that the imported files of this collection import in turn.
    deep: bool = False


LAYERS = {
    # On the targets there is Python and what Ansible sends along.
    "module_utils": Layer(("ansible.module_utils", OWN_MODULE_UTILS)),
    "modules": Layer(("ansible.module_utils", OWN_MODULE_UTILS)),
    # The planner and whatever else decides on the controller is tested and used without Ansible.
    "plugin_utils": Layer(("jinja2", "packaging", "yaml", OWN_MODULE_UTILS, OWN_PLUGIN_UTILS), deep=True),
    "doc_fragments": Layer(()),
    "filter": Layer(("ansible", OWN_MODULE_UTILS, OWN_PLUGIN_UTILS)),
    "test": Layer(("ansible", OWN_MODULE_UTILS, OWN_PLUGIN_UTILS)),
    "action": Layer(("ansible", OWN_MODULE_UTILS, OWN_PLUGIN_UTILS)),
    "callback": Layer(("ansible", OWN_MODULE_UTILS, OWN_PLUGIN_UTILS)),
    "inventory": Layer(("ansible", OWN_MODULE_UTILS, OWN_PLUGIN_UTILS)),
}
# The second opinion is worth something only as long as it is formed alone. planner.py hands the finished plan over.
STRANGERS = (("planner_", "replay"), ("replay", "planner"))


def imports(source: str, package: str) -> set[str]:
    """Return the full name of every module that a source imports, relative imports resolved against its package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def within(name: str, package: str) -> bool:
    """Return whether a module is a package or lies in it."""
    return name == package or name.startswith(package + ".")


def own_file(name: str) -> Path | None:
    """Return the file that an import of this collection reads; the last part may be a name within it."""
    if not within(name, PACKAGE):
        return None
    parts = name.split(".")[3:]
    for length in (len(parts), len(parts) - 1):
        path = ROOT.joinpath(*parts[:length]).with_suffix(".py")
        if path.is_file():
            return path
    return None


def imports_of(path: Path) -> set[str]:
    """Return the imports of one file of this collection."""
    package = ".".join([PACKAGE, *path.relative_to(ROOT).parent.parts])
    return imports(path.read_text(), package)


def reachable_imports(path: Path) -> set[str]:
    """Return the imports of a file and of all files of this collection that it imports."""
    todo, seen, found = [path], {path}, set[str]()
    while todo:
        names = imports_of(todo.pop())
        found |= names
        files = {file for name in names if (file := own_file(name))} - seen
        seen |= files
        todo += files
    return found


def violations(names: set[str], layer: Layer) -> list[str]:
    """Return the imports that a layer does not allow."""
    return sorted(
        name
        for name in names
        if name.split(".")[0] not in STANDARD_LIBRARY and not any(within(name, package) for package in layer.allowed)
    )


def layer_of(path: Path) -> Layer:
    """Return the layer that a file below ``plugins`` belongs to."""
    return LAYERS[path.relative_to(ROOT / "plugins").parts[0]]


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=name_of)
def test_file_imports_only_what_its_layer_allows(path: Path) -> None:
    layer = layer_of(path)
    found = violations(reachable_imports(path) if layer.deep else imports_of(path), layer)
    assert not found, (
        f"{name_of(path)} imports {', '.join(found)}; allowed are the standard library and {layer.allowed}"
    )


@pytest.mark.parametrize(("one", "other"), STRANGERS)
def test_planner_and_replay_do_not_ask_each_other(one: str, other: str) -> None:
    forbidden = f"{OWN_PLUGIN_UTILS}.{other}"
    for path in plugins("plugin_utils"):
        if path.stem.startswith(one):
            assert not [name for name in reachable_imports(path) if name.startswith(forbidden)], name_of(path)


def test_there_is_something_to_hold_apart() -> None:
    assert {path.relative_to(ROOT / "plugins").parts[0] for path in (ROOT / "plugins").rglob("*.py")} <= set(LAYERS)
    assert plugins("module_utils")
    assert plugins("plugin_utils")


@pytest.mark.parametrize(
    ("source", "layer", "expected"),
    [
        ("import requests", "module_utils", ["requests"]),
        ("def f():\n    from yaml import safe_load", "modules", ["yaml.safe_load"]),
        ("from ansible.plugins.action import ActionBase", "module_utils", ["ansible.plugins.action.ActionBase"]),
        ("from ..plugin_utils import planner", "module_utils", [f"{OWN_PLUGIN_UTILS}.planner"]),
        ("from ansible.module_utils.basic import AnsibleModule", "plugin_utils", [
            "ansible.module_utils.basic.AnsibleModule"
        ]),
        ("import os.path\nfrom ansible.module_utils import basic\nfrom . import version", "module_utils", []),
    ],
)  # fmt: skip
def test_a_forbidden_import_is_found(source: str, layer: str, expected: list[str]) -> None:
    assert violations(imports(source, f"{PACKAGE}.plugins.{layer}"), LAYERS[layer]) == expected


def test_imports_are_followed_through_files_of_the_collection() -> None:
    fragment = ROOT / "plugins" / "module_utils" / "version.py"
    assert own_file(f"{OWN_MODULE_UTILS}.version.Version") == fragment
    assert own_file("packaging.version") is None
