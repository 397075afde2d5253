# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binaries and hosts for the double's own tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests"))

import build  # noqa: E402
from loopback import Host, free_ports  # noqa: E402


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with every version unpacked: ``<folder>/<version>/teleport``."""
    out = tmp_path_factory.mktemp("binaries")
    build.unpack(out, build.default_releases())
    return out


@pytest.fixture
def new_host(binaries: Path, tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Makes hosts on loopback with ports of their own; all are stopped at the end."""
    hosts: list[Host] = []

    def make(name: str = "h1", **options: Any) -> Host:
        host = Host(name, binaries, tmp_path, free_ports(6), **options)
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        host.stop()
