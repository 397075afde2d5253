# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example in docs/order.md is what the planner plans."""

from __future__ import annotations

from ansible_collections.lockstep.teleport.tests.docs import order


def test_the_page_shows_the_plan_that_is_made_now() -> None:
    text = order.PAGE.read_text()
    assert text == order.page(text), "run tests/docs/order.py"


def test_the_example_shows_laggards_and_every_level_of_trust() -> None:
    planned = order.plan()
    assert planned["stages"][0]["steps"][0]["phase"] == "agent"
    assert {stage["level"] for stage in planned["stages"]} == {0, 1, 2}
