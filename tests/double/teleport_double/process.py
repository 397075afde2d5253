# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One ``teleport start``: brings the services of a configuration up and down."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from . import authority, diag
from .agent.link import Link
from .agent.node import Node, banner_version
from .agent.proxy import Proxy
from .agent.sessions import Sessions
from .auth.service import AuthService
from .auth.startup import prepare
from .backend.base import Backend
from .backend.opening import open_local
from .config import Config, split_address
from .errors import CommandError
from .features import has, load_table, newest
from .identity import Identity
from .listeners import Acceptor, Listeners
from .logs import Log
from .readiness import Readiness
from .records import Records
from .settings import fault, pause
from .versions import line_index
from .wire import Message
from .witnesslog import record

SERVICES = (("auth_service", "auth"), ("proxy_service", "proxy"), ("ssh_service", "agent"))
COMPONENTS = {"auth": "auth", "proxy": "proxy", "agent": "node"}
ALIVE_SECONDS = 2.0
_PRINCIPALS = "/states/proxy/principals"  # where a process keeps the names of its proxy


@dataclass
class Options:
    """Command line of ``teleport start``."""

    config_path: str
    diag_addr: str = ""
    pid_file: str = ""
    skip_version_check: bool = False


@dataclass
class Process:
    """All services of one process."""

    config: Config
    identity: Identity
    options: Options
    log: Log
    fatal: queue.Queue[tuple[str, str]] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        self.version = self.identity.version
        self.readiness = Readiness(self.version)
        self.sessions = Sessions()
        self.listeners = Listeners(self.log)
        self.store: Backend | None = None
        self.auth: AuthService | None = None
        self.node: Node | None = None
        self.proxy: Proxy | None = None
        self.on_reload: Callable[[str], None] = lambda reason: None
        self.on_death: Callable[[], object] = lambda: None
        self._auth_acceptor: Acceptor | None = None
        self._stopped = threading.Event()
        self.services = [short for section, short in SERVICES if self.config.enabled(section)]

    # --- start -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring everything up; raises CommandError when the process must die now."""
        os.makedirs(self.config.data_dir, mode=0o755, exist_ok=True)
        record("start", version=str(self.version), edition=self.identity.edition, services=self.services)
        if fault(self.version, "crash_at_start"):
            pause(0.2)
            raise CommandError("initialization failed\nthis version was told to crash at start")
        for service in self.services:
            self.readiness.expect(COMPONENTS[service])
        self._slow_start()
        self.host_uuid = self._read_host_uuid()
        self.store = open_local(os.path.join(self.config.data_dir, "proc"), self.version, self.log)
        self._start_diagnostics()
        self._start_debug_service()
        if "auth" in self.services:
            self._start_auth()
        self._start_agents()

    def initialised(self) -> None:
        """The process hears signals from here on: its auth may call itself ready."""
        if self.auth is not None:
            self.readiness.ready("auth")

    def _slow_start(self) -> None:
        seconds = fault(self.version, "slow_start")
        if seconds:
            pause(float(seconds))

    def _read_host_uuid(self) -> str:
        path = os.path.join(self.config.data_dir, "host_uuid")
        if not os.path.exists(path):
            fresh = str(uuid.uuid4())
            self.log.info("PROC", f"Generating new host UUID: {fresh}.")
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(fresh)
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip()

    def _start_diagnostics(self) -> None:
        text = self.options.diag_addr or str(self.config.section("teleport").get("diag_addr") or "")
        if not text:
            return
        inherited = self.listeners.passed("diag")
        sock = self.listeners.listen("diag", split_address(text, 3000))
        self.log.info("DIAG:1", f"Starting diagnostic service on {text}.")
        diagnostics = diag.Diagnostics(self.identity, self.readiness, self._registered)

        def serve() -> None:
            # while the old process still answers here, a child that is not ready must not be heard
            while inherited and not self.readiness.started:
                time.sleep(0.02)
            diag.serve(sock, diagnostics)

        threading.Thread(target=serve, daemon=True).start()

    def _start_debug_service(self) -> None:
        """From 16 on: answer on ``debug.sock`` in the data directory, with or without a diagnostic address."""
        if not has(self.version, "debug_socket"):
            return
        path = os.path.join(self.config.data_dir, "debug.sock")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Folders of tests have longer names than the address of a socket may have.
        folder = os.open(self.config.data_dir, os.O_RDONLY)
        sock.bind(f"/proc/self/fd/{folder}/debug.sock")
        os.close(folder)
        sock.listen()
        diagnostics = diag.Diagnostics(self.identity, self.readiness, self._registered)
        threading.Thread(target=diag.serve, args=(sock, diagnostics), daemon=True).start()

    def _registered(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        if self.auth is not None:
            for resource in self.auth.records.list("node"):
                counts[resource["spec"].get("version", "")] += 1
        return counts

    def _start_auth(self) -> None:
        records, self.store, cluster = prepare(self.config, self.version, self.log)
        pause(newest(load_table("migrations")["startup_seconds"]["auth"], self.version))
        self.auth = AuthService(self.config, records, cluster, self.host_uuid, self.log)
        self._keep_admin_identity()
        self.auth.follow(at_start=True)
        self.auth.reload = self._reload
        address = self.config.address("auth_service", "listen_addr", 3025)
        sock = self.listeners.listen("auth", address)
        self.log.info("AUTH:1", "Starting Auth service with PROXY protocol support.")
        self._auth_acceptor = Acceptor(sock, self.auth.serve)
        text = f"Auth service {banner_version(self.identity)}is starting on {address[0]}:{address[1]}."
        self.log.banner("AUTH", text)
        self.auth.announce_self()
        self._witness_auth(records, cluster)
        threading.Thread(target=self.auth.announce_for_ever, args=(self._stopped,), daemon=True).start()
        threading.Thread(target=self.auth.follow_for_ever, args=(self._stopped,), daemon=True).start()

    def _keep_admin_identity(self) -> None:
        assert self.auth is not None
        claims = {"uuid": self.host_uuid, "role": "Admin", "cluster": self.auth.cluster}

        def reissue() -> None:
            assert self.auth is not None
            assert self.store is not None
            signed = authority.sign(self.auth.ca("host"), claims)
            self.store.put("/ids/admin/current", json.dumps(signed))
            self.store.put("/states/admin/state", json.dumps({"version": str(self.version)}))

        reissue()
        self.auth.reissue_admin = reissue

    def _witness_auth(self, records: Records, cluster: str) -> None:
        facts = {"backend": records.backend.location, "cluster": cluster, "version": str(self.version)}
        record("auth_serving", **facts)

        def marks() -> None:
            while not self._stopped.wait(ALIVE_SECONDS):
                record("auth_alive", **facts)

        threading.Thread(target=marks, daemon=True).start()

    def _start_agents(self) -> None:
        if "proxy" in self.services:
            self.proxy = Proxy(self.config, self.identity, self._link("Proxy"), self.readiness, self.sessions)
            self._keep_first_principals()
            threading.Thread(target=self._run_service, args=(self.proxy, "proxy.init"), daemon=True).start()
        if "agent" in self.services:
            self.node = Node(self.config, self.identity, self._link("Node"), self.readiness, self.sessions)
            threading.Thread(target=self._run_service, args=(self.node, "ssh.node"), daemon=True).start()

    def _run_service(self, service: Node | Proxy, name: str) -> None:
        try:
            service.run(self.listeners, self.die)
        except CommandError as error:
            self.die(name, error.text)

    def _link(self, role: str) -> Link:
        assert self.store is not None
        link = Link(self.config, self.version, role, self.store, self.log)
        link.name = self.host_uuid
        link.reload = self._reload
        link.skip_version_check = self.options.skip_version_check
        if self.auth is not None:
            link.issuer = self._issue
        return link

    def _issue(self, role: str) -> Message:
        assert self.auth is not None
        return self.auth.credentials(role, self.host_uuid)

    # --- end ---------------------------------------------------------------------------------------------

    def die(self, service: str, reason: str) -> None:
        """A critical service ended: the whole process must."""
        self.fatal.put((service, reason))
        self.on_death()

    def stop(self, hang_up: bool, keep: str = "") -> None:
        """Accept no more; ``hang_up`` cuts what is connected."""
        self._stopped.set()
        if self.auth is not None:
            facts = {"backend": self.auth.records.backend.location, "cluster": self.auth.cluster}
            record("auth_stopped", version=str(self.version), **facts)
        if self._auth_acceptor is not None:
            self._auth_acceptor.stop(True)
        for service in (self.node, self.proxy):
            if service is not None:
                service.stop(hang_up)
        self.listeners.close(keep)

    def _reload(self, reason: str) -> None:
        self.on_reload(reason)

    # --- principals --------------------------------------------------------------------------------------

    def principals_changed(self) -> bool:
        """True once when the proxy's names changed: the process then reloads itself (auth and proxy in one only)."""
        if self.store is None or self.proxy is None or self.auth is None:
            return False
        known = self.store.get(_PRINCIPALS)
        text = self._principals()
        self.store.put(_PRINCIPALS, text)
        return known is not None and known.value != text

    def _keep_first_principals(self) -> None:
        # They are in the first identity, and so on the disk before anybody calls the process ready.
        if self.store is not None and self.auth is not None and self.store.get(_PRINCIPALS) is None:
            self.store.put(_PRINCIPALS, self._principals())

    def _principals(self) -> str:
        era = [line for line in load_table("migrations")["principals_change"] if _reached(self, line)][-1:]
        return ",".join(sorted(self.config.public_addresses("proxy_service")) + era)


def _reached(process: Process, line: str) -> bool:
    return process.version.index >= line_index(line)
