# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guesses about a configuration never fail, whatever the file holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import guess

LINES = st.sampled_from(
    ["teleport:", "  data_dir: /d", "  data_dir:", "diag_addr: '", "  storage: {", "# data_dir: /no", "\t"]
)


@given(st.one_of(st.text(), st.lists(LINES).map("\n".join)))
def test_nothing_makes_it_fail(text: str) -> None:
    assert guess(text)["data_dir"]
