# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a host: everything is read, nothing is raised, secrets only where the caller expects them."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    config_hints,
    hold,
    journal,
    readiness,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.observation import Request, observe, read_config
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import UNIT, FakeHost, program


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    found = FakeHost(tmp_path)
    monkeypatch.setattr(readiness, "probe", found.probe)
    for name in ("teleport", "tctl", "tsh"):
        program(found.bin_dir / name, "6.2.31", edition="Enterprise")
    (tmp_path / "teleport.yaml").write_text(f"teleport:\n  data_dir: {tmp_path}\n  auth_token: hunter2hunter2\n")
    (tmp_path / "host_uuid").write_text("0000-11\n")
    found.start()
    return found


def look(fake: FakeHost) -> dict[str, Any]:
    return observe(
        fake.host, Request(str(fake.root / "teleport.yaml"), "teleport", str(fake.bin_dir), str(fake.versions_dir))
    )


def test_running_instance(fake: FakeHost) -> None:
    found = look(fake)
    assert found["unit"]["main_pid"] == fake.pid
    assert found["programs"]["running"] == {"version": "6.2.31", "edition": "enterprise", "error": None}
    assert found["programs"]["clients"] == {}
    assert found["host_uuid"] == "0000-11"
    assert found["ready"]["http_status"] == 200
    assert found["used"]["data_dir"] == str(fake.root)
    content = zlib.decompress(base64.b64decode(found["config_file"].pop("content")))
    assert b"hunter2" in content
    assert "hunter2" not in json.dumps(found)


def test_running_and_installed_program_are_told_apart(fake: FakeHost) -> None:
    (fake.bin_dir / "teleport").rename(fake.root / "old")
    fake.forget_process()
    fake.exec_path = str(fake.root / "old")
    fake.spawn()
    program(fake.bin_dir / "teleport", "7.3.21")
    found = look(fake)["programs"]
    assert (found["running"]["version"], found["installed"]["version"]) == ("6.2.31", "7.3.21")


def test_one_file_is_asked_once(fake: FakeHost) -> None:
    asked: list[str] = []
    fake.hooks.append(lambda words: asked.append(words[0]) if words[1:2] == ["version"] else None)
    look(fake)
    assert asked == [f"{fake.proc}/{fake.pid}/exe"]


def test_client_tools(fake: FakeHost) -> None:
    fake.end("success", "inactive")
    fake.load_state = "not-found"
    (fake.bin_dir / "teleport").unlink()
    found = look(fake)["programs"]
    assert sorted(found["clients"]) == ["tctl", "tsh"]
    assert found["running"] is None


def test_empty_host(tmp_path: Path) -> None:
    found = observe(
        FakeHost(tmp_path).host, Request("/nowhere/t.yaml", "x", str(tmp_path / "bin"), str(tmp_path / "v"))
    )
    assert found["install_method"] == "none"
    assert not found["config_file"]["found"]


def test_host_without_systemd(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "systemctl", lambda _words: (1, "", "System has not been booted with systemd"))
    found = look(fake)
    assert not found["systemd"]
    assert found["unit"]["name"] == UNIT
    assert "not been booted" in found["unit_error"]


def test_hold_and_unfinished_upgrade_are_seen(fake: FakeHost) -> None:
    hold.put(fake.host, UNIT)
    fake.versions_dir.mkdir()
    journal.write(str(fake.versions_dir), {"phase": journal.PREPARED})
    found = look(fake)
    assert found["held"]
    assert found["unfinished"]


def test_command_line_names_the_configuration(fake: FakeHost) -> None:
    other = fake.root / "other.yaml"
    other.write_text("teleport: {}\n")
    cmdline = f"teleport\0start\0--config={other}\0--diag-addr=127.0.0.1:9\0--token=hunter2\0"
    (fake.proc / str(fake.pid) / "cmdline").write_text(cmdline)
    found = look(fake)
    assert found["config_file"]["path"] == str(other)
    assert found["used"]["diag_addr"] == "127.0.0.1:9"
    assert "hunter2" not in json.dumps(found)


def test_configurations_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_config(str(tmp_path))[0]["error"] == "cannot be read: Is a directory"
    (tmp_path / "big").write_text("x" * 20)
    monkeypatch.setattr(config_hints, "LARGEST_CONFIG", 10)
    facts, text = read_config(str(tmp_path / "big"))
    assert facts["error"] == "is larger than 10 bytes"
    assert (facts["content"], text) == (None, "")


def test_the_end_of_an_upgrade_at_work_is_waited_for(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "is_busy", lambda _folder: fake.now < 1030)
    request = Request(str(fake.root / "teleport.yaml"), "teleport", str(fake.bin_dir), str(fake.versions_dir))
    assert observe(fake.host, request._replace(busy_timeout=20))["busy"]
    assert not observe(fake.host, request._replace(busy_timeout=20))["busy"]
    assert fake.now == 1030


def test_a_session_inside_the_unit_is_noticed(fake: FakeHost) -> None:
    assert not look(fake)["session_inside_unit"]
    fake.join_group(0)
    (fake.proc / "0").rename(fake.proc / "self")
    assert look(fake)["session_inside_unit"]
