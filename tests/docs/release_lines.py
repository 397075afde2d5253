# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/release_lines.md from the release catalogue.

Run it after a change to releases.yml, with the folder that holds ansible_collections on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils import releases_rows

PAGE = Path(__file__).parents[2] / "docs" / "release_lines.md"

TEMPLATE = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by tests/docs/release_lines.py from plugins/plugin_utils/releases.yml. Change that file instead. -->
# Release lines of Teleport

A Teleport cluster is upgraded one release line at a time. This is what the collection knows of each of them, oldest
first. Say it better in your inventory with `teleport_hop_versions`, or add rows with the option `releases`.

- **Goes through**: the patch that a plan stops over at, unless you pin another one.
- **Safe from**: lower patches are refused. Lines without one never got a fix for CVE-2025-49825, by which SSH
  authentication can be bypassed without credentials: a plan through them warns, and should not end there.
- **Because**: what that patch protects from. In brackets, for lines that never got a safe one: the patch that fixed it.
- **Supported until**: from 16 on as announced, before that the release of the third line after it.

{lines}

## Known bad releases

A *blocker* is refused as target and as stopover, a *warning* is told.

{known_bad}

## Pairs that do not work together

Their lines would allow it, and it fails all the same.

{bad_pairs}
"""


def render(data: dict[str, Any]) -> str:
    """Return the page for the data of ``releases.yml``."""
    return TEMPLATE.format(
        lines=_table(
            ("Line", "Goes through", "Safe from", "Because", "Released", "Supported until", "Notes", "Sources"),
            (_line(row) for row in data["lines"]),
        ),
        known_bad=_table(
            ("Versions", "Severity", "Affects", "What happens", "What to do", "Source"),
            (
                (f"`{row['versions']}`", row["severity"], ", ".join(row["affects"]), *_words(row))
                for row in data["known_bad"]
            ),
        ),
        bad_pairs=_table(
            ("Server", "Client", "Between", "Severity", "What happens", "What to do", "Source"),
            (
                (f"`{row['server']}`", f"`{row['client']}`", row["between"], row["severity"], *_words(row))
                for row in data["bad_pairs"]
            ),
        ),
    )


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    why = row.get("why", "")
    return (
        row["line"],
        row["newest"],
        row["minimum_safe"] or "–",
        f"{why} ({row['floor']})" if "floor" in row else why,
        row["released"],
        row["end_of_life"],
        row.get("notes", ""),
        "; ".join(row["sources"]),
    )


def _words(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["reason"], row["cure"], row["source"]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _cell in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> None:
    """Write the page."""
    source = Path(releases_rows.__file__).with_name("releases.yml")
    PAGE.write_text(render(yaml.safe_load(source.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
