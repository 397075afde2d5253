# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host of the double on loopback: a data dir, a configuration, a process, the tools."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

SCALE = 0.02
# For states that pass by themselves and have to be seen: the shortest lasts half a second, on a busy machine too.
SLOW_SCALE = 0.1
# Seconds. What is waited for is a condition; this only ends a wait for what never comes.
PATIENCE = 60.0
TOKEN = "join-me"
# Below the ephemeral ports: the kernel gives those to outgoing connections of any process, also between the moment one
# is found free and the moment it is listened on. The workers of a parallel run have ranges of their own.
PORTS_OF_A_WORKER = 3000
FIRST_PORT = 20000 + PORTS_OF_A_WORKER * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4)
_OFFSETS = itertools.count(random.randrange(PORTS_OF_A_WORKER))


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on right now, each given out once before it comes round again."""
    found: list[int] = []
    while len(found) < count:
        port = FIRST_PORT + next(_OFFSETS) % PORTS_OF_A_WORKER
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


class Host:
    """Runs one instance; ``services`` is any of auth, proxy, node."""

    def __init__(
        self,
        name: str,
        binaries: Path,
        folder: Path,
        ports: list[int],
        *,
        services: tuple[str, ...] = ("auth", "proxy", "node"),
        auth: Host | None = None,
        storage: dict[str, Any] | None = None,
        cluster: str = "example.com",
        scale: float = SCALE,
    ) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.binaries = binaries
        self.auth_port, self.ssh_port, self.tunnel_port, self.web_port, self.node_port, self.diag_port = ports
        self.services = services
        self.process: subprocess.Popen[bytes] | None = None
        self.version = ""
        self.scale = scale
        self.witness = folder / f"witness-{name}.jsonl"
        self.knobs = self.folder / "knobs.json"
        self.config = self.folder / "teleport.yaml"
        self.write_config(auth, storage, cluster)

    def write_config(self, auth: Host | None, storage: dict[str, Any] | None, cluster: str) -> None:
        """teleport.yaml of this host."""
        auth_port = (auth or self).auth_port
        teleport: dict[str, Any] = {
            "nodename": self.name,
            "data_dir": str(self.folder / "data"),
            "advertise_ip": "127.0.0.1",
            "auth_token": TOKEN,
            "auth_servers": [f"127.0.0.1:{auth_port}"],
            "pid_file": str(self.folder / "teleport.pid"),
        }
        if storage:
            teleport["storage"] = storage
        document = {
            "teleport": teleport,
            "auth_service": {
                "enabled": "yes" if "auth" in self.services else "no",
                "listen_addr": f"127.0.0.1:{self.auth_port}",
                "cluster_name": cluster,
                "tokens": [f"proxy,node:{TOKEN}", "trusted_cluster:tc-token"],
                "authentication": {"type": "local", "second_factor": "otp"},
            },
            "ssh_service": {
                "enabled": "yes" if "node" in self.services else "no",
                "listen_addr": f"127.0.0.1:{self.node_port}",
                "labels": {"env": "test"},
            },
            "proxy_service": {
                "enabled": "yes" if "proxy" in self.services else "no",
                "listen_addr": f"127.0.0.1:{self.ssh_port}",
                "tunnel_listen_addr": f"127.0.0.1:{self.tunnel_port}",
                "web_listen_addr": f"127.0.0.1:{self.web_port}",
                "public_addr": [f"127.0.0.1:{self.web_port}"],
            },
        }
        self.config.write_text(yaml.safe_dump(document))

    @property
    def environment(self) -> dict[str, str]:
        """Environment of all processes of this host."""
        own = {
            "TELEPORT_DOUBLE_TIME_SCALE": str(self.scale),
            "TELEPORT_DOUBLE_WITNESS": str(self.witness),
            "TELEPORT_DOUBLE_CONFIG": str(self.knobs),
            "TELEPORT_DOUBLE_HOST": self.name,
        }
        return {**os.environ, **own}

    def binary(self, tool: str, version: str = "") -> str:
        """Path of a tool of a version (default: the one that was started)."""
        return str(self.binaries / (version or self.version) / tool)

    def start(self, version: str, ready: bool = True, **environment: str) -> Host:
        """Start ``version``; wait until it is ready unless told not to."""
        self.version = version
        log = open(self.folder / "log", "ab")  # noqa: SIM115 - inherited, closed below
        command = [self.binary("teleport"), "start", "-c", str(self.config), f"--diag-addr=127.0.0.1:{self.diag_port}"]
        self.process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**self.environment, **environment}, cwd=self.folder
        )
        log.close()
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, seconds: float = PATIENCE) -> None:
        """Wait for the witness to say ready; fails with the log when the process ends first."""
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.witnessed("ready", pid=self.process.pid):
                return
            assert self.process.poll() is None, self.log()
            time.sleep(0.02)
        raise AssertionError(f"{self.name} did not become ready:\n{self.log()}")

    def witnessed(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Witnessed events of this host with these fields."""
        if not self.witness.exists():
            return []
        events = [json.loads(line) for line in self.witness.read_text().splitlines()]
        return [e for e in events if e["event"] == event and all(e.get(k) == v for k, v in fields.items())]

    def dies(self, version: str, seconds: float = PATIENCE, **environment: str) -> tuple[int, str]:
        """Start ``version`` and expect its end: status and what it wrote."""
        size = len(self.log())
        self.start(version, ready=False, **environment)
        assert self.process is not None
        status = self.process.wait(seconds)
        self.process = None
        return status, self.log()[size:]

    def stop(self, number: int = signal.SIGTERM, seconds: float = PATIENCE) -> int:
        """Stop the process, asking again while it is deaf; its status (a process that is gone counts as 0)."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            process.send_signal(number)
            try:
                return process.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
        process.kill()
        process.wait()
        raise AssertionError(f"{self.name} ignored signal {number} for {seconds} s:\n{self.log()[-2000:]}")

    def upgrade(self, version: str) -> Host:
        """Stop, start another version, wait until ready."""
        self.stop()
        return self.start(version)

    def log(self) -> str:
        """All log output of this host so far."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def run(
        self, tool: str, *arguments: str, version: str = "", timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a tool with the configuration of this host."""
        command = [self.binary(tool, version), *arguments]
        if tool == "tctl":
            command[1:1] = ["-c", str(self.config)]
        return subprocess.run(
            command, capture_output=True, text=True, env=self.environment, timeout=timeout, check=False
        )

    def tctl(self, *arguments: str, version: str = "") -> str:
        """Output of a tctl call that must work."""
        done = self.run("tctl", *arguments, version=version)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str) -> list[dict[str, Any]]:
        """``tctl get`` as a list, whatever shape the version prints."""
        found = json.loads(self.tctl("get", kind, "--format=json"))
        return found if isinstance(found, list) else [] if found is None else [found]

    def names(self, kind: str) -> list[str]:
        """Names of the resources of a kind."""
        return sorted(resource["metadata"]["name"] for resource in self.get(kind))

    def pins(self) -> list[str]:
        """CA pins shown by ``tctl status``."""
        return [word for word in self.tctl("status").split() if word.startswith("sha256:")]

    def tsh(self, identity: Path, *arguments: str, version: str = "") -> subprocess.CompletedProcess[str]:
        """Run tsh through this host's proxy."""
        options = ["--insecure", "-i", str(identity), f"--proxy=127.0.0.1:{self.web_port}"]
        return self.run("tsh", *options, *arguments, version=version)

    def readyz(self) -> int:
        """HTTP status of /readyz, 0 when nobody listens."""
        return self.http("/readyz")[0]

    def http(self, path: str) -> tuple[int, str]:
        """Status and body of a diagnostic request."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.diag_port}{path}", timeout=PATIENCE) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def turn(self, **knobs: Any) -> None:
        """Write the knob file."""
        self.knobs.write_text(json.dumps(knobs))


def eventually(condition: Any, seconds: float = PATIENCE) -> bool:
    """True when ``condition()`` holds within ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.03)
    return False
