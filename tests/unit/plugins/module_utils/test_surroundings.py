# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host's surroundings is reported, and that values of variables never are."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import surroundings


def facts(proc: Path, licence: str = "/no/such/licence") -> dict[str, Any]:
    return surroundings.surroundings(SimpleNamespace(proc=str(proc), wall=lambda: 1790000000.0), 7, licence)  # type: ignore[arg-type]


def test_names_of_variables_are_reported_and_values_are_not(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "environ").write_bytes(b"HTTPS_PROXY=http://user:hunter2@proxy\0no_proxy=*\0HOME=/root\0")
    found = facts(tmp_path)
    assert found["environment"] == ["https_proxy", "no_proxy"]
    assert "hunter2" not in str(found)


def test_the_environment_of_no_process_is_unknown(tmp_path: Path) -> None:
    assert "environment" not in facts(tmp_path)


def test_this_machine_has_a_kernel_and_the_libraries(tmp_path: Path) -> None:
    found = facts(tmp_path)
    assert found["kernel"][0].isdigit()
    assert found["libraries_missing"] == []


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_LIBRARY_FOLDERS", (str(tmp_path),))
    (tmp_path / "libm.so.6").touch()
    assert facts(tmp_path)["libraries_missing"] == ["libgcc_s.so.1"]


@pytest.mark.parametrize(
    ("text", "legacy"),
    [
        ("deb https://deb.releases.teleport.dev/ stable main\n", True),
        ("[teleport]\nbaseurl=https://rpm.releases.teleport.dev/\n", True),
        ("# deb https://deb.releases.teleport.dev/ stable main\n", False),
        ("deb https://apt.releases.teleport.dev/debian bookworm stable/v17\n", False),
    ],
)
def test_only_repositories_in_use_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, legacy: bool
) -> None:
    source = tmp_path / "teleport.list"
    source.write_text(text, encoding="utf-8")
    monkeypatch.setattr(surroundings, "_REPOSITORIES", (str(tmp_path / "*.list"),))
    assert facts(tmp_path)["legacy_repositories"] == ([str(source)] if legacy else [])


def test_the_licence_is_named_where_there_is_one(tmp_path: Path) -> None:
    licence = tmp_path / "license.pem"
    assert facts(tmp_path, str(licence))["licence_found"] is None
    licence.touch()
    assert facts(tmp_path, str(licence))["licence_found"] == str(licence)


def certificate(*times: bytes) -> bytes:
    """As much of a certificate as is read: two times within other bytes, in PEM."""
    return (
        b"-----BEGIN CERTIFICATE-----\n"
        + base64.encodebytes(b"\x30\x82" + b"".join(times))
        + b"-----END CERTIFICATE-----\n"
    )


BEGAN = b"\x17\x0d250101000000Z"


@pytest.mark.parametrize(
    ("content", "ended"),
    [
        (certificate(BEGAN, b"\x17\x0d260131235959Z"), "2026-01-31"),
        (certificate(BEGAN, b"\x17\x0d270131235959Z"), None),
        (certificate(BEGAN, b"\x18\x0f20260131235959Z"), "2026-01-31"),
        (certificate(b"no times"), None),
        (b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n", None),
        (b"a licence of another kind", None),
    ],
)
def test_the_end_of_a_licence_is_read_from_its_certificate(tmp_path: Path, content: bytes, ended: str | None) -> None:
    licence = tmp_path / "license.pem"
    licence.write_bytes(content)
    assert facts(tmp_path, str(licence))["licence_ended"] == ended


@pytest.mark.parametrize(
    ("content", "old", "dials"),
    [
        ("auth_server: tele.example:3080\n", True, True),
        ('version: v2\nauth_server: "tele.example:3025"\n', False, False),
        ("version: v2\nproxy_server: tele.example:443\n", False, False),
    ],
)
def test_the_configuration_of_tbot_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, *, old: bool, dials: bool
) -> None:
    config = tmp_path / "tbot.yaml"
    config.write_text(content, encoding="utf-8")
    monkeypatch.setattr(surroundings, "_TBOT_CONFIG", str(config))
    found = facts(tmp_path)
    assert (found["tbot_v1"], found["tbot_dials_proxy"]) == (
        str(config) if old else None,
        str(config) if dials else None,
    )


def test_without_tbot_nothing_is_said_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_TBOT_CONFIG", str(tmp_path / "none"))
    assert facts(tmp_path)["tbot_v1"] is None
