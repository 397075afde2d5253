# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.lockstep.teleport.tests.drain.balancer import Balancer


@pytest.fixture
def balancer() -> Iterator[Balancer]:
    """A real HAProxy before two servers."""
    one = Balancer()
    yield one
    one.close()
