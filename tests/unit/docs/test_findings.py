# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import CODES
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.tests.docs.findings import MEANINGS, PAGE, codes_in, render
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run tests/docs/findings.py"


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_every_code_of_a_source_has_a_meaning(name: str) -> None:
    source = (ROOT / "plugins" / "plugin_utils" / f"{name}.py").read_text(encoding="utf-8")
    assert codes_in(source) == set(MEANINGS[name])


def test_page_has_every_code() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    planner = set(CODES) - set(rules())
    assert len(rows) == len(planner) + sum(map(len, MEANINGS.values()))
    assert {row.split("`")[1] for row in rows} == planner | {code for of in MEANINGS.values() for code in of}
    assert [row for row in rows if re.search(r"\|\s*\|", row)] == [], "an empty cell"


def test_what_the_page_says_of_hosts_holds() -> None:
    source = (ROOT / "plugins" / "plugin_utils" / "instance.py").read_text(encoding="utf-8")
    severities = dict(re.findall(r'_finding\(\s*"([a-z-]+)", "([a-z]+)"', source))
    others = {code: severities[code] for code in MEANINGS["instance"] if severities[code] != "blocker"}
    assert others == {
        "audit-not-saved": "warning",
        "boto-missing": "warning",
        "restarting": "warning",
        "package-held": "info",
        "updater-paused": "warning",
        "updater-enabled": "info",
        "tools-elsewhere": "info",
        "recordings-not-saved": "info",
        "restart-pending": "info",
    }


def test_codes_are_read_from_calls_and_from_what_looks_like_one() -> None:
    source = 'x = _finding("limited", 1)\nfor code in ("a-b", "no code", "C-D"):\n    _blocker(code)\nother("w")\n'
    assert codes_in(source) == {"limited", "a-b"}
