# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSH node: announces itself, lets users of this cluster run commands."""

from __future__ import annotations

import threading

from .. import rotation
from ..config import Config
from ..features import has, load_table, newest
from ..identity import Identity
from ..listeners import Acceptor, Listeners
from ..readiness import Readiness
from ..records import Resource
from ..settings import pause
from ..wire import Message, Refusal, Wire
from .follower import Follower
from .link import Fatal, Heartbeat, Link
from .sessions import Sessions, run_command


class Node:
    """One SSH service."""

    def __init__(
        self, config: Config, identity: Identity, link: Link, readiness: Readiness, sessions: Sessions
    ) -> None:
        self._config = config
        self._identity = identity
        self._readiness = readiness
        self._sessions = sessions
        self._acceptor: Acceptor | None = None
        self.link = link

    def run(self, listeners: Listeners, fatal: Fatal) -> None:
        """Join, listen, announce; returns when the link stops."""
        if not self.link.connect(fatal, "ssh.node"):
            return
        pause(newest(load_table("migrations")["startup_seconds"]["node"], self._identity.version))
        address = self._config.address("ssh_service", "listen_addr", 3022)
        self._acceptor = Acceptor(listeners.listen("node", address), self.serve)
        self.link.log.banner(
            "NODE", f"Service {banner_version(self._identity)}is starting on {address[0]}:{address[1]}."
        )
        self.link.cache()
        heartbeat = Heartbeat(self.link, "node", self._resource, self._readiness)
        heartbeat.announce()
        self._readiness.ready("node")
        threading.Thread(target=heartbeat.run, daemon=True).start()
        threading.Thread(target=Follower(self.link, heartbeat).run, daemon=True).start()

    def serve(self, wire: Wire) -> None:
        """One user session: an identity and a command in, output and status out."""
        request = wire.receive()
        if request is None:
            return
        try:
            claims = self.link.user_claims(request.get("identity"))
            self._check_login(claims, str(request.get("login")))
        except Refusal as error:
            wire.send({"error": error.text})
            return
        run_command(wire, str(request.get("command")), self._sessions)

    def stop(self, hang_up: bool) -> None:
        """Take no more sessions; ``hang_up`` ends the running ones."""
        if self._acceptor is not None:
            self._acceptor.stop(hang_up)
        self.link.stop()

    def _check_login(self, claims: Message, login: str) -> None:
        if login not in claims.get("logins", []):
            raise Refusal(f"ssh: principal {login!r} not in the set of valid principals for given certificate")

    def _resource(self) -> Resource:
        host, port = self._config.address("ssh_service", "listen_addr", 3022)
        shown = self._config.advertise_ip if host in ("0.0.0.0", "") else host
        public = self._config.public_addresses("ssh_service")
        return server_resource("node", self.link, f"{shown}:{port}", public, self._config)


def banner_version(identity: Identity) -> str:
    """The version part of a start banner, with a space after it; 4.2 and older have none."""

    return f"{identity.version}:{identity.git} " if has(identity.version, "start_banner_version") else ""


def server_resource(kind: str, link: Link, addr: str, public: list[str], config: Config) -> Resource:
    """A server as it announces itself."""
    metadata: Resource = {"name": link.name}
    if kind == "node" and config.labels:
        metadata["labels"] = config.labels
    spec: Resource = {"addr": addr}
    if public:
        spec["public_addr"] = public[0]
    spec["hostname"] = config.nodename
    spec["rotation"] = rotation.shown(link.rotation, link.version)

    if has(link.version, "server_version_in_spec"):
        spec["version"] = str(link.version)
    return {"kind": kind, "version": "v2", "metadata": metadata, "spec": spec}
