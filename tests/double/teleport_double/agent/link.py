# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection of one service to an auth: join, connect, notice its loss, reconnect."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from .. import compat
from ..authority import verified
from ..backend.base import Backend
from ..config import Config
from ..features import has
from ..logs import Log
from ..readiness import Readiness
from ..records import Resource
from ..settings import pause, scaled
from ..versions import Version
from ..wire import Message, Refusal, Wire
from ..witnesslog import record

DIAL_TIMEOUT = 5.0
RETRY_SECONDS = (0.25, 2.0)
TICK_SECONDS = 60.0
NOT_AUTHENTICATED = (
    "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], "
    "no supported methods remain"
)
Fatal = Callable[[str, str], None]


class Link:
    """Keeps one service (role ``Node`` or ``Proxy``) attached to an auth."""

    def __init__(self, config: Config, version: Version, role: str, store: Backend, log: Log) -> None:
        self.config = config
        self.version = version
        self.role = role
        self.log = log
        self.auth_version: Version | None = None
        self.cluster = ""
        self.name = ""
        self.reload: Callable[[str], None] = lambda reason: None
        self._store = store
        self._address: tuple[str, int] | None = None
        self._wire: Wire | None = None
        self._stopped = threading.Event()
        self._lost = threading.Event()
        self._cache: Message = {}
        self._cache_lock = threading.Lock()
        self.skip_version_check = False
        self.issuer: Callable[[str], Message] | None = None

    # --- identity ----------------------------------------------------------------------------------------

    @property
    def identity(self) -> Message | None:
        """The identity stored on disk, None before the first join."""
        item = self._store.get(f"/ids/{self.role.lower()}/current")
        return json.loads(item.value) if item else None

    @property
    def rotation(self) -> Resource:
        """The phase that this service has reached, as it is stored on disk."""
        return dict(self._state().get("rotation") or {})

    def _state(self) -> Message:
        item = self._store.get(f"/states/{self.role.lower()}/state")
        return dict(json.loads(item.value)) if item else {}

    def keep(self, credentials: Message, rotation: Resource) -> None:
        """Store credentials (empty: those there are) and the phase they belong to, also for the next starts."""
        state = {**self._state(), "version": str(self.version), "rotation": rotation}
        if credentials:
            self._store.put(f"/ids/{self.role.lower()}/current", json.dumps(credentials["identity"]))
            state["trusted"] = credentials["trusted"]
        self._store.put(f"/states/{self.role.lower()}/state", json.dumps(state))

    def _join(self, address: tuple[str, int]) -> None:
        if self.issuer is not None:
            answer = self.issuer(self.role)
            self.keep(answer, answer["rotation"])
            return
        self.log.info("PROC:1", "Joining the cluster with a secure token.")
        request = {"op": "join", "token": self.config.join_token, "role": self.role, "name": self.config.nodename}
        wire = Wire.dial(address, DIAL_TIMEOUT)
        try:
            answer = wire.ask({**request, "uuid": self.name, "version": str(self.version)})
        finally:
            wire.close()
        pins = self.config.ca_pins
        if pins and not set(pins) & set(answer["pins"]):
            raise Refusal(f"local CA pins {pins} do not match any of the presented pins {answer['pins']}", "pin")
        self.keep(answer, answer["rotation"])
        self.log.info("PROC:1", f"{self.role} has obtained credentials to connect to the cluster.")

    # --- connecting --------------------------------------------------------------------------------------

    def connect(self, fatal: Fatal, service: str) -> bool:
        """Connect for the first time, however long it takes; False when the service must not run."""
        delay = RETRY_SECONDS[0]
        while not self._stopped.is_set():
            problem = self._try_all()
            if problem is None:
                return self._judged(fatal, service)
            self.log.failure("PROC:1", f"{self.role} failed to establish connection to cluster: {problem}.")
            pause(delay)
            delay = min(delay * 2, RETRY_SECONDS[1])
        return False

    def _judged(self, fatal: Fatal, service: str) -> bool:
        assert self.auth_version is not None
        verdict = compat.judge(self.version, self.auth_version)
        if verdict.kind == "warn":
            self.log.warn(f"{self.role.upper()}:1:CA", verdict.text)
        if verdict.kind != "die" or (self.skip_version_check and has(self.version, "refuses_older_auth")):
            return True
        record(
            "rejected_peer",
            role=self.role,
            name=self.config.nodename,
            peer=str(self.version),
            auth=str(self.auth_version),
            reason=verdict.text,
        )
        self.log.warn(f"{self.role.upper()}:1:CA", "Re-init the cache on error: watcher is closed.")
        pause(0.3)
        fatal(service, verdict.text)
        return False

    def _try_all(self) -> str | None:
        """Dial every auth in the order of the file; None when one took us."""
        problem: str | None = "no auth server is configured"
        for address in self.config.auth_servers:
            problem = self._try(address)
            if problem is None:
                break
        return problem

    def _try(self, address: tuple[str, int]) -> str | None:
        try:
            if self.identity is None:
                self._join(address)
            self._attach(address)
        except Refusal as error:
            return error.text
        except OSError as error:
            text = f"dial tcp {address[0]}:{address[1]}: connect: {_reason(error)}"
            self.log.failure("AUTH", f"Failed to dial auth server {address[0]}:{address[1]}: {text}.")
            return f'Get "https://teleport.cluster.local/v2/domain": {text}'
        return None

    def _attach(self, address: tuple[str, int]) -> None:
        wire = self._hello(address, keep=True)
        self._address, self._wire = address, wire
        threading.Thread(target=self._watch, args=(wire,), daemon=True).start()

    def _hello(self, address: tuple[str, int], keep: bool = False) -> Wire:
        wire = Wire.dial(address, DIAL_TIMEOUT)
        try:
            wire.sock.settimeout(30)
            request = {"op": "hello", "role": self.role, "name": self.name, "keep": keep}
            answer = wire.ask({**request, "identity": self.identity, "version": str(self.version)})
            trusted = self._state().get("trusted")
            if trusted and answer["signed_by"] not in trusted:
                raise Refusal("x509: certificate signed by unknown authority", "untrusted")
        except BaseException:
            wire.close()
            raise
        if keep:
            wire.sock.settimeout(None)
            self.auth_version, self.cluster = Version.parse(answer["version"]), answer["cluster"]
        return wire

    def _watch(self, wire: Wire) -> None:
        """Blocks until the auth is gone, then reconnects in the background."""
        wire.receive()
        wire.close()
        if self._stopped.is_set():
            return
        self._lost.set()
        self._wire = None
        self.log.warn(f"{self.role.upper()}:1:CA", "Re-init the cache on error: transport is closing.")
        delay = RETRY_SECONDS[0]
        while not self._stopped.is_set():
            pause(delay * random.uniform(0.8, 1.2))
            problem = self._try_all()
            if problem is None:
                return
            delay = min(delay * 2, RETRY_SECONDS[1])

    def stop(self) -> None:
        """Hang up and stay away."""
        self._stopped.set()
        if self._wire is not None:
            self._wire.close()

    @property
    def attached(self) -> bool:
        """True while a connection to an auth stands."""
        return self._wire is not None

    @property
    def stopped(self) -> threading.Event:
        """Set once the service ends."""
        return self._stopped

    # --- asking ------------------------------------------------------------------------------------------

    def ask(self, message: Message) -> Message:
        """One request to the auth this service is attached to; raises OSError or Refusal."""
        address = self._address
        if address is None or self._wire is None:
            raise OSError("not connected to an auth server")
        wire = self._hello(address)
        try:
            return wire.ask(message)
        finally:
            wire.close()

    def cache(self) -> Message:
        """What the auth last said about CAs (for proxies: nodes, leafs too); from memory when auth is away."""
        try:
            fresh = self.ask({"op": "snapshot", "servers": self.role == "Proxy"})
        except (OSError, Refusal):
            with self._cache_lock:
                return self._cache
        with self._cache_lock:
            self._cache = fresh
        return fresh

    def user_claims(self, token: Any) -> dict[str, Any]:
        """Claims of a user's identity; raises Refusal when no CA this cluster trusts has signed it."""
        users = self.cache().get("authorities", {}).get("user", {})
        cluster = str((token or {}).get("claims", {}).get("cluster"))
        if not verified(token, users.get(cluster, [])):
            raise Refusal(NOT_AUTHENTICATED)
        if self.auth_version is not None:
            stale = compat.session_error(self.version, self.auth_version)
            if stale:
                self.log.failure("NODE", f"Unable to create connection context: {stale}.")
                raise Refusal(stale)
        return dict(token["claims"])


