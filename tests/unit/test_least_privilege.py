# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays and plugins must not do, wherever in the collection somebody would write it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT, name_of

FILES = sorted([*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "roles").glob("*/tasks/*.yml")])
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
SHELLS = ("shell", "command", "raw", "script", "expect")
WRITERS = ("copy", "template", "file", "lineinfile", "blockinfile", "get_url", "unarchive")
FORBIDDEN_RE = re.compile(
    r"shell=True|use_unsafe_shell|\bos\.system\(|\bos\.popen\(|\beval\(|\bexec\(|\bpickle\b|tempfile\.mktemp|(?<!_)yaml\.(?:unsafe_|full_)?load\("
    r"|[\"']/tmp/|[\"']/var/tmp/|validate_certs=False|CERT_NONE|_create_unverified_context"
)

#: Whether the own proxy answers is asked on the loopback, by an address no certificate names; nothing is sent there.
ALLOWED = {"plugins/module_utils/readiness.py": 1}


def mappings(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of a YAML document: plays, blocks, tasks and what is in them."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from mappings(inner)


def tasks_of(path: Path, modules: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield the tasks of a file that use one of these modules of ansible.builtin, with the module's arguments."""
    for found in mappings(yaml.safe_load(path.read_text())):
        for module in modules:
            for name in (f"ansible.builtin.{module}", f"ansible.legacy.{module}"):
                if name in found and "name" in found:
                    yield found, found[name]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_play_or_task_asks_for_more_than_the_inventory_gives(path: Path) -> None:
    for found in mappings(yaml.safe_load(path.read_text())):
        assert not {"become", "become_user", "become_method"} & set(found), found.get("name")


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=name_of)
def test_the_controller_never_becomes_root(path: Path) -> None:
    for play in yaml.safe_load(path.read_text()):
        if play.get("hosts") == "localhost":
            assert (play.get("vars") or {}).get("ansible_become") is False, play["name"]


@pytest.mark.parametrize("path", sorted((ROOT / "playbooks").glob("*.yml")), ids=name_of)
def test_no_play_leaves_its_strategy_to_the_configuration(path: Path) -> None:
    for play in yaml.safe_load(path.read_text()):
        if "hosts" in play:
            assert play.get("strategy") == "ansible.builtin.linear", play["name"]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_runs_through_a_shell(path: Path) -> None:
    assert list(tasks_of(path, SHELLS)) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_are_written_with_a_mode_of_their_own(path: Path) -> None:
    for task, arguments in tasks_of(path, WRITERS):
        if isinstance(arguments, dict) and arguments.get("state") != "absent":
            mode = str(arguments.get("mode", ""))
            assert re.fullmatch("0[0-7]{3}", mode), f"{task['name']}: mode {mode!r}"
            assert int(mode, 8) & 0o027 == 0, f"{task['name']}: others can read or its group write"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_goes_into_the_fact_cache(path: Path) -> None:
    for _task, arguments in tasks_of(path, ("set_fact",)):
        assert "cacheable" not in arguments


@pytest.mark.parametrize("path", PLUGINS, ids=name_of)
def test_plugins_use_nothing_that_runs_text_or_trusts_everybody(path: Path) -> None:
    found = [line.strip() for line in path.read_text().splitlines() if FORBIDDEN_RE.search(line)]
    assert len(found) == ALLOWED.get(name_of(path), 0), found


@pytest.mark.parametrize("path", PLUGINS, ids=name_of)
def test_no_plugin_returns_facts_that_would_be_cached(path: Path) -> None:
    assert "ansible_facts" not in path.read_text()
