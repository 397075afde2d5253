# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd v3 over its HTTP JSON gateway, with nothing but the standard library.

The gateway is part of every etcd since 3.0 (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/). Bytes travel as
base64, 64-bit numbers as text.
"""

from __future__ import annotations

import collections
import functools
import http.client
import json
import re
import socket
import ssl
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Callable, Deque, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, TypeVar
from urllib.parse import urlsplit

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError

#: Keys of the first page. Teleport's values are 1–20 kB, so it stays far below what a gateway or Python minds.
PAGE = 500
#: The next ones are larger where values are small: for each page etcd walks over all keys that are left, to count them.
_LARGEST_PAGE = 16 * PAGE
_PAGE_BYTES = 12 << 20

#: etcd refuses more than 128 operations (--max-txn-ops) or 1.5 MiB (--max-request-bytes) in one transaction by default.
TXN_OPS = 100
TXN_BYTES = 1 << 20

_ROUNDS = 3
_PAUSE_SECONDS = 0.5
_DEFAULT_PORT = 2379
_HTTP_OK = 200
_HTTP_NOT_FOUND = 404
_UNAVAILABLE = (502, 503, 504)
_GRPC_UNAVAILABLE = 14
_GRPC_OUT_OF_RANGE = 11
_VERSION = re.compile(r"(\d+)\.(\d+)")


class Compacted(BackupError):
    """The revision asked for was compacted away meanwhile; reading may start again at a newer one."""


class KeyValue(NamedTuple):
    """One key of etcd. ``lease`` is 0 for keys that do not expire."""

    key: bytes
    value: bytes
    lease: int


@dataclass(frozen=True)
class Access:
    """How to reach an etcd: base URLs of its members, files for TLS, and the login when it demands one."""

    peers: Sequence[str]
    ca_file: Optional[str] = None
    cert_file: Optional[str] = None
    key_file: Optional[str] = None
    username: Optional[str] = None
    password_file: Optional[str] = None
    timeout: float = 15.0


Question = TypeVar("Question", bound=Callable[..., Any])


def _understood(question: Question) -> Question:
    """Turn an answer that etcd does not give, from whatever else listens there, into the error of this client."""

    @functools.wraps(question)
    def ask(client: EtcdClient, *arguments: Any) -> Any:
        try:
            return question(client, *arguments)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BackupError(
                f"{', '.join(client.peers)}: the answer to {question.__name__} is none of etcd ({error!r})."
            ) from error

    return ask  # type: ignore[return-value]


class EtcdClient:
    """Speaks to one member at a time and goes on to the next when that one fails. May be shared by threads.

    All methods raise :class:`BackupError`.
    """

    def __init__(self, access: Access, sleep: Callable[[float], None] = time.sleep) -> None:
        self._access = access
        self._sleep = sleep
        self._current = 0
        self._idle: Deque[Tuple[str, http.client.HTTPConnection]] = collections.deque()
        self._tls: Optional[ssl.SSLContext] = None
        self._base: Optional[str] = None
        self._token: Optional[str] = None
        self.version = ""

    @property
    def peers(self) -> Sequence[str]:
        """Base URLs of the members."""
        return self._access.peers

    @_understood
    def revision(self, key: bytes) -> int:
        """Return the newest revision of the store; *key* is any key that the login may read."""
        return int(self.call("kv/range", {"key": _b64(key)})["header"]["revision"])

    def pages(self, start: bytes, end: bytes, revision: int) -> Iterator[List[KeyValue]]:
        """Yield all keys in ``[start, end)`` as they were at *revision*, in order, from :data:`PAGE` at a time on."""
        more, limit = True, PAGE
        while more:
            body = {"key": _b64(start), "range_end": _b64(end), "limit": str(limit), "revision": str(revision)}
            found, more = self._page(body)
            if found:
                yield found
                start = found[-1].key + b"\0"
                mean = sum(len(entry.key) + len(entry.value) for entry in found) // len(found) + 1
                limit = max(PAGE, min(2 * limit, _PAGE_BYTES // mean, _LARGEST_PAGE))

    @_understood
    def _page(self, body: Mapping[str, Any]) -> Tuple[List[KeyValue], bool]:
        answer = self.call("kv/range", body)
        found = [_key_value(entry) for entry in answer.get("kvs", [])]
        return found, bool(found and answer.get("more"))

    @_understood
    def keys(self, start: bytes, end: bytes) -> List[bytes]:
        """Return the keys in ``[start, end)``, in order, without their values."""
        answer = self.call("kv/range", {"key": _b64(start), "range_end": _b64(end), "keys_only": True})
        return [_key_value(entry).key for entry in answer.get("kvs", [])]

    @_understood
    def count(self, start: bytes, end: bytes) -> int:
        """Return the number of keys in ``[start, end)``."""
        body = {"key": _b64(start), "range_end": _b64(end), "count_only": True}
        return int(self.call("kv/range", body).get("count", 0))

    def delete(self, start: bytes, end: bytes) -> None:
        """Delete all keys in ``[start, end)`` at once."""
        self.call("kv/deleterange", {"key": _b64(start), "range_end": _b64(end)})

    def put(self, entries: Sequence[KeyValue]) -> None:
        """Write *entries* in one transaction."""
        puts = [
            {"request_put": {"key": _b64(entry.key), "value": _b64(entry.value), "lease": str(entry.lease)}}
            for entry in entries
        ]
        self.call("kv/txn", {"success": puts})

    @_understood
    def time_to_live(self, lease: int) -> int:
        """Return the seconds *lease* has left, negative when it is gone."""
        return int(self.call(self._path("lease/timetolive"), {"ID": str(lease)}).get("TTL", 0))

    @_understood
    def grant(self, seconds: int) -> int:
        """Return a new lease that lasts for *seconds*."""
        return int(self.call("lease/grant", {"TTL": str(seconds)})["ID"])

    def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop()[1].close()

    def call(self, path: str, body: Mapping[str, Any]) -> Dict[str, Any]:
        """Send one request below the gateway's root and return the answer."""
        status, answer = self._send("POST", f"{self._root()}/{path}", body)
        if _is_stale_token(answer) and self._token:
            self._token = None
            status, answer = self._send("POST", f"{self._root()}/{path}", body)
        if status == _HTTP_OK:
            return answer
        raise self._complaint(path, status, answer)

    def _path(self, name: str) -> str:
        return f"kv/{name}" if _minor(self.version) <= (3, 3) else name

    def _root(self) -> str:
        if self._base is None:
            self.version = self._server_version()
            self._base = _gateway_root(_minor(self.version))
        if self._access.username and self._token is None:
            self._token = self._login()
        return self._base

    def _server_version(self) -> str:
        status, answer = self._send("GET", "/version", None)
        found = str(answer.get("etcdserver", ""))
        if status != _HTTP_OK or not _VERSION.match(found):
            raise BackupError(f"{self._peers()}: /version answered {status}; this is no etcd. Check storage.peers.")
        return found

    def _login(self) -> str:
        name, file_name = self._access.username, self._access.password_file
        try:
            with open(file_name or "", encoding="utf-8") as handle:
                password = handle.read().strip()
        except OSError as error:
            raise BackupError(
                f"{file_name or 'storage.password_file'}: {error.strerror}; needed to log in to etcd."
            ) from error
        status, answer = self._send("POST", f"{self._base}/auth/authenticate", {"name": name, "password": password})
        if status != _HTTP_OK or "token" not in answer:
            raise BackupError(
                f"{self._peers()}: etcd refuses the login of {name!r}: {_reason(answer)}. Check {file_name}."
            )
        return str(answer["token"])

    def _send(self, method: str, path: str, body: Optional[Mapping[str, Any]]) -> Tuple[int, Dict[str, Any]]:
        """Ask one member after the other, a few rounds long. Every request of this client may be sent twice."""
        failures: List[str] = []
        for attempt in range(_ROUNDS * len(self._access.peers)):
            peer = self._access.peers[self._current % len(self._access.peers)]
            try:
                status, answer = self._exchange(peer, method, path, body)
            except (OSError, http.client.HTTPException) as error:
                failures.append(f"{peer}: {str(error) or type(error).__name__}")
            else:
                if status not in _UNAVAILABLE and answer.get("code") != _GRPC_UNAVAILABLE:
                    return status, answer
                failures.append(f"{peer}: {_reason(answer)}")
            self._current += 1
            if (attempt + 1) % len(self._access.peers) == 0:
                self._sleep(_PAUSE_SECONDS)
        raise BackupError(f"etcd does not answer: {'; '.join(dict.fromkeys(failures))}. {_HANDSHAKE_HINT}")

    def _exchange(
        self, peer: str, method: str, path: str, body: Optional[Mapping[str, Any]]
    ) -> Tuple[int, Dict[str, Any]]:
        connection = self._connection(peer)
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = self._token
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            response = connection.getresponse()
            answer = response.status, _parsed(response.read())
        except BaseException:
            connection.close()
            raise
        self._idle.append((peer, connection))
        return answer

    def _connection(self, peer: str) -> http.client.HTTPConnection:
        # A deque's pop is atomic, so threads can share what is idle without a lock.
        while self._idle:
            kept_peer, kept = self._idle.pop()
            if kept_peer == peer:
                return kept
            kept.close()
        return self._connect(peer)

    def _connect(self, peer: str) -> http.client.HTTPConnection:
        url = urlsplit(peer)
        port, timeout = url.port or _DEFAULT_PORT, self._access.timeout
        if url.scheme == "http":
            connection = http.client.HTTPConnection(url.hostname or "", port, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection(url.hostname or "", port, timeout=timeout, context=self._context())
        connection.connect()
        # Small requests one after the other: without this each waits 40 ms for the acknowledgement of the last.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = _tls_context(self._access)
        return self._tls

    def _complaint(self, path: str, status: int, answer: Mapping[str, Any]) -> BackupError:
        reason = _reason(answer)
        if answer.get("code") == _GRPC_OUT_OF_RANGE and "compacted" in reason:
            return Compacted(f"{self._peers()}: {reason}.")
        if status == _HTTP_NOT_FOUND and not answer:
            reason = "has no JSON gateway; start it without --enable-grpc-gateway=false"
        elif "user name is empty" in reason:
            reason += "; through the gateway a client certificate is no login, set storage.username and password_file"
        return BackupError(f"{self._peers()}: etcd {self.version} refuses {path} ({status}): {reason}.")

    def _peers(self) -> str:
        return ", ".join(self._access.peers)


_HANDSHAKE_HINT = (
    "Check storage.peers and the TLS files. With --client-cert-auth the gateway presents etcd's own server certificate "
    "to itself, so that certificate has to allow clientAuth too."
)


def peer_url(peer: str, insecure: bool) -> str:
    """Return the base URL for an entry of ``storage.peers``, which may lack scheme or port."""
    if "://" not in peer:
        peer = f"{'http' if insecure else 'https'}://{peer}"
    return peer.rstrip("/")


def _tls_context(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=access.ca_file or None)
        # Python 3.13 turns on checks that Go, and so Teleport, does not make; what works for Teleport has to work here.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if access.cert_file:
            context.load_cert_chain(access.cert_file, access.key_file or None)
    except OSError as error:
        files = ", ".join(name for name in (access.ca_file, access.cert_file, access.key_file) if name)
        raise BackupError(f"{files}: cannot be used for TLS to etcd: {error.strerror or error}.") from error
    return context


def _gateway_root(version: Tuple[int, int]) -> str:
    """Name the gateway's root (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/, "notes")."""
    if version <= (3, 2):
        return "/v3alpha"
    return "/v3beta" if version == (3, 3) else "/v3"


def _minor(version: str) -> Tuple[int, int]:
    match = _VERSION.match(version)
    return (int(match.group(1)), int(match.group(2))) if match else (3, 4)


def _key_value(entry: Mapping[str, Any]) -> KeyValue:
    return KeyValue(b64decode(entry["key"]), b64decode(entry.get("value", "")), int(entry.get("lease", 0)))


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _parsed(body: bytes) -> Dict[str, Any]:
    try:
        answer = foreign_file.parse_json(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _reason(answer: Mapping[str, Any]) -> str:
    return str(answer.get("message") or answer.get("error") or "no reason given")


def _is_stale_token(answer: Mapping[str, Any]) -> bool:
    return "invalid auth token" in _reason(answer)
