# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that somebody else can change, and a real user who changes one as fast as the machine allows."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import trust
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that every user can reach, unlike those of pytest."""
    path = Path(tempfile.mkdtemp(prefix="lockstep-trust-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_what_only_root_can_change_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir(mode=0o755)
    for path in ("/", "/usr/bin", str(tmp_path / "versions"), str(tmp_path / "versions/"), str(tmp_path / "a/b/c")):
        assert trust.objection(path) == ""


def test_links_of_root_on_the_way_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk/versions").mkdir(parents=True)
    (tmp_path / "opt").symlink_to("disk")
    (tmp_path / "absolute").symlink_to(tmp_path / "x/../disk")
    (tmp_path / "x").symlink_to("disk/versions")
    assert trust.objection(str(tmp_path / "opt/versions")) == ""
    # The kernel goes from x to disk/versions and up from there.
    assert "is no folder" not in trust.objection(str(tmp_path / "absolute/versions"))
    assert "is a symbolic link" in trust.objection(str(tmp_path / "opt"))
    assert trust.objection(str(tmp_path / "opt"), strict=False) == ""


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "more than 40 links" in trust.objection(str(tmp_path / "a/c"))


@pytest.mark.parametrize("path", ["versions", "../etc", "/opt/../etc", "", "-rf", "/opt/./../x"])
def test_odd_paths(path: str) -> None:
    assert "is not an absolute path" in trust.objection(path)


def writable(path: Path) -> None:
    path.chmod(0o777)


def sticky(path: Path) -> None:
    path.chmod(0o1777)


def group(path: Path) -> None:
    os.chown(path, -1, 50)
    path.chmod(0o775)


def stranger(path: Path) -> None:
    os.chown(path, NOBODY, -1)


@needs_root
@pytest.mark.parametrize(
    ("change", "itself", "above"),
    [
        (writable, "writable for everybody", "writable for everybody"),
        (sticky, "writable for everybody", ""),
        (group, "writable for the group with id 50", ""),
        (stranger, "belongs to the user with id 65534", "belongs to the user with id 65534"),
    ],
)
def test_who_else_could_change_it(tmp_path: Path, change: Callable[[Path], None], itself: str, above: str) -> None:
    (tmp_path / "opt/versions").mkdir(parents=True)
    change(tmp_path / "opt")
    assert itself in trust.objection(str(tmp_path / "opt"))
    found = trust.objection(str(tmp_path / "opt/versions"))
    assert above in found if above else not found


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_made_folders_are_readable_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        trust.make_folder(str(tmp_path / "a/b"), "versions_dir")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o755, 0o755]


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    trust.make_folder(str(tmp_path / "a/b"), "versions_dir")
    trust.make_folder(str(tmp_path / "a"), "versions_dir")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(HostError, match="a is no folder; .* name another versions_dir"):
        trust.make_folder(str(tmp_path / "a/b"), "versions_dir")


def test_programs_that_everybody_could_have_written(tmp_path: Path) -> None:
    path = tmp_path / "teleport"
    path.write_text("x")
    path.chmod(0o755)
    assert trust.program_objection(str(path)) is None
    assert trust.program_objection(str(tmp_path / "none")) is None
    path.chmod(0o757)
    assert "is writable for everybody" in (trust.program_objection(str(path)) or "")
    path.chmod(0o755)
    tmp_path.chmod(0o777)
    assert "the folder of" in (trust.program_objection(str(path)) or "")


@contextlib.contextmanager
def attacker(act: Callable[[], None]) -> Iterator[None]:
    """Another user, who does *act* over and over while the block runs."""
    pid = os.fork()
    if pid == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        while True:
            with contextlib.suppress(OSError):
                act()
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@needs_root
def test_a_user_who_races_links_in_a_world_writable_folder_is_refused(shared: Path) -> None:
    open_folder, prey = shared / "open", shared / "prey"
    prey.mkdir()
    open_folder.mkdir()
    open_folder.chmod(0o777)
    place = open_folder / "versions"

    def swap() -> None:
        place.symlink_to(prey)
        place.unlink()
        place.mkdir()
        place.rmdir()

    with attacker(swap):
        for _attempt in range(100):
            with pytest.raises(HostError):
                trust.make_folder(str(place / "deep"), "versions_dir")
    assert os.listdir(prey) == []


@needs_root
def test_a_user_who_is_quicker_in_a_sticky_folder_wins_nothing(shared: Path) -> None:
    open_folder, prey = shared / "tmp", shared / "prey"
    prey.mkdir()
    open_folder.mkdir()
    open_folder.chmod(0o1777)
    place = open_folder / "versions"

    def swap() -> None:
        place.symlink_to(prey)
        place.unlink()
        place.mkdir(mode=0o777)
        place.rmdir()

    refused = made = 0
    with attacker(swap):
        for _attempt in range(100):
            try:
                trust.make_folder(str(place), "versions_dir")
            except HostError:
                refused += 1
                continue
            made += 1
            found = place.lstat()
            assert stat.S_ISDIR(found.st_mode)
            assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o755)
            place.rmdir()
    assert refused + made == 100
    assert os.listdir(prey) == []
