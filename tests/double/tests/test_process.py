# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals, graceful restarts and faults of one process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import build
import pytest
from loopback import PATIENCE, SLOW_SCALE, Host, eventually, free_ports

NewHost = Callable[..., Host]
AUTH = ("auth",)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real binaries: with them /proc/PID/exe is the file itself."""
    if not shutil.which("gcc"):
        pytest.fail("the double's binaries need gcc and libpython3-dev")
    out = tmp_path_factory.mktemp("programs")
    build.unpack(out, [build.Release("7.3.21", "community"), build.Release("8.3.17", "community")], "elf")
    return out


@pytest.fixture
def installed(programs: Path, tmp_path: Path) -> Host:
    """A host whose teleport lies in a folder ``bin`` of its own, as an installation does."""
    (tmp_path / "bin").mkdir()
    for tool in ("teleport", "tctl", "tsh"):
        shutil.copy(programs / "7.3.21" / tool, tmp_path / "bin" / tool)
    return Host("h1", tmp_path, tmp_path, free_ports(6), services=("node",))


def install(programs: Path, host: Host, version: str) -> None:
    """What ``cp -f`` does to a busy file: unlink, then create."""
    target = host.binaries / "bin" / "teleport"
    target.unlink()
    shutil.copy(programs / version / "teleport", target)


def pid_in_file(host: Host) -> int:
    """PID the process wrote down, 0 when there is none."""
    path = host.folder / "teleport.pid"
    return int(path.read_text() or 0) if path.exists() else 0


def version_of(pid: int) -> str:
    """What the running program itself says."""
    done = subprocess.run([f"/proc/{pid}/exe", "version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def test_hup_runs_what_lies_at_the_path_now(programs: Path, installed: Host, new_host: NewHost) -> None:
    auth = new_host("a1", services=AUTH).start("8.3.17")
    installed.scale = SLOW_SCALE  # the new process has two minutes, scaled, to come up
    installed.write_config(auth, None, "example.com")
    installed.start("bin")
    assert installed.process is not None
    old = installed.process.pid
    assert eventually(lambda: pid_in_file(installed) == old)
    install(programs, installed, "8.3.17")
    assert os.readlink(f"/proc/{old}/exe").endswith(" (deleted)")
    assert version_of(old) == "v7.3.21"
    os.kill(old, signal.SIGHUP)
    answers: set[int] = set()

    def replaced() -> bool:
        answers.add(installed.readyz())
        return pid_in_file(installed) not in {0, old}

    assert eventually(replaced)
    assert answers == {200}
    new = pid_in_file(installed)
    assert (version_of(new), installed.process.wait(PATIENCE)) == ("v8.3.17", 0)
    assert installed.readyz() == 200
    os.kill(new, signal.SIGTERM)


def test_a_failed_reload_is_deaf_and_says_nothing(installed: Host, new_host: NewHost) -> None:
    auth = new_host("a1", services=AUTH).start("8.3.17")
    installed.write_config(auth, None, "example.com")
    installed.start("bin")
    assert installed.process is not None
    broken = installed.binaries / "bin" / "teleport"
    broken.unlink()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    begin = time.monotonic()
    installed.process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    installed.process.send_signal(signal.SIGTERM)
    assert installed.readyz() == 200
    assert installed.process.wait(PATIENCE) == 0
    assert time.monotonic() - begin > 1.5, "two minutes, scaled"
    assert "did not signal success" in installed.log()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGQUIT, 0), (signal.SIGKILL, -9)])
def test_signals_end_the_process(new_host: NewHost, number: int, status: int) -> None:
    host = new_host(services=AUTH).start("6.2.31")
    assert host.stop(number) == status
    assert (host.folder / "teleport.pid").exists(), "the real thing leaves it behind"


def test_usr1_dumps_and_goes_on(new_host: NewHost) -> None:
    host = new_host(services=AUTH).start("6.2.31")
    assert host.process is not None
    host.process.send_signal(signal.SIGUSR1)
    assert eventually(lambda: host.log().count("goroutine ") >= 1500)
    assert host.readyz() == 200


def test_a_session_dies_with_term_and_outlives_quit(new_host: NewHost) -> None:
    host = new_host().start("7.3.21")
    host.tctl("users", "add", "root", "--roles=access")
    identity = host.folder / "root.pem"
    host.tctl("auth", "sign", "--user=root", f"--out={identity}")
    command = [host.binary("tsh"), "--insecure", "-i", str(identity), f"--proxy=127.0.0.1:{host.web_port}"]
    command += ["ssh", "root@h1", "echo begun; sleep 1; echo done"]
    session = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=host.environment)
    assert session.stdout is not None
    assert session.stdout.readline() == "begun\n"
    assert host.process is not None
    host.process.send_signal(signal.SIGQUIT)
    output, _errors = session.communicate(timeout=PATIENCE)
    assert (output, session.returncode) == ("done\n", 0)
    assert host.stop() == 0


def test_busy_port_ends_the_start(new_host: NewHost) -> None:
    first = new_host("a1", services=AUTH).start("5.2.5")
    second = new_host("a2", services=AUTH)
    second.auth_port = first.auth_port
    second.write_config(None, None, "example.com")
    status, text = second.dies("5.2.5")
    assert (status, "bind: address already in use" in text) == (1, True)


def test_in_process_reload_loses_signals(new_host: NewHost) -> None:
    host = new_host().start("4.3.10")
    host.stop()
    host.start("4.4.12")
    assert eventually(lambda: "Started in-process service reload." in host.log())
    assert host.process is not None
    host.process.send_signal(signal.SIGTERM)
    assert eventually(lambda: host.witnessed("signal_lost"))
    assert host.process.poll() is None


@pytest.mark.parametrize(
    ("knob", "value"), [("crash_at_start", True), ("fail_migration", False), ("ready_then_dead_after", 5)]
)
def test_faults_that_end_a_version(new_host: NewHost, knob: str, value: object) -> None:
    host = new_host(services=AUTH)
    host.turn(faults=[{"versions": ["8.3.17"], knob: value}])
    if not value:
        host.start("8.3.17")
        return
    status, _text = host.dies("8.3.17")
    assert status == 1
    host.start("8.3.12")


def test_faults_of_readiness(new_host: NewHost) -> None:
    host = new_host(services=AUTH).start("8.3.17")
    host.turn(faults=[{"versions": ["8"], "never_ready": True}])
    assert host.readyz() == 400
    host.turn(faults=[{"flapping_ready": 5}])
    seen: set[int] = set()

    def flapped() -> bool:
        seen.add(host.readyz())
        return seen == {200, 503}

    assert eventually(flapped)
    host.turn(faults=[{"versions": ["9.3.13"], "never_ready": True}])
    assert host.readyz() == 200


def test_hanging_tctl_hangs(new_host: NewHost) -> None:
    host = new_host(services=AUTH).start("8.3.17")
    host.turn(faults=[{"hang_tctl": True}])
    with pytest.raises(subprocess.TimeoutExpired):
        host.run("tctl", "status", timeout=2)


def test_a_stranger_on_the_port_does_no_harm(new_host: NewHost) -> None:
    host = new_host(services=AUTH).start("8.3.17")
    connect = f"import socket; s = socket.create_connection(('127.0.0.1', {host.auth_port}))"
    probe = f"{connect}; s.send(b'GET / HTTP/1.0\\r\\n\\r\\n')"
    subprocess.run([sys.executable, "-c", probe], check=True)
    assert "Version  8.3.17" in host.tctl("status")


def asked_by_socket(host: Host) -> str | None:
    """Body of /readyz on the debug socket, None where there is none."""
    folder = os.open(host.folder / "data", os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(f"/proc/self/fd/{folder}/debug.sock")
            connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return connection.makefile("rb").read().decode().rpartition("\r\n\r\n")[2]
    except FileNotFoundError:
        return None
    finally:
        os.close(folder)


@pytest.mark.parametrize(("version", "says"), [("15.5.3", None), ("16.5.12", '{"status":"ok"}')])
def test_a_debug_socket_tells_readiness_from_16_on(new_host: NewHost, version: str, says: str | None) -> None:
    assert asked_by_socket(new_host("a1", services=AUTH).start(version)) == says