class Heartbeat:
    """Announces a server: at once, every five to six minutes, and after a lost connection was noticed."""

    def __init__(self, link: Link, kind: str, build: Callable[[], Resource], readiness: Readiness | None) -> None:
        self._link = link
        self._kind = kind
        self._build = build
        self._readiness = readiness

    def announce(self) -> bool:
        """Send one announcement; False when no auth took it."""
        try:
            self._link.ask({"op": "heartbeat", "kind": self._kind, "resource": self._build()})
        except (OSError, Refusal) as error:
            self._link.log.warn(f"{self._link.role.upper()}:BEAT", f"Heartbeat failed {error}.")
            return False
        return True

    def run(self) -> None:
        """Announce until the link stops; blips of readiness come from here."""
        next_announcement = self._next()
        while not self._link.stopped.wait(scaled(TICK_SECONDS)):
            if self._link._lost.is_set():
                self._blip()
            elif time.monotonic() >= next_announcement and self.announce():
                next_announcement = self._next()

    def _next(self) -> float:
        return time.monotonic() + scaled(random.uniform(240, 300))

    def _blip(self) -> None:
        """The keep-alive tick finds its stream gone: degraded, then recovering, then ok."""
        component = self._link.role.lower()
        if self._readiness is not None:
            self._link.log.warn(f"{component.upper()}:BEAT", "Heartbeat failed keep alive channel closed.")
            text = f'Detected Teleport component "{component}" is running in a degraded state.'
            self._link.log.info("PROC:1", text)
            self._readiness.degrade(component)
        self._link._lost.clear()
        while not self._link.stopped.is_set() and not (self._link.attached and self.announce()):
            record("heartbeat_lost", role=self._link.role, name=self._link.config.nodename)
            pause(5)
        if self._readiness is not None:
            self._readiness.recover(component)


def _reason(error: OSError) -> str:
    return "connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
