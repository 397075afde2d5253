# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters that make an order, and those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.order import from_parameters

INSTANCE: dict[str, Any] = {
    "services": ["auth", "agent"],
    "unit": {"name": "teleport"},
    "config": {"path": "/c", "auth_listen_addr": "0.0.0.0:3025", "proxy_web_addr": "0.0.0.0:3080", "diag_addr": "x:1"},
    "architecture": "arm64",
    "bin_dir": "/usr/local/bin",
    "edition": "enterprise",
    "versions_dir": "/v",
}


def parameters(**changes: Any) -> dict[str, Any]:
    return {
        "instance": INSTANCE,
        "version": "v6.2.31",
        "artifact_url": "https://example.org/a",
        "edition": None,
        "checksum": None,
        "versions_dir": None,
        "keep": 2,
        "expect_version": None,
        "ready_timeout": 300.0,
        "stable_for": 5.0,
        "stop_timeout": 330.0,
        "on_failure": "restore",
        "detached": False,
        "backup": None,
        "artifact_file": None,
        "artifact_size": 0,
        **changes,
    }


def test_defaults_come_from_the_instance() -> None:
    order = from_parameters(parameters())
    assert order.layout.versions_dir == "/v"
    assert order.release.artifact == "teleport-ent-v6.2.31-linux-arm64-bin.tar.gz"
    assert order.release.folder == "6.2.31-ent"
    assert order.unit == "teleport.service"
    goal = order.goal("6.2.31")
    assert (goal.diag_addr, goal.listeners) == ("x:1", ("0.0.0.0:3025",))


def test_directory_on_the_controller_is_no_url() -> None:
    assert from_parameters(parameters(artifact_url="/srv/artifacts")).release.base_url == ""


def test_backup_of_the_cluster_that_is_named() -> None:
    order = from_parameters(parameters(backup={"directory": "/b", "cluster": "main.example", "keep": 1}))
    spec = order.backup_spec("5.2.5", Host(run_command=print))
    assert (spec.home, spec.version) == ("/b/main.example", "5.2.5")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": "17"}, "version: '17' is not a Teleport version"),
        ({"checksum": "abc"}, "is no SHA-256"),
        ({"instance": {}}, "instance lacks services"),
        ({"instance": {**INSTANCE, "unit": None}}, "instance lacks unit"),
        ({"ready_timeout": -1.0}, "ready_timeout must not be negative"),
    ],
)
def test_refusals(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(HostError, match=reason):
        from_parameters(parameters(**changes))
