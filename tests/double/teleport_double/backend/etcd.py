# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The etcd v3 store, spoken to over etcd's own HTTP JSON gateway."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from .base import Backend, BackendError, Item

_TIMEOUT = 5.0


class EtcdBackend(Backend):
    """Keys live under ``prefix``; expiring ones hang on a lease, as the real ones do."""

    def __init__(self, storage: dict[str, Any], prefix: str) -> None:
        self._peers = [str(peer) for peer in storage.get("peers") or ["https://127.0.0.1:2379"]]
        self._prefix = prefix
        self._context = _tls(storage)
        self._user = (str(storage.get("username") or ""), _password(storage))
        self._token = ""
        self._local = threading.local()
        self.location = f"etcd:{','.join(sorted(self._peers))}{prefix}"
        self._login()

    @property
    def prefix(self) -> str:
        """What stands before every key."""
        return self._prefix

    def get(self, key: str) -> Item | None:
        found = self._call("kv/range", {"key": self._key(key)}).get("kvs") or []
        item = self._item(found[0]) if found else None
        return item if item and item.alive() else None

    def put(self, key: str, value: str, expires: float | None = None) -> None:
        body = {"key": self._key(key), "value": _encode(_wrap(value, expires))}
        if expires is not None:
            body["lease"] = self._lease(expires)
        self._call("kv/put", body)

    def delete(self, key: str) -> bool:
        return int(self._call("kv/deleterange", {"key": self._key(key)}).get("deleted", 0)) > 0

    def scan(self, prefix: str) -> list[Item]:
        start = self._prefix + prefix
        end = start.encode()[:-1] + bytes([start.encode()[-1] + 1])
        body = {"key": _encode(start), "range_end": base64.b64encode(end).decode(), "sort_target": "KEY"}
        found = self._call("kv/range", body).get("kvs") or []
        return [item for item in map(self._item, found) if item.alive()]

    def swap(self, key: str, expected: str, value: str) -> bool:
        compare = {
            "key": self._key(key),
            "target": "VALUE",
            "result": "EQUAL",
            "value": _encode(_wrap(expected, None)),
        }
        success = [{"requestPut": {"key": self._key(key), "value": _encode(_wrap(value, None))}}]
        return bool(self._call("kv/txn", {"compare": [compare], "success": success}).get("succeeded"))

    def close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()

    def _key(self, key: str) -> str:
        return _encode(self._prefix + key)

    def _item(self, raw: dict[str, str]) -> Item:
        key = base64.b64decode(raw["key"]).decode()[len(self._prefix) :]
        value, expires = _unwrap(base64.b64decode(raw.get("value", "")).decode())
        return Item(key, value, expires)

    def _lease(self, expires: float) -> str:
        seconds = max(1, int(expires - time.time() + 0.999))
        return str(self._call("lease/grant", {"TTL": seconds})["ID"])

    def _login(self) -> None:
        name, password = self._user
        if name:
            self._token = str(self._call("auth/authenticate", {"name": name, "password": password})["token"])

    def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        problems = []
        for peer in self._peers:
            for _attempt in (1, 2):  # a kept connection may have been closed by the other side
                try:
                    return self._ask(peer, method, body)
                except (OSError, http.client.HTTPException) as error:
                    self.close()
                    self._local.connection = None
                    problems.append(f"{peer}: {error}")
        raise BackendError("etcd: " + "; ".join(dict.fromkeys(problems)))

    def _ask(self, peer: str, method: str, body: dict[str, Any]) -> dict[str, Any]:
        connection = self._connection(peer)
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = self._token
        connection.request("POST", f"/v3/{method}", json.dumps(body), headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise BackendError(f"etcd: {method}: HTTP {response.status}: {answer.decode(errors='replace')[:200]}")
        return dict(json.loads(answer))

    def _connection(self, peer: str) -> http.client.HTTPConnection:
        kept = getattr(self._local, "connection", None)
        if kept is not None and getattr(self._local, "peer", None) == peer:
            return kept  # type: ignore[no-any-return]
        url = urlsplit(peer)
        port = url.port or 2379
        fresh: http.client.HTTPConnection
        if url.scheme == "https":
            fresh = http.client.HTTPSConnection(url.hostname or "", port, timeout=_TIMEOUT, context=self._context)
        else:
            fresh = http.client.HTTPConnection(url.hostname or "", port, timeout=_TIMEOUT)
        self._local.connection, self._local.peer = fresh, peer
        return fresh


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _wrap(value: str, expires: float | None) -> str:
    """etcd stores seconds of a lease only; the exact moment travels with the value."""
    return base64.b64encode(value.encode()).decode() + ("" if expires is None else f"@{expires:.6f}")


def _unwrap(stored: str) -> tuple[str, float | None]:
    value, at, expires = stored.partition("@")
    return base64.b64decode(value).decode(), float(expires) if at else None


def _tls(storage: dict[str, Any]) -> ssl.SSLContext | None:
    if not any(str(peer).startswith("https") for peer in storage.get("peers") or ["https://"]):
        return None
    context = ssl.create_default_context(cafile=storage.get("tls_ca_file") or None)
    if storage.get("insecure"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if storage.get("tls_cert_file"):
        try:
            context.load_cert_chain(storage["tls_cert_file"], storage["tls_key_file"])
        except (OSError, KeyError, ssl.SSLError) as error:
            raise BackendError(f"etcd: cannot read the client certificate: {error}") from None
    return context


def _password(storage: dict[str, Any]) -> str:
    path = storage.get("password_file")
    if not path or not os.path.exists(str(path)):
        return str(storage.get("password") or "")
    with open(str(path), encoding="utf-8") as stream:
        return stream.read().strip()
