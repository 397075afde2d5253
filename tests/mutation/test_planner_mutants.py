# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule of the planner is held by a test: switching it off is noticed."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import planner_rules
from ansible_collections.lockstep.teleport.tests.mutation.planner_mutants import MUTANTS, Mutant, killer
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import FINDINGS
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_stage_cases import STAGES


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.rule}: {mutant.change}")
def test_a_mutant_is_noticed(mutant: Mutant) -> None:
    assert killer(mutant)


def test_without_a_mutant_nothing_is_noticed() -> None:
    assert [case.name for case in (*STAGES, *FINDINGS) if not case.holds()] == []


def test_no_rule_is_forgotten() -> None:
    rules = {
        name
        for name, value in vars(planner_rules).items()
        if callable(value)
        and getattr(value, "__module__", "") == planner_rules.__name__
        and name not in ("Group", "Member")
    }
    assert rules <= {mutant.rule for mutant in MUTANTS}
