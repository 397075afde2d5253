# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemctl prints, on new and old systemd, and which processes belong to a unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import service
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.service import (
    control_group_pids,
    parse_unit,
    show,
    unit_name,
)

RUNNING = """Type=simple
MainPID=311
NRestarts=2
Result=success
ExecMainStartTimestamp=Sun 2026-11-22 19:55:24 UTC
ControlGroup=/system.slice/teleport.service
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/teleport.service
UnitFileState=enabled
NeedDaemonReload=yes
ExecStart={ path=/usr/local/bin/teleport ; argv[]=/usr/local/bin/teleport start -c /etc/t.yaml \
--diag-addr=127.0.0.1:3000 ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
"""


def test_running_unit() -> None:
    unit = parse_unit("teleport.service", RUNNING)
    assert unit.exists
    assert unit.active
    assert unit.enabled
    assert unit.needs_reload
    assert (unit.main_pid, unit.n_restarts, unit.exec_path) == (311, 2, "/usr/local/bin/teleport")
    assert unit.arguments == ["/usr/local/bin/teleport", "start", "-c", "/etc/t.yaml", "--diag-addr=127.0.0.1:3000"]


def test_facts_show_no_arguments() -> None:
    text = RUNNING.replace("-c /etc/t.yaml", "--token=hunter2")
    assert "hunter2" not in str(parse_unit("teleport.service", text).facts())


def test_systemd_before_235_does_not_count_restarts() -> None:
    assert parse_unit("x", RUNNING.replace("NRestarts=2\n", "")).n_restarts is None


@pytest.mark.parametrize(
    ("state", "active"), [("inactive", False), ("failed", False), ("activating", True), ("deactivating", True)]
)
def test_only_inactive_and_failed_are_down(state: str, active: bool) -> None:
    assert parse_unit("x", f"ActiveState={state}").active is active


@pytest.mark.parametrize("state", ["not-found", "masked", "error", "bad-setting", ""])
def test_units_that_cannot_be_started(state: str) -> None:
    assert not parse_unit("x", f"LoadState={state}").exists


def test_names() -> None:
    assert unit_name("teleport") == "teleport.service"
    assert unit_name("teleport@leaf.service") == "teleport@leaf.service"


@pytest.mark.parametrize(
    ("answer", "absent"),
    [
        ((1, "", "System has not been booted with systemd as init system (PID 1). Can't operate."), True),
        ((127, "", "systemctl: not found"), True),
        ((1, "", "Access denied"), False),
    ],
)
def test_silence_of_systemd(answer: tuple[int, str, str], absent: bool) -> None:
    host = Host(run_command=lambda *_arguments, **_options: answer)
    with pytest.raises(HostError, match="systemctl show x failed") as caught:
        show(host, "x")
    assert caught.value.details["not_systemd"] is absent


def test_systemd_that_hangs_is_there() -> None:
    with pytest.raises(HostError, match="x did not answer in time") as caught:
        show(Host(run_command=lambda *_arguments, **_options: (124, "", "")), "x")
    assert caught.value.details["not_systemd"] is False


@pytest.mark.parametrize(
    ("lines", "member"),
    [
        ("0::/system.slice/teleport.service\n", True),
        ("0::/system.slice/teleport.service/session\n", True),
        ("4:cpu:/\n1:name=systemd:/system.slice/teleport.service\n0::/\n", True),
        ("0::/system.slice/teleport.service2\n", False),
        ("4:cpu:/system.slice/teleport.service\n0::/user.slice\n", False),
        ("", False),
    ],
)
def test_processes_of_a_control_group(tmp_path: Path, lines: str, member: bool) -> None:
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "cgroup").write_text(lines)
    (tmp_path / "self").mkdir()

    def nothing(*_arguments: Any, **_options: Any) -> Any:
        raise AssertionError

    host = Host(run_command=nothing, proc=str(tmp_path))
    assert control_group_pids(host, "/system.slice/teleport.service") == ([77] if member else [])
    assert control_group_pids(host, "") == []


@pytest.mark.parametrize(
    "name",
    [
        "-H evil",
        "--host=evil",
        "a b",
        "a;reboot",
        "../teleport",
        "a/b",
        "",
        ".service",
        "a\nb",
        "a$(id)",
        "x" * 300,
        "ünit",
    ],
)
def test_names_that_systemctl_could_take_for_something_else(name: str) -> None:
    with pytest.raises(HostError, match="can name no unit"):
        service.unit_name(name)


@pytest.mark.parametrize("name", ["teleport", "teleport@main", "a-b_c:d.e", "dev\\x2dsda"])
def test_names_of_units(name: str) -> None:
    assert service.unit_name(name) == name + ".service"


@pytest.mark.parametrize("number", ["²", "٣", "-1", "9" * 5000, "1.0", ""])
def test_numbers_that_are_none(number: str) -> None:
    unit = service.parse_unit("a.service", f"MainPID={number}\nNRestarts={number}\n")
    assert (unit.main_pid, unit.n_restarts) == (0, None)
