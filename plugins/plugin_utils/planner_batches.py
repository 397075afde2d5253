# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting the hosts of a phase into batches, the way Ansible cuts a play with ``serial``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_PERCENT_RE = re.compile(r"(?P<number>[0-9]{1,3})%")
_WHOLE = 100.0


class BatchError(ValueError):
    """A batch size cannot be read. The message says which and what is allowed."""


def read_sizes(value: object) -> tuple[int | str, ...]:
    """Read a list of batch sizes, or a single one: counts from 1 on, or whole percentages of all hosts.

    Stricter than ``serial``, where 0 means all hosts at once: a slip must not touch the whole fleet.

    :raises BatchError: naming the size that cannot be read.
    """
    sizes = value if isinstance(value, (list, tuple)) else [value]
    if not sizes:
        raise BatchError("the list is empty; allowed are counts and percentages, e.g. [1, '10%', '25%'].")
    return tuple(_size(size) for size in sizes)


def _size(value: object) -> int | str:
    text = str(value).strip()
    percent = _PERCENT_RE.fullmatch(text)
    if percent and 0 < int(percent.group("number")) <= _WHOLE:
        return text
    if not isinstance(value, bool) and re.fullmatch("[1-9][0-9]{0,8}", text):
        return int(text)
    raise BatchError(f"found {value!r}; allowed are counts from 1 on, and whole percentages from 1% to 100%.")


def cut(total: int, sizes: Sequence[int | str]) -> Iterator[int]:
    """Yield the sizes of the batches that *total* hosts are cut into.

    As in Ansible a percentage is of all hosts of the play, rounded down but at least one, and the last size repeats.
    """
    left = total
    position = 0
    while left > 0:
        size = min(left, _hosts(sizes[min(position, len(sizes) - 1)], total))
        yield size
        left -= size
        position += 1


def _hosts(size: int | str, total: int) -> int:
    if isinstance(size, int):
        return size
    return int(int(size.rstrip("%")) / _WHOLE * total) or 1
