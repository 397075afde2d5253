# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A version without a pin is named by the plan, not by the first host that refuses it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import observed
from ansible_collections.lockstep.teleport.plugins.plugin_utils.pins import pinned_versions
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade

DIGEST = "a" * 64
AMD64 = {"edition": "community", "architecture": "amd64", "install_method": "tarball"}


@pytest.mark.parametrize(
    ("checksums", "seen", "expected"),
    [
        ({}, AMD64, None),
        (None, AMD64, None),
        ({"17.7.20": {"amd64": DIGEST}}, None, None),
        ({"17.7.20": {"amd64": DIGEST}}, {**AMD64, "install_method": "package"}, None),
        ({"17.7.20": {"amd64": DIGEST}, "v16.5.18": {"amd64": DIGEST}}, AMD64, ["16.5.18", "17.7.20"]),
        ({"17.7.20": {"arm64": DIGEST}}, AMD64, []),
        ({"17.7.20": {"amd64": "no digest"}}, AMD64, []),
        ({"teleport-v17.7.20-linux-amd64-bin.tar.gz": DIGEST}, AMD64, ["17.7.20"]),
        ({"teleport-v17.7.20-linux-amd64-bin.tar.gz": DIGEST}, {**AMD64, "edition": "enterprise"}, []),
        (
            {"teleport-ent-v17.7.20-linux-amd64-fips-bin.tar.gz": DIGEST},
            {**AMD64, "edition": "fips"},
            ["17.7.20"],
        ),
    ],
)
def test_versions_that_a_host_finds_a_digest_for(checksums: Any, seen: Any, expected: list[str] | None) -> None:
    assert pinned_versions(checksums, seen) == expected


def plan(*pinned: list[str] | None) -> list[dict[str, Any]]:
    hosts = [("a1", "auth"), ("n1", "agent"), ("n2", "agent")]
    instances = [
        {
            "host": name,
            "services": [service],
            "version": "15.5.4",
            **({} if pins is None else {"pinned_versions": pins}),
        }
        for (name, service), pins in zip(hosts, pinned, strict=True)
    ]
    given = {"target_version": "17.7.20", "instances": instances, "hop_versions": {"16": "16.5.18"}}
    found: list[dict[str, Any]] = plan_upgrade(given).plan["findings"]
    return [item for item in found if item["code"] == "artifact-unpinned"]


def test_an_intermediate_version_without_a_pin_is_a_blocker_that_names_the_hosts() -> None:
    found = plan(["17.7.20"], ["16.5.18", "17.7.20"], ["17.7.20"])
    assert [(item["severity"], item["cluster"]) for item in found] == [("blocker", "main")]
    assert found[0]["message"] == "No digest of 16.5.18 is pinned that 2 of its hosts could use (a1, n2)."


@pytest.mark.parametrize("pinned", [None, ["16.5.18", "17.7.20"]])
def test_nothing_is_said_where_nothing_lacks(pinned: list[str] | None) -> None:
    assert plan(pinned, None, pinned) == []


def test_what_holds_for_a_host_reaches_the_plan() -> None:
    told = {"services": ["agent"], "version": "15.5.4", "state": "running", "findings": [], "cluster": "main"}
    seen = {**AMD64, **told, "config": {"nodename": "n1"}}
    variables = {"observe_result": {"instance": seen}, "teleport_artifact_checksums": {"17.7.20": {"amd64": DIGEST}}}
    collected = observed.collect(["n1"], {"n1": variables}, ["n1"])
    assert collected["instances"][0]["pinned_versions"] == ["17.7.20"]
