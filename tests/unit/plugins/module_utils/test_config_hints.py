# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guesses are right for files written the usual way."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import guess


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"data_dir": "/var/lib/teleport"}),
        ("teleport:\n  data_dir: /d\n  diag_addr: 127.0.0.1:3000\n", {"data_dir": "/d", "diag_addr": "127.0.0.1:3000"}),
        ('teleport:\n    data_dir: "/d e" # here\n', {"data_dir": "/d e"}),
        ("teleport:\n  data_dir: /d   # here\n", {"data_dir": "/d"}),
        ("teleport:\n  storage:\n    data_dir: /no\n", {"data_dir": "/var/lib/teleport"}),
        ("auth_service:\n  data_dir: /no\n", {"data_dir": "/var/lib/teleport"}),
        ("# data_dir: /no\nteleport:\n  # data_dir: /no\n", {"data_dir": "/var/lib/teleport"}),
        (
            "auth_service:\n  enabled: yes\nteleport:\n  diag_addr: ':3'\n",
            {"data_dir": "/var/lib/teleport", "diag_addr": ":3"},
        ),
        ("teleport: {data_dir: /d}\n", {"data_dir": "/var/lib/teleport"}),
        ("teleport:\n  data_dir:\n", {"data_dir": "/var/lib/teleport"}),
    ],
)
def test_guesses(text: str, found: dict[str, str]) -> None:
    assert guess(text) == found
