# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version folders that count, links that lead to them, and how an installation came about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.installation import (
    MANIFEST,
    Layout,
    apply_links,
    architecture,
    check_folders,
    damaged,
    folder_name,
    install_method,
    kept_versions,
    linked_programs,
    manifest,
    replace_link,
    write_manifest,
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "bin").mkdir()
    (tmp_path / "versions").mkdir()
    return Layout(str(tmp_path / "versions"), str(tmp_path / "bin"))


def folder(layout: Layout, name: str, programs: tuple[str, ...] = ("teleport", "tsh")) -> Path:
    path = Path(layout.folder(name))
    path.mkdir()
    for program in programs:
        (path / program).write_text(name)
        (path / program).chmod(0o755)
    (path / "README.md").write_text("read me")
    write_manifest(str(path), {"version": name})
    return path


def owner(*packages: str) -> Host:
    def run(command: list[str], **_options: Any) -> tuple[int, str, str]:
        return (0 if command[0] in packages else 1), "", ""

    return Host(run)


def test_complete_folder(layout: Layout) -> None:
    path = folder(layout, "6.2.31")
    assert (manifest(str(path)) or {})["version"] == "6.2.31"
    assert damaged(str(path)) == []
    assert kept_versions(layout) == ["6.2.31"]


def test_folder_without_or_with_a_broken_manifest_does_not_count(layout: Layout) -> None:
    path = folder(layout, "6.2.31")
    for content in ("", "[]", "{}", '{"format": 2, "files": {}}', '{"format": 1, "files": []}'):
        (path / MANIFEST).write_text(content)
        assert manifest(str(path)) is None
        assert damaged(str(path)) == [MANIFEST]
    assert kept_versions(layout) == []


def test_missing_short_and_changed_files_are_found(layout: Layout) -> None:
    path = folder(layout, "6.2.31")
    (path / "tsh").write_text("6.2.32")
    assert manifest(str(path)) is not None
    assert damaged(str(path)) == ["tsh"]
    (path / "tsh").write_text("")
    assert manifest(str(path)) is None
    (path / "tsh").unlink()
    assert manifest(str(path)) is None


def test_links_lead_through_current_and_follow_a_switch(layout: Layout) -> None:
    folder(layout, "1", ("teleport", "tsh", "install", "teleport-update"))
    folder(layout, "2", ("teleport", "tbot"))
    (Path(layout.bin_dir) / "tsh").write_text("plain")
    replace_link(layout.current, "1")
    assert apply_links(layout, "1", False) == [layout.program("teleport"), layout.program("tsh")]
    assert Path(layout.program("tsh")).read_text() == "1"
    assert apply_links(layout, "1", False) == []
    replace_link(layout.current, "2")
    assert Path(layout.program()).read_text() == "2"
    assert apply_links(layout, "2", False) == [layout.program("tbot"), layout.program("tsh")]
    assert sorted(os.listdir(layout.bin_dir)) == ["tbot", "teleport"]


def test_a_host_of_client_tools_gets_nothing_new(layout: Layout) -> None:
    folder(layout, "1")
    (Path(layout.bin_dir) / "tsh").write_text("plain")
    replace_link(layout.current, "1")
    apply_links(layout, "1", only_present=True)
    assert os.listdir(layout.bin_dir) == ["tsh"]


@pytest.mark.parametrize(
    ("edition", "name"), [("community", "1.2.3"), ("enterprise", "1.2.3-ent"), ("fips", "1.2.3-ent-fips")]
)
def test_folder_names(edition: str, name: str) -> None:
    assert folder_name("1.2.3", edition) == name


@pytest.mark.parametrize(
    ("machine", "name"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("i686", "386"), ("armv7l", "arm"), ("riscv64", "riscv64")],
)
def test_architectures(machine: str, name: str) -> None:
    assert architecture(machine) == name


def test_install_methods(layout: Layout, tmp_path: Path) -> None:
    managed = tmp_path / "managed"
    assert install_method(owner("dpkg"), layout, str(managed)) == "none"
    program = Path(layout.program())
    program.write_text("x")
    assert install_method(owner(), layout, str(managed)) == "tarball"
    assert install_method(owner("dpkg"), layout, str(managed)) == "package"
    assert install_method(owner("rpm"), layout, str(managed)) == "package"
    (managed / "default").mkdir(parents=True)
    (managed / "default" / "update.yaml").write_text("spec:\n  enabled: false\n")
    assert install_method(owner(), layout, str(managed)) == "tarball"
    (managed / "default" / "update.yaml").write_text("spec:\n  enabled: true\n")
    assert install_method(owner(), layout, str(managed)) == "managed_updates"


def test_install_method_of_links(layout: Layout, tmp_path: Path) -> None:
    folder(layout, "1")
    replace_link(layout.current, "1")
    os.symlink(os.path.join(layout.current, "teleport"), layout.program())
    assert install_method(owner("dpkg", "rpm"), layout, str(tmp_path / "managed")) == "tarball"
    target = tmp_path / "managed" / "default" / "versions" / "17.7.20" / "bin" / "teleport"
    target.parent.mkdir(parents=True)
    target.write_text("x")
    replace_link(layout.program(), str(target))
    assert install_method(owner(), layout, str(tmp_path / "managed")) == "managed_updates"


def test_versions_dir_must_be_roots_alone(layout: Layout, tmp_path: Path) -> None:
    check_folders(layout)
    check_folders(Layout(str(tmp_path / "none"), layout.bin_dir))
    os.chmod(layout.versions_dir, 0o777)
    with pytest.raises(HostError, match="mode 0777"):
        check_folders(layout)
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="is no folder"):
        check_folders(Layout(str(tmp_path / "file"), layout.bin_dir))


def test_bin_dir_must_not_be_everybodys(layout: Layout) -> None:
    os.chmod(layout.bin_dir, 0o777)
    with pytest.raises(HostError, match="bin is writable for everybody .* name another bin_dir"):
        check_folders(layout)


def test_a_release_cannot_shadow_other_programs(layout: Layout) -> None:
    home = folder(layout, "1")
    for name in ("sudo", "systemctl", "install", "teleport-update", ".teleport", "fdpass-teleport", "tsh;reboot"):
        path = Path(home, name)
        path.write_text("x")
        path.chmod(0o755)
    assert {"sudo", "systemctl", "install", "teleport-update", "tsh;reboot"}.isdisjoint(linked_programs(str(home)))
    assert "fdpass-teleport" in linked_programs(str(home))
