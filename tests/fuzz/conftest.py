# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the fuzzers go on, and how much memory they may take.

``LOCKSTEP_FUZZ_EXAMPLES`` is the number of examples for each parser; `make unit` takes a few, the same each time, so
that a change is judged by itself; `make fuzz` takes thousands of new ones.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

#: Bytes of address space: what a parser takes beyond that ends in a ``MemoryError``, which none may raise.
_MEMORY = 4 << 30

_WANTED = os.environ.get("LOCKSTEP_FUZZ_EXAMPLES")

settings.register_profile(
    "fuzz",
    max_examples=int(_WANTED or "25"),
    derandomize=_WANTED is None,
    deadline=None,
    print_blob=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
