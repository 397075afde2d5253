# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Auth Service: who may connect, joining, heartbeats, and what the caches of agents are filled from."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from .. import authority, rotation
from ..backend.base import BackendError
from ..config import Config
from ..features import has
from ..logs import Log
from ..records import Records, Resource
from ..settings import fault, scaled
from ..versions import Version
from ..wire import Message, Refusal, Wire
from ..witnesslog import record

TTL_SECONDS = 600
ANNOUNCE_SECONDS = (300, 360)
HOST_ROLES = ("Admin", "Node", "Proxy", "Auth")
_OF_PEERS = (
    "heartbeat",
    "snapshot",
    "rotation",
    "reregister",
    "remote_status",
    "trust_validate",
    "trust_export",
    "trust_import",
)


class Peer:
    """The other end of one connection."""

    def __init__(self) -> None:
        self.role = ""
        self.name = ""
        self.version: Version | None = None
        self.services: list[str] = []


class AuthService:
    """Answers requests; one instance per auth process."""

    def __init__(self, config: Config, records: Records, cluster: str, host_uuid: str, log: Log) -> None:
        self.config = config
        self.records = records
        self.cluster = cluster
        self.host_uuid = host_uuid
        self.log = log
        self.version = records.version
        self.connected: dict[int, Peer] = {}
        self.reissue_admin: Callable[[], None] = lambda: None
        self.reload: Callable[[str], None] = lambda reason: None
        self._followed: Resource = {}
        self._deaf_until = 0.0
        self._lock = threading.RLock()
        from .tools import ToolOperations

        self._tools = ToolOperations(self)

    def serve(self, wire: Wire) -> None:
        """Answer one connection until it ends."""
        peer = Peer()
        try:
            while True:
                request = wire.receive()
                if request is None:
                    return
                wire.send(self._answer(request, peer))
        finally:
            self.connected.pop(id(peer), None)

    def _answer(self, request: Message, peer: Peer) -> Message:
        operation = str(request.get("op"))
        try:
            if operation == "join":
                return self._join(request)
            if operation == "hello":
                return self._hello(request, peer)
            if not peer.role:
                raise Refusal("access denied: not authenticated", "access_denied")
            if operation in _OF_PEERS:
                return dict(getattr(self, f"_{operation}")(request, peer))
            return self._tools.answer(operation, request, peer)
        except Refusal as error:
            return {"error": error.text, "kind": error.kind}
        except BackendError as error:
            return {"error": str(error), "kind": "backend"}

    # --- who may connect -------------------------------------------------------------------------------

    def _hello(self, request: Message, peer: Peer) -> Message:
        version = Version.parse(request["version"])
        identity = request.get("identity")
        if request.get("role") == "Admin" and time.monotonic() < self._deaf_until:
            raise ConnectionError("the auth reloads")
        host = self.ca("host")
        if not authority.verified(identity, authority.checking_keys(host)):
            raise Refusal(
                "tls: failed to verify client certificate: x509: certificate signed by unknown authority", "untrusted"
            )
        assert identity is not None
        self._refuse_old(version, str(request.get("role")), str(request.get("name")))
        peer.role = str(request.get("role"))
        peer.name = str(request.get("name"))
        peer.version = version
        peer.services = [str(service) for service in request.get("services", [])]
        if request.get("keep"):
            self.connected[id(peer)] = peer
        shown = {"version": str(self.version), "cluster": self.cluster, "auth": self.host_uuid}
        return {**shown, "signed_by": rotation.serving_key(host)}

    def _refuse_old(self, version: Version, role: str, name: str) -> None:
        """From 16 on clients more than one major behind are turned away, connected before or not."""
        if not has(self.version, "rejects_old_clients") or version.major >= self.version.major - 1:
            return
        oldest = f"{self.version.major - 1}.0.0"
        record(
            "rejected_peer", role=role, name=name, peer=str(version), auth=str(self.version), reason="client too old"
        )
        text = f"access denied: client version {version} is unsupported, the oldest supported version is v{oldest}"
        if has(self.version, "client_too_old_text"):
            text = (
                f"This Teleport instance (v{version}) is older than the minimum version supported by the cluster "
                f"(v{oldest}), which may be the cause of this connection failure."
            )
        raise Refusal(text, "too_old")

    def _join(self, request: Message) -> Message:
        roles = self._token_roles(str(request["token"]))
        role = str(request["role"])
        if roles is None or role not in roles:
            raise Refusal(
                f'"{request["name"]}" [{request["uuid"]}] can not join the cluster with role {role}, '
                "token is not valid",
                "access_denied",
            )
        self._refuse_old(Version.parse(request["version"]), role, str(request["name"]))
        return {**self.credentials(role, str(request["uuid"])), "version": str(self.version)}

    def credentials(self, role: str, name: str) -> Message:
        """What a service gets when it joins or registers again: its identity, whom to trust, and the rotation."""
        host = self.ca("host")
        claims = {"uuid": name, "role": role, "cluster": self.cluster, "id": str(uuid.uuid4())}
        return {
            "identity": authority.sign(host, claims),
            "trusted": authority.fingerprints(host),
            "pins": authority.pins(host, self.version),
            "rotation": host["spec"].get("rotation") or {},
        }

    def _reregister(self, request: Message, peer: Peer) -> Message:
        return self.credentials(peer.role, str(request["uuid"]))

    def _rotation(self, _request: Message, _peer: Peer) -> Message:
        return {"rotation": self._followed}

    def _token_roles(self, token: str) -> list[str] | None:
        static = self.records.document("/cluster_configuration/static_tokens") or {}
        for entry in static.get("spec", {}).get("static_tokens", []):
            if entry["token"] == token:
                return [str(role) for role in entry["roles"]]
        found = self.records.get("token", token)
        return list(found["spec"]["roles"]) if found else None

    # --- announcements -----------------------------------------------------------------------------------

    def _heartbeat(self, request: Message, _peer: Peer) -> Message:
        self.announce(str(request["kind"]), request["resource"])
        return {"version": str(self.version)}

    def announce(self, kind: str, resource: Resource) -> None:
        """Store a server resource until its time to live has passed."""
        spec = resource["spec"]
        if not has(self.version, "server_version_in_spec"):
            spec.pop("version", None)
        elif "version" not in spec:
            spec["version"] = ""
        expires = time.time() + scaled(TTL_SECONDS)
        with self._lock:
            self.records.put(kind, resource["metadata"]["name"], resource, expires)

    def announce_self(self) -> None:
        """Put this auth's own entry into the list."""
        if fault(self.version, "never_ready"):
            return
        host, port = self.config.address("auth_service", "listen_addr", 3025)
        shown = self.config.advertise_ip if host in ("0.0.0.0", "") else host
        public = self.config.public_addresses("auth_service")
        spec: Resource = {
            "addr": public[0] if public and ":" in public[0] else f"{shown}:{port}",
            "hostname": self.config.nodename,
        }
        spec["rotation"] = rotation.shown(self._followed, self.version)
        spec["version"] = str(self.version)
        resource = {"kind": "auth_server", "version": "v2", "metadata": {"name": self.host_uuid}, "spec": spec}
        self.announce("auth_server", resource)

    def announce_for_ever(self, stopped: threading.Event) -> None:
        """Re-announce every five to six minutes."""
        while not stopped.wait(scaled(random.uniform(*ANNOUNCE_SECONDS))):
            try:
                self.announce_self()
            except BackendError as error:
                self.log.warn("AUTH:BEAT", f"Heartbeat failed {error}.")

    # --- rotation ------------------------------------------------------------------------------------------

    def follow(self, at_start: bool = False) -> None:
        """Notice a new phase of this cluster's host authority: new credentials, a new announcement, a reload."""
        found = self.ca("host")["spec"].get("rotation") or {}
        if found == self._followed:
            return
        self._followed = found
        if at_start:
            return
        self.reissue_admin()
        self.announce_self()
        if found.get("phase") in rotation.RELOADING:
            self._deaf_until = time.monotonic() + scaled(rotation.RELOAD_SECONDS)
            self.reload(f"the rotation entered {found['phase']}")

    def follow_for_ever(self, stopped: threading.Event) -> None:
        """Look after the authorities: what is due in an automatic rotation, and what another auth changed."""
        while not stopped.wait(rotation.interval()):
            try:
                for kind in ("host", "user"):
                    phase = rotation.due(self.ca(kind))
                    if phase:
                        self._tools.advance(kind, phase, rotation.AUTO)
                self.follow()
            except (BackendError, Refusal) as error:
                self.log.warn("AUTH", f"Failed to rotate certificate authorities: {error}.")

    # --- what caches are filled from -----------------------------------------------------------------------

    def _snapshot(self, request: Message, _peer: Peer) -> Message:
        authorities: dict[str, Any] = {}
        for ca in self.records.list("cert_authority"):
            if ca["spec"]["type"] in ("user", "host"):
                keys = authorities.setdefault(ca["spec"]["type"], {})
                keys[ca["spec"]["cluster_name"]] = authority.checking_keys(ca)
        answer: Message = {
            "authorities": authorities,
            "users": [u["metadata"]["name"] for u in self.records.list("user")],
        }
        if request.get("servers"):
            answer["nodes"] = self.records.list("node")
            answer["tunnels"] = self.records.list("trusted_cluster")
            answer["remote_clusters"] = [r["metadata"]["name"] for r in self.records.list("remote_cluster")]
        return answer

    def ca(self, kind: str, cluster: str = "") -> Resource:
        """A CA of this cluster (or of a trusted one); Refusal when it is gone."""
        found = self.records.get("cert_authority", f"{kind}/{cluster or self.cluster}")
        if found is None:
            raise Refusal(f"key /authorities/{kind}/{cluster or self.cluster} is not found", "not_found")
        return found

    # --- trusted clusters ----------------------------------------------------------------------------------

    def _remote_status(self, request: Message, _peer: Peer) -> Message:
        from .trust import set_remote_status

        return set_remote_status(self, request)

    def _trust_export(self, _request: Message, _peer: Peer) -> Message:
        from .trust import export_authorities

        return export_authorities(self)

    def _trust_import(self, request: Message, _peer: Peer) -> Message:
        from .trust import import_authorities

        return import_authorities(self, request)

    def _trust_validate(self, request: Message, _peer: Peer) -> Message:
        from .trust import validate_leaf

        return validate_leaf(self, request)
