# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.tests.docs.checks import PAGE, render


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run tests/docs/checks.py"


def codes(part: str) -> list[str]:
    return [line.split("`")[1] for line in part.splitlines() if line.startswith("| `")]


def test_page_has_every_rule() -> None:
    assert codes(render().partition("## Cures")[0]) == list(rules())


def test_page_has_every_cure() -> None:
    assert codes(render().partition("## Cures")[2]) == [rule.id for rule in rules().values() if rule.edit]
