# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the lab that look at this machine, given the machine as values."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.tests.lab.labkit.aptsources import AptSource
from ansible_collections.lockstep.teleport.tests.lab.labkit.artifacts import folder_name, tarball_name
from ansible_collections.lockstep.teleport.tests.lab.labkit.configs import FileSpec
from ansible_collections.lockstep.teleport.tests.lab.labkit.deploy import example_unit, pack
from ansible_collections.lockstep.teleport.tests.lab.labkit.errors import LabError
from ansible_collections.lockstep.teleport.tests.lab.labkit.image import images
from ansible_collections.lockstep.teleport.tests.lab.labkit.parallel import on_each
from ansible_collections.lockstep.teleport.tests.lab.labkit.podman import candidate_subnets, containers_conf
from ansible_collections.lockstep.teleport.tests.lab.labkit.records import trust_document, user_document
from ansible_collections.lockstep.teleport.tests.lab.labkit.settings import read_settings

SOURCES = [AptSource("http://m.example", "bookworm", ("main",))]


def test_image_names_change_with_the_archives() -> None:
    settings = read_settings({"LOCKSTEP_CACHE": "/c"})
    one, same = images(settings, SOURCES), images(settings, list(SOURCES))
    other = images(settings, [AptSource("http://other.example", "bookworm", ("main",))])
    assert one == same
    assert {one.base, one.services}.isdisjoint({other.base, other.services})
    assert one.archive.parent == Path("/c/lab")
    assert one.reference("services") == one.services
    assert one.reference("base") == one.base


def test_limits_are_asked_for_as_the_machine_grants_them() -> None:
    text = containers_conf(20000, 32768)
    assert '"nofile=20000:20000", "nproc=32768:32768"' in text
    assert 'runtime = "runc"' in text


def test_every_lab_name_has_a_subnet_it_tries_first_and_all_others_after() -> None:
    one, two = list(candidate_subnets("lab")), list(candidate_subnets("other"))
    assert one[0] != two[0]
    assert set(one) == set(two)
    assert len(set(one)) == 256
    assert list(candidate_subnets("lab")) == one


@pytest.mark.parametrize(
    ("edition", "expected"),
    [
        ("community", "teleport-v16.1.2-linux-amd64-bin.tar.gz"),
        ("enterprise", "teleport-ent-v16.1.2-linux-amd64-bin.tar.gz"),
        ("fips", "teleport-ent-v16.1.2-linux-amd64-fips-bin.tar.gz"),
    ],
)
def test_tarball_names(edition: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert tarball_name("16.1.2", edition) == expected


def test_a_change_to_the_double_changes_the_folder_of_its_tarballs(tmp_path: Path) -> None:
    (tmp_path / "teleport_double" / "auth").mkdir(parents=True)
    source = tmp_path / "teleport_double" / "auth" / "x.py"
    source.write_text("1", encoding="utf-8")
    before = folder_name(tmp_path)
    assert folder_name(tmp_path) == before
    (tmp_path / "README.md").write_text("words", encoding="utf-8")
    assert folder_name(tmp_path) == before
    source.write_text("2", encoding="utf-8")
    assert folder_name(tmp_path) != before


def test_files_arrive_with_their_modes() -> None:
    packed = pack([FileSpec("/etc/a", b"secret", 0o600), FileSpec("/etc/b/c", b"")])
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        assert [(entry.name, entry.mode, entry.size) for entry in archive] == [
            ("etc/a", 0o600, 6),
            ("etc/b/c", 0o644, 0),
        ]


def test_the_unit_comes_from_the_release(tmp_path: Path) -> None:
    release = tmp_path / "release.tar.gz"
    release.write_bytes(pack([FileSpec("teleport/examples/systemd/teleport.service", b"[Unit]\n")]))
    assert example_unit(release) == "[Unit]\n"
    release.write_bytes(pack([FileSpec("teleport/teleport", b"")]))
    with pytest.raises(LabError, match="holds no examples/systemd"):
        example_unit(release)


def test_all_failures_are_reported_together() -> None:
    def fail_on_odd(number: int) -> int:
        if number % 2:
            raise LabError(f"{number} is odd")
        return number * 10

    assert on_each(fail_on_odd, [2, 4]) == [20, 40]
    with pytest.raises(LabError, match="1 is odd\n3 is odd"):
        on_each(fail_on_odd, [1, 2, 3])


def test_other_errors_are_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        on_each(lambda number: 1 // number, [0])


def test_records_speak_the_language_of_their_version() -> None:
    assert '["admin"]' in user_document("alice", "5.2.5")
    assert '["access", "editor"]' in user_document("alice", "6.2.31")
    assert "tunnel_addr: svc1:3024" in trust_document("root.example", "svc1:3080", "svc1:3024")
