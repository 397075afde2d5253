# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy: web API, SSH for users of this cluster, tunnels of leaf clusters."""

from __future__ import annotations

import random
import threading
import uuid

from .. import compat, rotation
from ..config import Config, split_address
from ..features import has, load_table, newest
from ..identity import Identity
from ..listeners import Acceptor, Listeners
from ..readiness import Readiness
from ..records import Resource
from ..settings import pause, scaled
from ..versions import Version
from ..wire import Message, Refusal, Wire
from .follower import Follower
from .link import DIAL_TIMEOUT, Fatal, Heartbeat, Link
from .node import banner_version, server_resource
from .sessions import Sessions
from .web import serve_web


class Proxy:
    """One proxy service."""

    def __init__(
        self, config: Config, identity: Identity, link: Link, readiness: Readiness, sessions: Sessions
    ) -> None:
        self.config = config
        self.identity = identity
        self.link = link
        self._readiness = readiness
        self._sessions = sessions
        self._acceptors: list[Acceptor] = []
        self._leafs: dict[str, tuple[Wire, Version]] = {}
        self._waiting: dict[str, tuple[threading.Event, list[Wire]]] = {}
        self._dialling: set[str] = set()

    def run(self, listeners: Listeners, fatal: Fatal) -> None:
        """Join, listen, announce; returns when everything is set up."""
        if not self.link.connect(fatal, "proxy.init"):
            return
        pause(newest(load_table("migrations")["startup_seconds"]["proxy"], self.identity.version))
        config = self.config
        ssh = listeners.listen("proxy:ssh", config.address("proxy_service", "listen_addr", 3023))
        tunnel = listeners.listen("proxy:tunnel", config.address("proxy_service", "tunnel_listen_addr", 3024))
        web = listeners.listen("proxy:web", config.address("proxy_service", "web_listen_addr", 3080))
        self._acceptors = [Acceptor(ssh, self.serve_user), Acceptor(tunnel, self._serve_tunnel)]
        threading.Thread(target=serve_web, args=(web, self), daemon=True).start()
        self._banners()
        self.link.cache()
        heartbeat = Heartbeat(self.link, "proxy", self._resource, None)
        heartbeat.announce()
        self._readiness.ready("proxy")
        threading.Thread(target=heartbeat.run, daemon=True).start()
        threading.Thread(target=Follower(self.link, heartbeat).run, daemon=True).start()
        threading.Thread(target=self._dial_roots, daemon=True).start()

    def stop(self, hang_up: bool) -> None:
        """Take no more connections."""
        for acceptor in self._acceptors:
            acceptor.stop(hang_up)
        for wire, _version in list(self._leafs.values()):
            wire.close()
        self.link.stop()

    def _banners(self) -> None:
        version = banner_version(self.identity)
        for title, key, port in (
            ("Reverse tunnel service", "tunnel_listen_addr", 3024),
            ("Web proxy service", "web_listen_addr", 3080),
            ("SSH proxy service", "listen_addr", 3023),
        ):
            address = self.config.address("proxy_service", key, port, text=True)
            self.link.log.banner("PROXY", f"{title} {version}is starting on {address}.")

    def _resource(self) -> Resource:
        key, port = (
            ("web_listen_addr", 3080) if has(self.identity.version, "proxy_addr_is_web") else ("listen_addr", 3023)
        )
        host, number = self.config.address("proxy_service", key, port)
        shown = self.config.advertise_ip if host in ("0.0.0.0", "") else host
        kind = "node" if has(self.identity.version, "proxy_kind_is_node") else "proxy"
        return server_resource(
            kind, self.link, f"{shown}:{number}", self.config.public_addresses("proxy_service"), self.config
        )

    # --- users -------------------------------------------------------------------------------------------

    def serve_user(self, wire: Wire) -> None:
        """A user of tsh: list nodes or run a command on one, here or in a leaf."""
        request = wire.receive()
        if request is None:
            return
        try:
            self.link.user_claims(request.get("identity"))
            cluster = str(request.get("cluster") or self.link.cluster)
            if cluster != self.link.cluster:
                self._through_leaf(wire, request, cluster)
            elif request.get("op") == "ls":
                wire.send({"nodes": self.link.cache().get("nodes", [])})
            elif request.get("op") == "clusters":
                wire.send({"root": self.link.cluster, "leafs": self._known_leafs()})
            else:
                self._through_node(wire, request)
        except Refusal as error:
            wire.send({"error": error.text})

    def _through_node(self, wire: Wire, request: Message) -> None:
        address = self._find_node(str(request.get("node")))
        try:
            node = Wire.dial(address, DIAL_TIMEOUT)
        except OSError as error:
            raise Refusal(
                f"failed connecting to node {request.get('node')}. dial tcp {address[0]}:{address[1]}: {error}"
            ) from None
        with self._sessions:
            _relay(node, wire, request)

    def _find_node(self, name: str) -> tuple[str, int]:
        for resource in self.link.cache().get("nodes", []):
            if name in (resource["spec"]["hostname"], resource["metadata"]["name"], resource["spec"]["addr"]):
                return split_address(resource["spec"]["addr"], 3022)
        raise Refusal(
            f"failed connecting to node {name}. no tunnel connection found: no node reverse tunnel for {name} found"
        )

    # --- root side of trusted clusters -------------------------------------------------------------------

    def _known_leafs(self) -> list[Message]:
        names = self.link.cache().get("remote_clusters", [])
        return [{"name": name, "online": name in self._leafs} for name in names]

    def _serve_tunnel(self, wire: Wire) -> None:
        hello = wire.receive() or {}
        if hello.get("op") == "tunnel_data":
            self._deliver(wire, str(hello.get("id")))
            return
        leaf = str(hello.get("cluster"))
        if hello.get("op") == "trust_sync":
            self._renew_trust(wire, leaf, hello)
            return
        if leaf not in self.link.cache().get("remote_clusters", []):
            wire.send({"error": f"cluster {leaf} is not trusted"})
            return
        version = Version.parse(hello["version"])
        wire.send({"version": str(self.identity.version)})
        self._leafs[leaf] = (wire, version)
        self._tell_status(leaf, "online")
        try:
            while wire.receive() is not None:
                pass
        finally:
            if self._leafs.get(leaf, (None,))[0] is wire:
                del self._leafs[leaf]
                if not self.link.stopped.is_set():
                    self._tell_status(leaf, "offline")

    def _renew_trust(self, wire: Wire, leaf: str, hello: Message) -> None:
        try:
            wire.send(self.link.ask({"op": "trust_import", "cluster": leaf, "authorities": hello["authorities"]}))
        except Refusal as error:
            wire.send({"error": error.text})

    def _tell_status(self, leaf: str, connection: str) -> None:
        try:
            self.link.ask({"op": "remote_status", "cluster": leaf, "connection": connection})
        except (OSError, Refusal) as error:
            self.link.log.warn("PROXY:SER", f"Could not update remote cluster {leaf}: {error}.")

    def _deliver(self, wire: Wire, identifier: str) -> None:
        event, slot = self._waiting.get(identifier, (None, None))
        if event is None or slot is None:
            return
        slot.append(wire)
        event.set()
        while wire.sock.fileno() != -1 and not self.link.stopped.wait(0.2):
            pass  # the relay owns the connection until it closes it

    def _through_leaf(self, wire: Wire, request: Message, cluster: str) -> None:
        found = self._leafs.get(cluster)
        if found is None:
            raise Refusal(f"cluster {cluster} is offline: no active tunnels to {cluster} found")
        control, version = found
        problem = compat.leaf_error(version, self.identity.version)
        if problem:
            raise Refusal(problem)
        identifier = str(uuid.uuid4())
        event, slot = threading.Event(), []  # type: tuple[threading.Event, list[Wire]]
        self._waiting[identifier] = (event, slot)
        try:
            control.send({"dial": identifier})
            if not event.wait(DIAL_TIMEOUT):
                raise Refusal(f"cluster {cluster} did not answer")
            _relay(slot[0], wire, request)
        finally:
            del self._waiting[identifier]

    # --- leaf side of trusted clusters -------------------------------------------------------------------

    def _dial_roots(self) -> None:
        while not self.link.stopped.wait(min(2.0, scaled(3.0))):
            for resource in self.link.cache().get("tunnels", []):
                name = resource["metadata"]["name"]
                if resource["spec"].get("enabled", True) and name not in self._dialling:
                    self._dialling.add(name)
                    threading.Thread(target=self._hold_tunnel, args=(name, resource), daemon=True).start()

    def _hold_tunnel(self, name: str, resource: Resource) -> None:
        address = split_address(str(resource["spec"]["tunnel_addr"]), 3024)
        try:
            wire = Wire.dial(address, DIAL_TIMEOUT)
            wire.sock.settimeout(None)
            wire.ask({"op": "tunnel", "cluster": self.link.cluster, "version": str(self.identity.version)})
            threading.Thread(target=self._close_when_stopped, args=(wire,), daemon=True).start()
            threading.Thread(target=self._exchange_authorities, args=(name, address, wire), daemon=True).start()
            while True:
                message = wire.receive()
                if message is None:
                    break
                threading.Thread(target=self._answer_root, args=(address, str(message["dial"])), daemon=True).start()
        except (OSError, Refusal) as error:
            self.link.log.warn("PROXY:AGE", f"Reverse tunnel to {name} failed: {error}.")
        finally:
            pause(random.uniform(0.5, 1.5))
            self._dialling.discard(name)

    def _exchange_authorities(self, root: str, address: tuple[str, int], tunnel: Wire) -> None:
        """While the tunnel stands, each side learns of the other's new keys."""
        while tunnel.sock.fileno() != -1 and not self.link.stopped.wait(rotation.interval()):
            try:
                own = self.link.ask({"op": "trust_export"})["authorities"]
                wire = Wire.dial(address, DIAL_TIMEOUT)
                try:
                    theirs = wire.ask({"op": "trust_sync", "cluster": self.link.cluster, "authorities": own})
                finally:
                    wire.close()
                self.link.ask({"op": "trust_import", "cluster": root, "authorities": theirs["authorities"]})
            except (OSError, Refusal) as error:
                self.link.log.warn("PROXY:AGE", f"Could not exchange authorities with {root}: {error}.")

    def _close_when_stopped(self, wire: Wire) -> None:
        self.link.stopped.wait()
        wire.close()

    def _answer_root(self, address: tuple[str, int], identifier: str) -> None:
        wire = Wire.dial(address, DIAL_TIMEOUT)
        wire.sock.settimeout(None)
        try:
            wire.send({"op": "tunnel_data", "id": identifier})
            self.serve_user(wire)
        finally:
            wire.close()


def _relay(far: Wire, near: Wire, request: Message) -> None:
    """Pass a request on and everything that comes back, until the status."""
    try:
        far.sock.settimeout(None)
        far.send({**request, "cluster": ""})
        while True:
            message = far.receive()
            if message is None:
                return
            near.send(message)
            if not {"exit", "error", "nodes"}.isdisjoint(message):
                return
    finally:
        far.close()
