# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing one thing on many hosts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .errors import LabError

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_each(action: Callable[[Item], Result], items: Iterable[Item], workers: int = 6) -> list[Result]:
    """The results of ``action`` for all items, in their order.

    Every item is tried; raises one LabError with the messages of all that failed.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(action, item) for item in items]
    problems = []
    results = []
    for future in futures:
        error = future.exception()
        if error is None:
            results.append(future.result())
        elif isinstance(error, LabError):
            problems.append(str(error))
        else:
            raise error
    if problems:
        raise LabError("\n".join(problems))
    return results
