# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans for people: complete where it matters, short where it is long, and safe to show."""

from __future__ import annotations

from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.render import render
from ansible_collections.lockstep.teleport.tests.unit.plugins.plugin_utils.planner_cases import fleet

SMALL = """a1 main auth 4.4.12
a2 main auth 4.4.12
p main proxy 4.4.12
n main agent 4.3.10
b leaf auth 4.4.12"""


def plan(rows: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """Plan an upgrade to 6.2.31."""
    return plan_upgrade({"target_version": "6.2.31", "instances": rows, **options}).plan


def test_a_plan_shows_what_is_to_be_approved() -> None:
    made = plan(fleet(SMALL), clusters={"leaf": {"root": "main"}})
    text = render(made)
    assert text.startswith("# Teleport upgrade to 6.2.31\n")
    assert "- Hops: 5.2.5 → 6.2.31" in text
    assert "- 5 stages, 11 changes on 5 hosts of 2 clusters: leaf, main" in text
    assert "## Stage 0: to 4.4.12 (laggards, before the hop to 5.2.5, trust level 0)" in text
    assert "## Stage 1: to 5.2.5 (hop 0, trust level 0)" in text
    assert "1. main/a1 (4.4.12, migrates the backend)\n2. main/a2 (4.4.12)\n" in text
    assert text.index("**Auth Service**") < text.index("**Proxy Service**")
    assert f"`teleport_approved_digest: {made['digest']}`" in text


def test_waived_blockers_stand_before_warnings() -> None:
    text = render(plan(fleet(SMALL + "\nx main agent 5.2.5 enterprise"), waivers=["edition-mixed"]))
    assert "- 1 waived blocker\n" in text
    assert text.index("## Waived blockers (1)") < text.index("## Warnings")


def test_a_refusal_shows_its_blockers_and_no_approval() -> None:
    outcome = plan_upgrade({"target_version": "3.2.15", "instances": fleet(SMALL)})
    text = render(outcome.plan, refused=outcome.refused)
    assert "**Refused.**" in text
    assert "- `downgrade` main / a1: It runs 4.4.12, the target is 3.2.15." in text
    assert "## Approval" not in text
    assert "## Stage" not in text


def test_at_the_target_there_is_nothing_to_approve() -> None:
    text = render(plan(fleet("a main auth 6.2.31")))
    assert "Nothing is to be done." in text
    assert "## Approval" not in text


def test_names_cannot_be_markup() -> None:
    row = {"host": "a<b>|*_`\n# x", "cluster": "[c](d)", "services": ["auth"], "version": "5.2.5"}
    text = render(plan([row]))
    assert "\\[c\\]\\(d\\)/a\\<b\\>\\|\\*\\_\\` \\# x" in text
    assert "\n# x" not in text


def test_ten_thousand_hosts_stay_readable() -> None:
    rows = fleet("a main auth 5.2.5") + [
        {"host": f"n{number:05}", "cluster": "main", "services": ["agent"], "version": "4.2.12"}
        for number in range(10_000)
    ]
    text = render(plan(rows))
    assert len(text.splitlines()) < 80
    assert len(text) < 10_000
    assert "- `behind-auth`: 9990 more like these" in text
    assert "1. main/n00000 (4.2.12)\n" in text
    second = ", ".join(f"main/n0000{number} (4.2.12)" for number in range(1, 6))
    assert f"2. {second}, … 995 more\n" in text
    assert "10000 hosts in 6 batches" in text


def test_many_batches_are_cut() -> None:
    rows = fleet("a main auth 5.2.5\n" + "\n".join(f"n{number:02} main agent 5.2.5" for number in range(20)))
    text = render(plan(rows, batches=[1]))
    assert "… and 14 batches with 14 hosts" in text
