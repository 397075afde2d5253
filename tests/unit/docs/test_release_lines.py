# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils import releases_rows
from ansible_collections.lockstep.teleport.tests.docs.release_lines import PAGE, render

DATA = yaml.safe_load(Path(releases_rows.__file__).with_name("releases.yml").read_text(encoding="utf-8"))


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(DATA), "run tests/docs/release_lines.py"


def test_page_has_every_row() -> None:
    page = render(DATA)
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    heads = 3 * 2
    assert len(rows) == len(DATA["lines"]) + len(DATA["known_bad"]) + len(DATA["bad_pairs"]) + heads
    assert len({row.count("|") for row in rows}) == 3
