# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is masked, and what is left readable."""

from __future__ import annotations

import time

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.evidence import redact, secrets_in


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("auth_token: hunter2", "auth_token: ********"),
        ('{"token":"hunter2","x":1}', '{"token":********,"x":1}'),
        ("client_secret = 'hunter2 x'", "client_secret = ********"),
        ("Authorization: Bearer hunter2", "Authorization: ********"),
        ("postgres://u:hunter2@db/x", "postgres://db/x"),
        ("ERROR: initialization failed", "ERROR: initialization failed"),
        ("x" * 1000, "x" * 400),
    ],
)
def test_lines(line: str, shown: str) -> None:
    assert redact([line]) == [shown]


def test_keys_are_masked_over_all_their_lines() -> None:
    lines = ["a", "-----BEGIN RSA PRIVATE KEY-----", "hunter2", "-----END RSA PRIVATE KEY-----", "b"]
    assert redact(lines) == ["a", "********", "********", "********", "b"]


def test_secrets_of_the_configuration_are_masked_wherever_they_turn_up() -> None:
    config = 'teleport:\n  auth_token: "abcdef-1"\nauth_service:\n  tokens:\n    - "proxy,node:abcdef-2"\n  x: /no\n'
    assert secrets_in(config) == ["abcdef-1", "abcdef-2"]
    assert redact(["joined with abcdef-2"], secrets_in(config)) == ["joined with ********"]


def test_paths_are_no_secrets() -> None:
    assert secrets_in("teleport:\n  auth_token: /var/lib/token\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "token" * 20000,
        "a" * 100000 + "token",
        "token" + " " * 100000,
        "password=" * 10000,
        "://" * 30000,
        '"token": ' * 9000,
    ],
)
def test_a_hostile_line_costs_no_time(line: str) -> None:
    began = time.process_time()
    assert len(redact([line])[0]) <= 400
    secrets_in(line)
    assert time.process_time() - began < 2
