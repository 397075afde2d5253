# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/checks.md from the preflight rules.

Run it after a change to preflight.yml, with the folder that holds ansible_collections on PYTHONPATH.
"""

from __future__ import annotations

from pathlib import Path

from ansible_collections.lockstep.teleport.plugins.plugin_utils.config_edit import DROP, SET, Edit
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

## Cures that the upgrade can make

Where the cure is a safe change of `teleport.yaml`, the finding shows what would be changed. Name its code in
`teleport_config_cures`, or `all`, and the change becomes part of the plan: it stands there, and on the page, with the
stage that makes it, it is part of the digest that is approved, and the finding no longer blocks.

| Code | What is changed |
| --- | --- |
{cures}

Nothing is changed that does not stand in the plan. On each host the change is part of the upgrade of its instance:

- The file has to be, to the byte, the one that was read for the plan. Comments, order and formatting stay as they are
  everywhere else, and so do owner, mode and attributes.
- The new version tests the changed file (`teleport configure --test`, from 7 on) before anything is stopped. The file
  is changed between the stop of the old version and the start of the new one.
- What was there goes on to lie beside the file as `teleport.yaml.lockstep-…`, until the old version is pruned. It is
  put back when the new version does not come up, and by `lockstep.teleport.rollback`. A file that somebody has changed
  since is left as it is.
- A list or section that is written in a way that cannot be changed by itself (aliases, several keys in a line of a
  block) is left alone; the finding stays. So is the file of an Auth Service on DynamoDB, from which backups read at
  fixed places.
- Neither plan nor diff show a value that is not one of those that the rule names.

## What is checked besides

Every plan is held against the [rules of compatibility](findings.md) and the [known bad releases](release_lines.md), and
the trust between clusters against [what the inventory declares](findings.md#of-trusted-clusters).
"""


def render() -> str:
    """Return the page."""
    known = rules().values()
    cures = "\n".join(f"| `{rule.id}` | {_change(rule.edit)} |" for rule in known if rule.edit)
    return TEMPLATE.format(rows="\n".join(_row(rule) for rule in known), cures=cures)


def _change(edit: Edit) -> str:
    keys = ", ".join(f"`{'.'.join(key)}`" for key in edit.keys)
    if edit.kind == SET:
        return f"{keys} is set to `{edit.values[0]}`"
    if edit.kind == DROP:
        return f"{', '.join(f'`{value}`' for value in edit.values)} are dropped from {keys}"
    return f"{keys} is removed"


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
