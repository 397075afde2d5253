# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A row of the table of parsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

Errors = tuple[type[Exception], ...]


class Parser(NamedTuple):
    """One parser: how it is called with an input, inputs to try, and the errors it documents."""

    call: Callable[[Any], Any]
    inputs: st.SearchStrategy[Any]
    errors: Errors = ()
