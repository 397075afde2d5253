# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust levels and phases."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import build, phase_of


@pytest.mark.parametrize(
    ("services", "phase"),
    [
        (["auth"], "auth"),
        (["agent", "proxy"], "proxy"),
        (["client", "agent"], "agent"),
        (["agent", "proxy", "auth"], "auth"),
        (["client"], "client"),
    ],
)
def test_the_earliest_service_decides(services: list[str], phase: str) -> None:
    assert phase_of(services) == phase


def test_levels_are_distances_from_the_topmost_root() -> None:
    topology = build([], {"twig": "leaf", "leaf": "main", "main": None, "other": None, "late": "other"})
    assert {name: cluster.level for name, cluster in topology.clusters.items()} == {
        "main": 0,
        "other": 0,
        "leaf": 1,
        "late": 1,
        "twig": 2,
    }
    assert list(topology.clusters) == ["main", "other", "late", "leaf", "twig"]
    assert topology.cyclic == frozenset()


@pytest.mark.parametrize(
    ("roots", "cyclic"),
    [
        ({"a": "a"}, {"a"}),
        ({"a": "b", "b": "a", "c": None}, {"a", "b"}),
        ({"a": "b", "b": "c", "c": "b"}, {"b", "c"}),
    ],
)
def test_circles_are_found(roots: dict[str, str | None], cyclic: set[str]) -> None:
    assert build([], roots).cyclic == cyclic
