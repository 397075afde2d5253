# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the preflight rules that a configuration offends to the changes of it that an upgrade makes on its way. Pure.

The changes form a chain, in the order in which the hops need them: each is made to what the one before has left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_edit
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import Rule, rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases_values import line_key

ALL = "all"


def wrong_cures(wanted: Collection[str]) -> list[str]:
    """Return what in ``teleport_config_cures`` names no rule that can be cured."""
    known = {rule.id for rule in rules().values() if rule.edit} | {ALL}
    return sorted(set(wanted) - known)


def chain(text: str, offended: Iterable[str], version: str | None, wanted: Collection[str]) -> list[dict[str, Any]]:
    """Return the changes to make, in their order, of those rules in *offended* that *wanted* names.

    Each has ``rule``, the SHA-256 of the file ``before`` and ``after``, ``lines`` to show, and ``spans``: which bytes
    of the file from before give way to what. A rule whose cure does not fit the way the file is written has none.
    """
    found = []
    for rule in curable(offended, version):
        change = config_edit.apply(text, rule.edit) if rule.edit and {rule.id, ALL} & set(wanted) else None
        if change is not None:
            found.append(_entry(rule, text, change))
            text = change.text
    return found


def curable(offended: Iterable[str], version: str | None) -> list[Rule]:
    """Return those rules with a cure that are about lines ahead of *version*, in the order in which hops need them.

    The next line stands for all that a rule was about before.
    """
    if version is None:
        return []
    line = line_key(Version.parse(version).line)
    found = [rules()[rule] for rule in offended if rules()[rule].edit]
    ahead = [rule for rule in found if rule.last is None or line_key(rule.last) > line]
    return sorted(ahead, key=lambda rule: max(line_key(rule.first), line))


def offer(text: str, rule: str) -> list[str]:
    """Return what the cure of one rule would change, as lines to show; nothing where none fits."""
    edit = rules()[rule].edit
    change = config_edit.apply(text, edit) if edit else None
    return list(change.lines) if change else []


def _entry(rule: Rule, text: str, change: config_edit.Edited) -> dict[str, Any]:
    return {
        "rule": rule.id,
        "before": _digest(text),
        "after": _digest(change.text),
        "lines": list(change.lines),
        "spans": [list(span) for span in config_edit.in_bytes(text, change.spans)],
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
