# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy on the loopback before two servers, and clients that never pause."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from ansible_collections.lockstep.teleport.plugins.module_utils import haproxy
from ansible_collections.lockstep.teleport.tests.drain import web

SERVERS = ("p1", "p2")
BACKENDS = ("web", "tunnel")

_CONFIG = """\
global
  stats socket {socket} mode 600 level admin
  maxconn 500
defaults
  mode tcp
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout check 5s
  default-server check inter 200ms
"""


def free_port() -> int:
    """Return a port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Balancer:
    """HAProxy with the backends ``web`` and ``tunnel``, each over the servers ``p1`` and ``p2``."""

    def __init__(self) -> None:
        # A Unix socket's path may have 107 characters, which pytest's own folders can exceed.
        self.home = Path(tempfile.mkdtemp(prefix="drain-", dir="/tmp"))
        self.socket = str(self.home / "admin.sock")
        self.ask = haproxy.over(self.socket)
        self.ports = {name: free_port() for name in (*SERVERS, *BACKENDS)}
        parts = [_CONFIG.format(socket=self.socket)]
        for backend in BACKENDS:
            servers = "".join(f"  server {name} 127.0.0.1:{self.ports[name]}\n" for name in SERVERS)
            parts.append(f"listen {backend}\n  bind 127.0.0.1:{self.ports[backend]}\n  balance roundrobin\n{servers}")
        config = self.home / "haproxy.cfg"
        config.write_text("".join(parts))
        for name in SERVERS:
            subprocess.run(self.command("start", name), check=True)
        self._log = (self.home / "haproxy.log").open("wb")
        self._process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stdout=self._log, stderr=self._log)
        self._await_ready()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + 30
        while not Path(self.socket).exists():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"HAProxy does not start: {Path(self._log.name).read_text()}")
            time.sleep(0.05)

    def pidfile(self, name: str) -> Path:
        """Where the process id of a server is kept."""
        return self.home / f"{name}.pid"

    def command(self, action: str, name: str) -> list[str]:
        """The command that starts or restarts a server, without regard for its clients."""
        return [sys.executable, web.__file__, action, str(self.ports[name]), str(self.pidfile(name))]

    def states(self, name: str) -> dict[str, str]:
        """How each backend sees a server, without how many checks it passed."""
        return {
            one.backend: one.status.split()[0]
            for one in haproxy.parse(self.ask("show stat -1 4 -1"))
            if one.name == name
        }

    def close(self) -> None:
        """End everything."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        for name in SERVERS:
            web.stop(self.ports[name], self.pidfile(name))
        shutil.rmtree(self.home)


class Clients:
    """Several clients that ask through the balancer, each request on a connection of its own, until told to stop."""

    def __init__(self, port: int, count: int = 4) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._over = threading.Event()
        self.answered = 0
        self.failures: list[str] = []
        #: Of each request that was answered: how many seconds it took.
        self.seconds: list[float] = []
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _number in range(count)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client finish its last request."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self) -> None:
        while not self._over.is_set():
            asked = time.monotonic()
            try:
                with urllib.request.urlopen(self._url, timeout=20) as answer:
                    self.answered += answer.read() == b"ok"
                    self.seconds.append(time.monotonic() - asked)
            except OSError as problem:
                self.failures.append(repr(problem))
