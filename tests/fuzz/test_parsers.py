# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of foreign text either reads its input or raises the error it documents; none hangs or eats memory."""

from __future__ import annotations

import ast
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.tests.fuzz.parser import Parser
from ansible_collections.lockstep.teleport.tests.fuzz.parsers import EXEMPT, PARSERS

ROOT = Path(__file__).parents[2]
#: Seconds for one input; far above what any takes on a busy machine, far below a hang.
LIMIT = 20.0
#: Characters of a message: values of the inventory are quoted whole.
LONGEST = 1 << 20
_NAME_RE = re.compile(r"(?:parse|read|load)(?:_\w+)?")
_FOLDERS = ("module_utils", "plugin_utils", "action", "inventory", "filter")


class Hang(BaseException):
    """A parser did not come to an end. No ``Exception``, so that no parser can take it for bad input."""


def end(_number: int, _frame: Any) -> None:
    raise Hang


@pytest.mark.parametrize("name", sorted(PARSERS))
@given(data=st.data())
def test_parser(name: str, data: st.DataObject) -> None:
    parser: Parser = PARSERS[name]
    given_input = data.draw(parser.inputs)
    assert threading.current_thread() is threading.main_thread()
    said = "read"
    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT)
    try:
        parser.call(given_input)
    except parser.errors as problem:
        said = str(problem)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert said.strip(), "an error without a message"
    assert len(said) < LONGEST, "a message that fills a disk"


def parser_names() -> set[str]:
    """Functions of the plugins that are called like parsers, as ``file.function``."""
    found = set()
    for folder in _FOLDERS:
        for path in (ROOT / "plugins" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and _NAME_RE.fullmatch(node.name):
                    found.add(f"{path.stem}.{node.name}")
    return found


def test_every_parser_is_in_the_table() -> None:
    missing = parser_names() - set(PARSERS) - set(EXEMPT)
    assert not missing, f"{sorted(missing)}: add them to tests/fuzz/parsers.py with the errors that they document"


def test_exemptions_have_a_reason_and_exist() -> None:
    assert set(EXEMPT) <= parser_names()
    assert all(EXEMPT.values())
