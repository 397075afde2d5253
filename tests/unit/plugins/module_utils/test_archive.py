# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that want to write elsewhere, or are no archives, and the one kind that is unpacked."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tracemalloc
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


def extra(kind: bytes, size: int) -> bytes:
    """The head of a member that adds to the one behind it, announcing *size* bytes."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = kind, max(size, 0)
    head = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        # Base 256, all ones: minus one.
        head[124:136] = b"\xff" * 12
        head[148:156] = b"%06o\0 " % (256 + sum(head[:148]) + sum(head[156:512]))
    return bytes(head)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_head_that_would_fill_memory_is_refused_unread(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tgz"
    with gzip.open(path, "wb", compresslevel=1) as target:
        target.write(extra(kind, 256 << 20))
        for _mebibyte in range(256):
            target.write(bytes(1 << 20))
    assert path.stat().st_size < 2 << 20
    tracemalloc.start()
    with pytest.raises(HostError, match="announces 268435456 bytes in its head"):
        unpack(str(path), str(tmp_path / "out"))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_negative_sizes_are_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tgz"
    with gzip.open(path, "wb") as target:
        target.write(extra(kind, -1) + bytes(2048))
    with pytest.raises(HostError, match="announces -1 bytes"):
        unpack(str(path), str(tmp_path / "out"))


def test_a_bomb_writes_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    with tarfile.open(path, "w:gz", compresslevel=1) as target:
        for number in range(40):
            member = tarfile.TarInfo(f"teleport/f{number}")
            member.size = 4 << 20
            target.addfile(member, io.BytesIO(bytes(4 << 20)))
    assert path.stat().st_size < 2 << 20
    with pytest.raises(HostError, match="larger than 16777216 bytes, which is all there is room for"):
        unpack(str(path), str(tmp_path / "out"), 16 << 20)
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) <= 16 << 20


@pytest.mark.parametrize("name", ["teleport/" + "n" * 300, "teleport/" + "é" * 200, "teleport/" + "d/" * 600 + "f"])
def test_names_too_long_for_a_file_system(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostError, match="name too long"):
        unpack(build(tmp_path / "a.tgz", (name, plain)), str(tmp_path / "out"))


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    source = build(tmp_path / "a.tgz", ("teleport/x", plain), ("teleport/x/y", plain))
    with pytest.raises(HostError, match="is damaged"):
        unpack(source, str(tmp_path / "out"))


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_umask_changes_nothing(tmp_path: Path, mask: int) -> None:
    source = build(tmp_path / "a.tgz", ("teleport/teleport", plain), ("teleport/a/b/unit", plain))
    before = os.umask(mask)
    try:
        unpack(source, str(tmp_path / "out"))
    finally:
        os.umask(before)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*")}
    assert found == {"teleport": 0o755, "a": 0o755, "b": 0o755, "unit": 0o755}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755
