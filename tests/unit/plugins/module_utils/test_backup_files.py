# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of finding who has a file open, and of finding the files a configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backup_files import (
    MAX_BYTES,
    files_to_save,
    named_files,
    unit_files,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.open_files import processes_holding
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import holding, put


def test_another_process_is_found_by_name_and_number(tmp_path: Path) -> None:
    put(tmp_path / "sqlite.db", a="1")
    with holding(tmp_path / "sqlite.db") as pid:
        [found] = processes_holding([str(tmp_path / "sqlite.db")])
    assert found.startswith("python")
    assert found.endswith(f"(pid {pid})")
    assert processes_holding([str(tmp_path / "sqlite.db")]) == []


def test_a_link_to_the_file_is_seen_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    put(tmp_path / "real" / "sqlite.db", a="1")
    with holding(tmp_path / "real" / "sqlite.db"):
        assert len(processes_holding([str(tmp_path / "link" / "sqlite.db")])) == 1


def test_a_process_that_ends_meanwhile_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "77").mkdir()
    assert processes_holding(["/x"], proc=str(tmp_path)) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  license_file: /etc/license.pem", ["/etc/license.pem"]),
        ("  license_file: license.pem  # bought in May", ["/data/license.pem"]),
        ("  license_file: 'license.pem'", ["/data/license.pem"]),
        ("  - key_file: /a.key", ["/a.key"]),
        ('  https_keypairs: [{key_file: /a.key, cert_file: "/a.crt"}]', ["/a.key", "/a.crt"]),
        ("  tls_ca_file: /a.ca", ["/a.ca"]),
        ("  # tls_ca_file: /a.ca", []),
        ("  license_file:", []),
        ("  pid_filename: /run/x", []),
        ("  path: /var/lib", []),
    ],
)
def test_options_that_name_files(line: str, expected: list[str]) -> None:
    assert named_files([line], "/data") == expected


def test_only_existing_small_files_are_saved(tmp_path: Path) -> None:
    config = tmp_path / "teleport.yaml"
    (tmp_path / "small").write_text("x")
    with (tmp_path / "huge").open("wb") as handle:
        handle.truncate(MAX_BYTES + 1)
    config.write_text(
        f"a_file: {tmp_path}/small\nb_file: {tmp_path}/huge\nc_file: {tmp_path}/gone\nd_file: {tmp_path}\n"
    )
    assert files_to_save(str(config), None, str(tmp_path)) == [str(tmp_path / "small"), str(config)]


def test_without_a_configuration_nothing_is_named(tmp_path: Path) -> None:
    assert files_to_save(str(tmp_path / "gone.yaml"), None, str(tmp_path)) == []


def test_a_unit_comes_with_its_drop_ins_and_their_environment(tmp_path: Path) -> None:
    unit = tmp_path / "lib" / "teleport.service"
    folders = [tmp_path / "etc", tmp_path / "run"]
    for folder in (unit.parent, *folders):
        (folder / "teleport.service.d").mkdir(parents=True)
    unit.write_text(f"[Service]\nEnvironmentFile=-{tmp_path}/default\n#EnvironmentFile=/commented\n")
    for name in ("b.conf", "a.conf", "a.conf.bak"):
        (folders[0] / "teleport.service.d" / name).write_text("[Service]\n")
    (folders[1] / "teleport.service.d" / "x.conf").write_text("[Service]\n  EnvironmentFile = /etc/proxy.env\n")
    assert unit_files(str(unit), [str(folder) for folder in folders]) == [
        str(unit),
        f"{folders[0]}/teleport.service.d/a.conf",
        f"{folders[0]}/teleport.service.d/b.conf",
        f"{folders[1]}/teleport.service.d/x.conf",
        f"{tmp_path}/default",
        "/etc/proxy.env",
    ]


def test_a_unit_that_is_gone_is_no_error(tmp_path: Path) -> None:
    assert unit_files(str(tmp_path / "teleport.service"), []) == [str(tmp_path / "teleport.service")]
