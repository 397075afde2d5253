# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals of a running process, with all the ways in which the real one loses or delays them."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

from .errors import CommandError, report
from .listeners import PASSED_ENV
from .process import Process
from .settings import fault, pause, scaled
from .witnesslog import record

CHILD_TIMEOUT = 120.0  # how long a graceful restart waits for its child, deaf to every signal
DRAIN_SECONDS = 300.0  # how long the old half of an in-process reload lives
GRACE_SECONDS = 30 * 3600.0
PIPE_ENV = "TELEPORT_DOUBLE_SIGNAL_PIPE"
_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_DEATH = b"\0"  # in the pipe of the signals: no signal has this number


class Supervisor:
    """Runs one process from its start to its exit."""

    def __init__(self, process: Process, argv: list[str]) -> None:
        self._process = process
        self._argv = argv
        self._log = process.log
        self._read, self._write = os.pipe()
        self._exit_at: float | None = None
        process.on_reload = self._reload_in_process
        process.on_death = lambda: os.write(self._write, _DEATH)

    def run(self) -> int:
        """Start, serve, end; the exit status."""
        try:
            self._process.start()
        except CommandError as error:
            report(error, self._process.version)
            return self._exit(error.code, error.text)
        self._take_signals()
        self._process.initialised()
        threading.Thread(target=self._announce_start, daemon=True).start()
        return self._loop()

    # --- start -------------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        """Only now: a signal before this point kills, as it does with the real thing."""
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in _NUMBERS:
            signal.signal(number, lambda _number, _frame: None)

    def _announce_start(self) -> None:
        """PID file and word to a waiting parent once everything is up (or, alone, after a while)."""
        started = time.monotonic()
        parent = os.environ.pop(PIPE_ENV, "")
        while not self._process.readiness.started:
            if not parent and time.monotonic() - started > scaled(3.0):
                break
            time.sleep(0.02)
        self._write_pid_file()
        if parent:
            self._log.info("PROC:1", "New service has started successfully.")
            os.write(int(parent), b"ready\n")
            os.close(int(parent))
        self._plan_death()
        if self._process.principals_changed():
            self._log.info(
                "PROC:1", "Service Proxy has updated principals, going to request new principals and update."
            )
            self._reload_in_process("the principals of the proxy changed")

    def _plan_death(self) -> None:
        seconds = fault(self._process.version, "ready_then_dead_after")
        if seconds:
            pause(float(seconds))
            self._process.die("auth.tls", "this version was told to die after it was ready")

    def _write_pid_file(self) -> None:
        path = self._process.options.pid_file or self._process.config.section("teleport").get("pid_file")
        if path:
            with open(str(path), "w", encoding="utf-8") as stream:
                stream.write(f"{os.getpid()}\n")

    # --- signals -----------------------------------------------------------------------------------------

    def _loop(self) -> int:
        while True:
            numbers = os.read(self._read, 64)
            if not self._process.fatal.empty():
                return self._fatal(*self._process.fatal.get())
            for number in numbers.replace(_DEATH, b""):
                status = self._handle(number)
                if status is not None:
                    return status

    def _handle(self, number: int) -> int | None:
        if self._is_deaf() and number != signal.SIGUSR1:
            record("signal_lost", version=str(self._process.version), signal=number)
            return None  # lost: the handler has ended, the reload of the process has not
        if number in (signal.SIGTERM, signal.SIGINT):
            name = "terminated" if number == signal.SIGTERM else "interrupt"
            self._log.info("PROC:1", f'Got signal "{name}", exiting immediately.')
            self._process.stop(hang_up=True)
            return self._exit(0, name)
        if number == signal.SIGQUIT:
            self._log.info("PROC:1", 'Got signal "quit", waiting 30h0m0s before exiting.')
            return self._drain("quit")
        if number == signal.SIGUSR1:
            self._dump()
        if number == signal.SIGUSR2:
            self._log.info("PROC:1", 'Got signal "user defined signal 2", forking a new process.')
            self._fork()
        if number == signal.SIGHUP:
            self._log.info("PROC:1", 'Got signal "hangup", performing graceful restart.')
            if self._fork():
                self._log.info("PROC:1", "Successfully started new process, shutting down gracefully.")
                return self._drain("hangup")
        return None

    def _drain(self, reason: str) -> int:
        self._process.stop(hang_up=False)
        self._process.sessions.wait_until_idle(scaled(GRACE_SECONDS))
        pause(0.5)
        self._log.info("PROC", "All services stopped, exiting.")
        return self._exit(0, reason)

    def _dump(self) -> None:
        self._log.info("PROC:1", 'Got signal "user defined signal 1", logging diagnostic info to stderr.')
        self._log.plain("Runtime stats")
        for number in range(1500):
            self._log.plain(f"goroutine {number} [select]:")

    def _fatal(self, service: str, reason: str) -> int:
        self._log.warn("PROC:1", f"Teleport process has exited with error: {reason} service:{service}")
        self._log.failure("PROC:1", f"Critical service {service} has exited with error {reason}, aborting.")
        self._process.stop(hang_up=True)
        report(CommandError(reason), self._process.version)
        return self._exit(1, reason)

    def _exit(self, status: int, reason: str) -> int:
        record(
            "exit", version=str(self._process.version), status=status, reason=reason, services=self._process.services
        )
        return status

    # --- graceful restart --------------------------------------------------------------------------------

    def _fork(self) -> bool:
        """Start whatever lies at our own path now and wait for it; False when it did not come up."""
        path = self._argv[0]
        files = self._process.listeners.for_child()
        self._log.info("PROC", f"Forking child. path:{path} workingDir:{os.getcwd()}")
        read, write = os.pipe()
        passed = [int(str(entry["fd"])) for entry in files] + [write]
        for descriptor in passed:
            os.set_inheritable(descriptor, True)
        environment = {**os.environ, PASSED_ENV: json.dumps(files), PIPE_ENV: str(write)}
        try:
            pid = os.posix_spawn(_resolved(path), self._argv, environment, setsigmask=(), setsigdef=_NUMBERS)
        except OSError as error:
            self._log.failure("PROC:1", f"Failed to fork: fork/exec {path}: {error.strerror}.")
            os.close(read)
            return False
        finally:
            for descriptor in passed:
                os.set_inheritable(descriptor, False)
            os.close(write)
        self._log.info("PROC", f"Forked new child process. path:{path} pid:{pid} workingDir:{os.getcwd()}")
        return self._wait_for_child(read, pid)

    def _wait_for_child(self, read: int, pid: int) -> bool:
        """Deaf until the child has spoken or two minutes are over, even when the child is long dead."""
        deadline = time.monotonic() + scaled(CHILD_TIMEOUT)
        try:
            while time.monotonic() < deadline:
                ready, _w, _x = select.select([read], [], [], 0.05)
                if ready:
                    if os.read(read, 64):
                        self._log.info("PROC", f"Child process signals success. pid:{pid}")
                        return True
                    time.sleep(max(0.0, deadline - time.monotonic()))
        finally:
            os.close(read)
        self._log.failure("PROC:1", f"Child process {pid} did not signal success.")
        record("reload_failed", version=str(self._process.version), child=pid)
        return False

    def _reload_in_process(self, reason: str) -> None:
        """The process starts itself anew inside; for five minutes no signal is heard."""
        already, self._exit_at = self._is_deaf(), time.monotonic() + scaled(DRAIN_SECONDS)
        if not already:
            threading.Thread(target=self._go_through_reload, args=(reason,), daemon=True).start()

    def _go_through_reload(self, reason: str) -> None:
        pause(0.3)
        self._log.info("PROC:1", "Exiting signal handler: process has started internal reload.")
        self._log.info("PROC", "Started in-process service reload.")
        record("in_process_reload", version=str(self._process.version), reason=reason)
        pause(2.0)
        self._log.info("PROC", "Shutting down the old service with timeout 5m0s.")
        self._process.readiness.degrade("reload")
        pause(15.0)
        self._process.readiness.recover("reload")

    def _is_deaf(self) -> bool:
        return self._exit_at is not None and time.monotonic() < self._exit_at


def _resolved(path: str) -> str:
    if "/" in path:
        return path
    for folder in os.environ.get("PATH", "/usr/local/bin:/usr/bin").split(":"):
        if os.access(os.path.join(folder, path), os.X_OK):
            return os.path.join(folder, path)
    return path


def run(process: Process, argv: list[str]) -> int:
    """Run a process to its end and leave without waiting for its threads."""
    status = Supervisor(process, argv).run()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


Runner = Callable[[Process, "list[str]"], int]
