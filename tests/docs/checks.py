# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/checks.md from the preflight rules.

Run it after a change to preflight.yml, with the folder that holds ansible_collections on PYTHONPATH.
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import Rule, rules

PAGE = Path(__file__).parents[2] / "docs" / "checks.md"

TEMPLATE = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by tests/docs/checks.py from plugins/plugin_utils/preflight.yml. Change that file instead. -->
# What is checked

Release lines of Teleport stop taking some configurations, and some ask more of their hosts. What a host or a cluster
can show of that is checked when the plan is made, for every hop the plan takes, and told with the hop that would
bring the trouble. A *blocker* refuses the plan; name its code in `teleport_waivers` if it does not apply to you.

What could not be observed is not judged: a host without `teleport.yaml`, a process that does not run, a cluster that
does not tell. What only a person can know is not checked at all; read the notes of the releases you go through.

| Code | Hops into | Looks at | Severity | What is found | What to do | Source |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

Besides these, every plan is held against the [rules of compatibility](findings.md) and the
[known bad releases](release_lines.md).
"""


def render() -> str:
    """Return the page."""
    return TEMPLATE.format(rows="\n".join(_row(rule) for rule in rules().values()))


def _row(rule: Rule) -> str:
    cells = (
        f"`{rule.id}`",
        _lines(rule),
        ", ".join(rule.services),
        rule.severity,
        rule.message.format(found="…"),
        rule.cure,
        rule.source,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _lines(rule: Rule) -> str:
    if rule.last is None:
        return f"{rule.first} and later"
    return rule.first if rule.first == rule.last else f"{rule.first} to {rule.last}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
