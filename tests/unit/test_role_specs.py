# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of a role stand in two places that must agree: ``defaults/main.yml`` and ``meta/argument_specs.yml``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import ChainableUndefined, Undefined
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

ROLES = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())


def load(path: Path) -> Any:
    """Return the content of a YAML file; nothing for one that is not there."""
    return (yaml.safe_load(path.read_text()) if path.exists() else None) or {}


def entry_points(role: Path) -> dict[str, dict[str, Any]]:
    """Return the options of each entry point of a role."""
    specs = load(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    return {name: spec.get("options") or {} for name, spec in specs.items()}


def without_inventory(defaults: dict[str, Any]) -> dict[str, Any]:
    """Return what the defaults are where the inventory says nothing.

    ``{{ public_name | default('x') }}`` is ``x``; ``{{ public_name }}`` alone is none.
    """
    environment = NativeEnvironment(undefined=ChainableUndefined)
    templated = {name: value for name, value in defaults.items() if isinstance(value, str) and "{{" in value}
    rendered = {name: environment.from_string(value).render() for name, value in templated.items()}
    return {name: value for name, value in {**defaults, **rendered}.items() if not isinstance(value, Undefined)}


def disagreements(defaults: dict[str, Any], options: dict[str, dict[str, Any]]) -> list[str]:
    """Return one sentence per input on which the two do not agree."""
    values = without_inventory(defaults)
    found = [f"{name} has a default and is in no argument spec" for name in sorted(set(defaults) - set(options))]
    for name, option in sorted(options.items()):
        if option.get("required") and name in values:
            found.append(f"{name} is required and has a default")
        if not option.get("required") and name not in defaults and "default" in option:
            found.append(f"{name} has a default in the argument spec alone")
        if name in values and "default" in option and option["default"] != values[name]:
            found.append(f"{name} defaults to {values[name]!r}; the argument spec says {option['default']!r}")
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_argument_specs_agree(role: Path) -> None:
    options: dict[str, dict[str, Any]] = {}
    for entry in entry_points(role).values():
        options.update(entry)
    assert disagreements(load(role / "defaults" / "main.yml"), options) == []


#: Of a whole run and often written with all entries commented out, which leaves them null.
MAY_BE_NULL = ("allow_prerelease", "auth_strategy", "clusters", "edition", "hop_versions", "releases", "waivers")


def with_nulls(defaults: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults that read one of `MAY_BE_NULL`, with all of these being null."""
    environment = NativeEnvironment(undefined=ChainableUndefined)
    nulls = {f"teleport_{name}": None for name in MAY_BE_NULL}
    reading = {name: value for name, value in defaults.items() if any(null in str(value) for null in nulls)}
    return {name: environment.from_string(value).render(nulls) for name, value in reading.items()}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_null_is_as_good_as_left_out(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml")
    values = without_inventory(defaults)
    assert with_nulls(defaults) == {name: values[name] for name in with_nulls(defaults)}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_of_a_role_has_all_its_inputs(role: Path) -> None:
    options = {name for entry in entry_points(role).values() for name in entry}
    rows = re.findall(rf"^\| `({role.name}_\w+)`", (role / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(options)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_specifies_its_main_entry_point(role: Path) -> None:
    assert "main" in entry_points(role), f"roles/{role.name}/meta/argument_specs.yml must have an entry point main"


@pytest.mark.parametrize(
    ("defaults", "options", "expected"),
    [
        ({"a_x": 1}, {}, ["a_x has a default and is in no argument spec"]),
        ({"a_x": 1}, {"a_x": {"required": True}}, ["a_x is required and has a default"]),
        ({}, {"a_x": {"default": 1}}, ["a_x has a default in the argument spec alone"]),
        ({"a_x": 1}, {"a_x": {"default": 2}}, ["a_x defaults to 1; the argument spec says 2"]),
        ({"a_x": "{{ x }}"}, {"a_x": {"required": True}}, []),
        ({"a_x": "{{ hosts['h'].x | default([]) }}"}, {"a_x": {"default": []}}, []),
        ({"a_x": "{{ x | default('y') }}"}, {"a_x": {"default": "y"}}, []),
        ({"a_x": 1}, {"a_x": {"default": 1}, "a_y": {"required": True}, "a_z": {}}, []),
    ],
)
def test_a_disagreement_is_found(
    defaults: dict[str, Any], options: dict[str, dict[str, Any]], expected: list[str]
) -> None:
    assert disagreements(defaults, options) == expected
