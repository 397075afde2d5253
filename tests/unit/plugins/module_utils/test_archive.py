# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that want to write elsewhere, or are no archives, and the one kind that is unpacked."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import archive
from ansible_collections.lockstep.teleport.plugins.module_utils.archive import unpack
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

Member = tuple[str, Callable[[tarfile.TarInfo], None]]


def plain(_member: tarfile.TarInfo) -> None:
    """Leave it a regular file."""


def of_type(kind: bytes, target: str = "") -> Callable[[tarfile.TarInfo], None]:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname = kind, target

    return change


def build(path: Path, *members: Member) -> str:
    with tarfile.open(path, "w:gz") as target:
        for name, change in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode = 4, 0o6777
            change(member)
            target.addfile(member, io.BytesIO(b"true") if member.isreg() else None)
    return str(path)


def test_files_end_up_below_the_target_without_odd_permissions(tmp_path: Path) -> None:
    def data(member: tarfile.TarInfo) -> None:
        member.mode = 0o600

    source = build(tmp_path / "a.tgz", ("teleport/teleport", plain), ("teleport/examples/unit", data))
    unpack(source, str(tmp_path / "out"))
    assert (tmp_path / "out/teleport").read_bytes() == b"true"
    assert stat.S_IMODE((tmp_path / "out/teleport").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out/examples/unit").stat().st_mode) == 0o644


def test_any_top_folder_will_do(tmp_path: Path) -> None:
    source = build(tmp_path / "a.tgz", ("teleport-ent", of_type(tarfile.DIRTYPE)), ("teleport-ent/tsh", plain))
    unpack(source, str(tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == ["tsh"]


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("teleport/../../evil", plain)], "leads out of the archive"),
        ([("../evil", plain)], "leads out of the archive"),
        ([("/etc/evil", plain)], "has an absolute name"),
        ([("teleport/x", of_type(tarfile.SYMTYPE, "/etc"))], "is no plain file"),
        ([("teleport/x", of_type(tarfile.LNKTYPE, "teleport/y"))], "is no plain file"),
        ([("teleport/x", of_type(tarfile.CHRTYPE))], "is no plain file"),
        ([("teleport/x", of_type(tarfile.BLKTYPE))], "is no plain file"),
        ([("teleport/x", of_type(tarfile.FIFOTYPE))], "is no plain file"),
        ([("teleport/x", plain), ("teleport/x", plain)], "is there twice"),
        ([("teleport/x", plain), ("teleport/./x", plain)], "is there twice"),
        ([("teleport/x", plain), ("other/x", plain)], "is not below the folder 'teleport'"),
        ([("teleport", plain)], "stands where the top folder belongs"),
        ([("teleport/x", of_type(tarfile.SYMTYPE, "/tmp")), ("teleport/x/evil", plain)], "is no plain file"),
    ],
)
def test_attacks_are_refused(tmp_path: Path, members: list[Member], reason: str) -> None:
    source = build(tmp_path / "a.tgz", *members)
    (tmp_path / "in").mkdir()
    with pytest.raises(HostError, match=reason):
        unpack(source, str(tmp_path / "in" / "out"))
    assert not (tmp_path / "evil").exists()
    assert not (tmp_path / "in" / "evil").exists()


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = build(tmp_path / "a.tgz", ("teleport/x", plain), ("teleport/y", plain), ("teleport/z", plain))
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    with pytest.raises(HostError, match="more than 2 members"):
        unpack(source, str(tmp_path / "out"))
    monkeypatch.setattr(archive, "MOST_BYTES", 7)
    with pytest.raises(HostError, match="larger than 7 bytes"):
        unpack(source, str(tmp_path / "out2"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:5],
        lambda _content: b"<!DOCTYPE html>",
        lambda _content: b"",
        lambda content: content[:40] + b"\xff" * 20 + content[60:],
    ],
)
def test_damaged_archives_are_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = Path(build(tmp_path / "a.tgz", *((f"teleport/f{number}", plain) for number in range(50))))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(HostError, match="is damaged or no tarball|holds no file"):
        unpack(str(path), str(tmp_path / "out"))
