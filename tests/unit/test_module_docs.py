# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module says what can be relied on, and is where ``module_defaults`` looks for it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.plugins.doc_fragments.attributes import ModuleDocFragment
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT, name_of, plugins

MODULES = plugins("modules")
FRAGMENT = "lockstep.teleport.attributes"
PROMISES = {"check_mode", "diff_mode", "idempotent"}
SUPPORT = {"full", "partial", "none", "N/A"}


def documentation(source: str) -> dict[str, Any]:
    """Return what the ``DOCUMENTATION`` of a module's source holds."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(getattr(name, "id", "") == "DOCUMENTATION" for name in node.targets):
            loaded: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            return loaded
    return {}


def fragment_attributes(name: str) -> dict[str, Any]:
    """Return the attributes that one variant of our doc fragment brings."""
    if name != FRAGMENT and not name.startswith(FRAGMENT + "."):
        return {}
    variant = name[len(FRAGMENT) + 1 :].upper() or "DOCUMENTATION"
    loaded: dict[str, Any] = yaml.safe_load(getattr(ModuleDocFragment, variant))["attributes"]
    return loaded


def supported(doc: dict[str, Any]) -> dict[str, Any]:
    """Return the support a module states for each attribute, own words before those of its fragments."""
    fragments = doc.get("extends_documentation_fragment") or []
    stated: dict[str, Any] = {}
    for name in [fragments] if isinstance(fragments, str) else fragments:
        stated.update({key: value["support"] for key, value in fragment_attributes(name).items() if "support" in value})
    own = doc.get("attributes") or {}
    return {**stated, **{key: value["support"] for key, value in own.items() if "support" in value}}


def test_action_group_names_every_module() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert sorted(runtime["action_groups"]["teleport"]) == sorted(path.stem for path in MODULES)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_states_what_can_be_relied_on(path: Path) -> None:
    stated = supported(documentation(path.read_text()))
    assert stated.keys() >= PROMISES, f"{name_of(path)} does not state {sorted(PROMISES - stated.keys())}"
    assert {stated[promise] for promise in PROMISES} <= SUPPORT


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_documented_as_a_member_of_its_action_group(path: Path) -> None:
    assert supported(documentation(path.read_text())).get("action_group") == "full", (
        f"{name_of(path)} lacks the doc fragment {FRAGMENT}"
    )


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_says_since_when_it_exists(path: Path) -> None:
    assert documentation(path.read_text()).get("version_added")


@pytest.mark.parametrize("path", [path for path in plugins("action") if not path.stem.startswith("_")], ids=name_of)
def test_action_is_documented_as_one(path: Path) -> None:
    module = ROOT / "plugins" / "modules" / path.name
    assert "action" in supported(documentation(module.read_text())), f"{name_of(module)} lacks {FRAGMENT}.action"


def test_a_missing_promise_is_found() -> None:
    doc = documentation(
        'DOCUMENTATION = """\nattributes: {check_mode: {support: full}, diff_mode: {description: x}}\n"""'
    )
    assert supported(doc) == {"check_mode": "full"}


def test_own_words_go_before_those_of_a_fragment() -> None:
    doc = {
        "extends_documentation_fragment": [FRAGMENT, f"{FRAGMENT}.read_only", "other.collection.attributes"],
        "attributes": {"idempotent": {"support": "partial"}},
    }
    assert supported(doc) == {
        "action_group": "full",
        "check_mode": "full",
        "diff_mode": "N/A",
        "idempotent": "partial",
    }
