# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/variables.md names every variable that a user can set, and no other."""

from __future__ import annotations

import re

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

#: What plays tell roles, and the groups of hosts that failed; nobody sets them.
OF_PLAYS = {
    "teleport_stage",
    "teleport_failed_agents",
    "teleport_failed_clients",
    "teleport_failed_proxies",
    "teleport_not_rolled_back",
}
_VARIABLE_RE = re.compile(r"\bteleport_[a-z0-9_]+\b")


def used() -> set[str]:
    """Return the public variables that defaults of roles and playbooks read."""
    sources = [*ROOT.glob("roles/*/defaults/main.yml"), *ROOT.glob("playbooks/*.yml")]
    text = "\n".join(re.sub(r"#.*", "", source.read_text()) for source in sources)
    return set(_VARIABLE_RE.findall(text)) - OF_PLAYS


def documented() -> set[str]:
    """Return the variables in the first column of the tables."""
    rows = re.findall(r"^\| (`teleport_.*?) \|", (ROOT / "docs" / "variables.md").read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(teleport_[a-z0-9_]+)`", row)}


def test_every_variable_is_on_the_page() -> None:
    assert used() - documented() == set()


def test_the_page_names_no_variable_that_nothing_reads() -> None:
    sources = [
        path for folder in ("roles", "playbooks", "plugins") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    read = set(
        _VARIABLE_RE.findall(
            "\n".join(path.read_text(errors="ignore") for path in sources if path.suffix in {".yml", ".py"})
        )
    )
    assert documented() - read == set()
