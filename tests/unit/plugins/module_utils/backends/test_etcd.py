# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the etcd client's manners towards versions and failures that no real etcd here has."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backends import etcd as backend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import (
    TXN_BYTES,
    TXN_OPS,
    Access,
    EtcdClient,
    KeyValue,
    peer_url,
)

Answer = tuple[int, dict[str, Any]]


@contextmanager
def refused(answer: Callable[[str, dict[str, Any]], Answer], says: str) -> Iterator[EtcdClient]:
    """Give a client of a gateway, and expect the block to fail saying *says*."""
    with gateway(answer) as url, closing(client_of(url)) as client, pytest.raises(BackupError, match=says):
        yield client


@contextmanager
def gateway(answer: Callable[[str, dict[str, Any]], Answer]) -> Iterator[str]:
    """Serve *answer*, a function of path and body, as an etcd would."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            status, value = answer(self.path, body)
            data = json.dumps(value).encode() if value else b"404 page not found"
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client_of(*peers: str) -> EtcdClient:
    return EtcdClient(Access(peers), sleep=lambda _seconds: None)


@pytest.mark.parametrize(
    ("version", "paths"),
    [
        ("3.3.25", ["/v3beta/kv/range", "/v3beta/kv/lease/timetolive", "/v3beta/lease/grant"]),
        ("3.4.23", ["/v3/kv/range", "/v3/lease/timetolive", "/v3/lease/grant"]),
        ("3.6.1", ["/v3/kv/range", "/v3/lease/timetolive", "/v3/lease/grant"]),
    ],
)
def test_each_version_is_asked_under_its_own_root(version: str, paths: list[str]) -> None:
    asked: list[str] = []

    def answer(path: str, _body: dict[str, Any]) -> Answer:
        asked.append(path)
        return 200, {"etcdserver": version, "count": "3", "TTL": "9", "ID": "7"}

    with gateway(answer) as url, closing(client_of(url)) as client:
        assert (client.count(b"a", b"b"), client.time_to_live(1), client.grant(9)) == (3, 9, 7)
    assert asked == ["/version", *paths]


def versioned(answer: Callable[[str, dict[str, Any]], Answer]) -> Callable[[str, dict[str, Any]], Answer]:
    return lambda path, body: (200, {"etcdserver": "3.4.23"}) if path == "/version" else answer(path, body)


def test_a_member_without_a_leader_is_left_for_the_next() -> None:
    refusing = versioned(lambda _path, _body: (503, {"error": "etcdserver: no leader", "code": 14}))
    serving = versioned(lambda _path, _body: (200, {"count": "5"}))
    with gateway(refusing) as first, gateway(serving) as second, closing(client_of(first, second)) as client:
        assert client.count(b"a", b"b") == 5


def test_a_gateway_that_is_switched_off_is_named() -> None:
    with refused(versioned(lambda _path, _body: (404, {})), "enable-grpc-gateway") as client:
        client.count(b"a", b"b")


def test_something_else_on_the_port_is_named() -> None:
    with refused(lambda _path, _body: (200, {"hello": "world"}), "this is no etcd. Check storage.peers") as client:
        client.count(b"a", b"b")


def test_a_refusal_says_what_was_refused() -> None:
    refusing = versioned(lambda _path, _body: (403, {"error": "etcdserver: permission denied", "code": 7}))
    with refused(refusing, r"etcd 3.4.23 refuses kv/range \(403\): etcdserver: permission denied") as client:
        client.count(b"a", b"b")


@pytest.mark.parametrize(
    ("given", "insecure", "url"),
    [
        ("https://e1:2379/", False, "https://e1:2379"),
        ("http://e1:2379", False, "http://e1:2379"),
        ("e1:2379", False, "https://e1:2379"),
        ("e1:2379", True, "http://e1:2379"),
    ],
)
def test_peers_with_and_without_a_scheme(given: str, insecure: bool, url: str) -> None:
    assert peer_url(given, insecure) == url


def test_transactions_stay_within_what_etcd_takes() -> None:
    entries = [KeyValue(b"k%05d" % number, b"x" * (number % 50_000), 0) for number in range(0, 100_000, 37)]
    cut = list(backend.batches(entries))
    assert [entry for batch in cut for entry in batch] == entries
    assert max(map(len, cut)) <= TXN_OPS
    assert max(sum(len(entry.key) + len(entry.value) for entry in batch) for batch in cut) <= TXN_BYTES


def test_a_value_larger_than_a_transaction_travels_alone() -> None:
    big = KeyValue(b"b", b"x" * (TXN_BYTES + 1), 0)
    small = KeyValue(b"s", b"x", 0)
    assert list(backend.batches([small, big, small])) == [[small], [big], [small]]
    assert list(backend.batches([])) == []


GOOD = {"k": b64encode(b"/teleport/a").decode(), "v": b64encode(b"1").decode()}


@pytest.mark.parametrize("line", ["", "{}", "[]", "nonsense", '{"k": "!!", "v": ""}', '{"k": 1, "v": ""}'])
def test_a_line_that_is_no_key_is_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / backend.PART
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n")
    with pytest.raises(BackupError, match=r"etcd.jsonl: line 2 is no saved key"):
        list(backend.read_entries(str(path)))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([b"/teleport/b", b"/teleport/a"], "out of order"),
        ([b"/other/a"], "not below /teleport/"),
        ([b"/teleport/a"], "holds"),
    ],
)
def test_a_file_that_is_not_what_was_saved_is_refused(keys: list[bytes], says: str, tmp_path: Path) -> None:
    lines = [json.dumps({**GOOD, "k": b64encode(key).decode()}) for key in keys]
    (tmp_path / backend.PART).write_text("\n".join(lines) + "\n")
    etcd = backend.EtcdBackend("/teleport", client_of("http://127.0.0.1:1"))
    with pytest.raises(BackupError, match=says):
        etcd.verify(str(tmp_path), {"counts": {"keys": 9, "leased_keys": 0}})
