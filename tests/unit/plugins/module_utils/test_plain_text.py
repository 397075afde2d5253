# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs and hosts write must not act on a terminal or in a report."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import plain_text
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Completed, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.readiness import parse_answer
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import TctlError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("safe\rrm -rf", r"safe\x0drm -rf"),
        ("\x9b31mred\x7f", r"\x9b31mred\x7f"),
        ("invoice\u202egpj.exe", r"invoice\u202egpj.exe"),
        ("two\u2028lines\x85", r"two\u2028lines\x85"),
        ("half \ud83d", r"half \ud83d"),
        ("a\tb\nc – ünïcödé 🚀", "a\tb\nc – ünïcödé 🚀"),
    ],
)
def test_what_acts_is_shown(text: str, shown: str) -> None:
    assert plain_text.printable(text) == shown
    shown.encode()


@pytest.mark.parametrize("error", [HostError, BackupError, TctlError])
def test_errors_that_quote_others_are_harmless(error: type[Exception]) -> None:
    assert str(error("it said \x1b[31m")) == r"it said \x1b[31m"


def test_output_of_commands_is_harmless_in_messages() -> None:
    assert Completed(1, "out\x07", "\x1berr").text == "out\\x07\n\\x1berr"


def test_answers_of_an_instance_are_harmless() -> None:
    assert parse_answer("diag", 503, b'{"status": "\\u001b[2J"}').status == r"\x1b[2J"
    assert parse_answer("diag", 503, b"\x1b[2J").status == r"\x1b[2J"


def test_names_are_one_short_line() -> None:
    assert plain_text.name("a\n# b\t\x1bc") == r"a # b \x1bc"
    assert plain_text.name(None) == ""
    assert len(plain_text.name("x" * 10**6)) == plain_text.LONGEST_NAME


def test_values_all_the_way_down() -> None:
    assert plain_text.printable_values({"\x1b": ["\x07", 1, None, {"a": ("\r",)}]}) == {
        r"\x1b": [r"\x07", 1, None, {"a": [r"\x0d"]}]
    }


def test_colours_and_logins_are_taken_away() -> None:
    assert plain_text.colourless("\x1b[1;31mERROR\x1b[0m: no") == "ERROR: no"
    assert (
        plain_text.without_login("get https://me:secret@mirror.example.com/a@b") == "get https://mirror.example.com/a@b"
    )
