# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests that are pinned: found, missing, wrong, and held against what lies on the host already."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, installation, readiness, upgrade
from ansible_collections.lockstep.teleport.plugins.module_utils.artifact import pinned
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.order import from_parameters
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost, program
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.test_order import parameters
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.test_upgrade import (
    NEW,
    OLD,
    make_order,
    no_network,
    tarball,
)

NAME = "teleport-v6.2.31-linux-amd64-bin.tar.gz"
A, B = "a" * 64, "B" * 64


@pytest.mark.parametrize(
    ("checksums", "digest"),
    [
        ({}, ""),
        ({NAME: A}, A),
        ({NAME: f" {B}\n"}, B.lower()),
        ({"6.2.31": {"amd64": A, "arm64": B}}, A),
        ({"v6.2.31": {"amd64": B}}, B.lower()),
        ({"6.2.31": {"amd64": B}, NAME: A}, A),
    ],
)
def test_pins(checksums: dict[str, Any], digest: str) -> None:
    assert pinned(checksums, NAME, "6.2.31", "amd64") == digest


@pytest.mark.parametrize(
    ("checksums", "reason"),
    [
        ({"6.2.30": {"amd64": A}}, f"no digest is pinned for {NAME}; add it"),
        ({"6.2.31": {"arm64": A}}, "no digest is pinned"),
        ({"6.2.31": A}, "no digest is pinned"),
        ({NAME: A[1:]}, "allowed are 64 hexadecimal digits"),
        ({NAME: "sha256:" + A}, "allowed are 64 hexadecimal digits"),
        ({NAME: f"{A}  {NAME}"}, "allowed are 64 hexadecimal digits"),
        ({NAME: 7}, "allowed are 64 hexadecimal digits"),
    ],
)
def test_a_list_of_pins_that_does_not_pin_this_artefact(checksums: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        pinned(checksums, NAME, "6.2.31", "amd64")


def test_an_order_takes_its_digest_from_the_pins() -> None:
    name = "teleport-ent-v6.2.31-linux-arm64-bin.tar.gz"
    assert from_parameters(parameters(checksums={name: A})).release.checksum == A
    assert from_parameters(parameters(checksums={name: A}, checksum=B)).release.checksum == B
    assert name in from_parameters(parameters(checksums={NAME: A})).release.unpinned
    assert from_parameters(parameters()).release.unpinned == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("unit", {"name": "--host=evil"}),
        ("unit", {"name": "../../tmp/x"}),
        ("unit", {"name": ["teleport"]}),
        ("unit", {}),
        ("unit", "teleport"),
        ("config", {"path": "-rf"}),
        ("config", {"path": "teleport.yaml"}),
        ("config", ["x"]),
        ("architecture", "amd64/../../../etc"),
        ("architecture", "amd64 -o x"),
        ("bin_dir", "bin"),
        ("bin_dir", "-x"),
        ("services", ["auth", "evil"]),
        ("services", "auth"),
        ("edition", "../x"),
    ],
)
def test_an_instance_that_was_tampered_with_is_refused(key: str, value: Any) -> None:
    instance = {**parameters()["instance"], key: value}
    if key in ("unit", "config") and not value:
        instance[key] = {"other": 1}
    with pytest.raises(HostError, match="is not what lockstep|can name no unit"):
        from_parameters(parameters(instance=instance))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    found = FakeHost(tmp_path)
    monkeypatch.setattr(readiness, "probe", found.probe)
    for name in ("teleport", "tctl", "tsh"):
        program(found.bin_dir / name, OLD)
    found.start()
    return found


def test_what_is_not_pinned_is_not_installed(fake: FakeHost) -> None:
    wanted = make_order(fake)
    wanted = replace(wanted, release=replace(wanted.release, unpinned="no digest is pinned for it"))
    with pytest.raises(HostError, match="no digest is pinned for it. Nothing was installed"):
        upgrade.Upgrade(fake.host, wanted, no_network).run()
    with pytest.raises(HostError, match="no digest is pinned for it"):
        upgrade.Upgrade(fake.host, wanted, no_network).preview()
    assert NEW not in installation.kept_versions(wanted.layout)
    assert fake.pid


def test_a_version_folder_from_another_tarball_is_replaced(fake: FakeHost) -> None:
    first = make_order(fake)
    upgrade.Upgrade(fake.host, first, no_network).run()
    upgrade.Upgrade(fake.host, make_order(fake, "6.2.30"), no_network).run()
    other = tarball(fake.root, NEW, behaviour="ready_after=1")
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    second = make_order(fake, NEW, other)
    assert second.release.checksum == digest != first.release.checksum
    upgrade.Upgrade(fake.host, second, no_network).run()
    found = installation.manifest(second.layout.folder(NEW)) or {}
    assert found["sha256"] == digest
    assert durable.hash_file(second.layout.program()).sha256 == found["files"]["teleport"]["sha256"]
