# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of /readyz of all generations, over real sockets."""

from __future__ import annotations

import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.readiness import (
    Readiness,
    WebAnswer,
    accepts,
    parse_answer,
    probe,
    split_address,
    web_ping,
)


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=elsewhere"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answering(text: bytes) -> Callable[..., socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            self.wfile.write(text)

    return Handler


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (http("200 OK", '{"status":"ok"}'), Readiness("diag", 200, "ok")),
        (http("200 OK", '{"status":"ok","pid":4}'), Readiness("diag", 200, "ok", 4)),
        (http("400 Bad Request", '{"status":"teleport is starting"}'), Readiness("diag", 400, "teleport is starting")),
        (http("503 Unavailable", '{"status":"degraded"}'), Readiness("diag", 503, "degraded")),
        (http("200 OK", "plain"), Readiness("diag", 200, "plain")),
        (http("200 OK", "[1]"), Readiness("diag", 200, "[1]")),
    ],
)
def test_diagnostic_endpoint(text: bytes, expected: Readiness) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), answering(text)) as server, serving(server):
        assert probe(f"0.0.0.0:{server.server_address[1]}", None) == expected


#: What instances of each generation say of themselves, and whether they may count as ready by it.
STATES = [
    (200, "ok", True),
    (400, "teleport is starting and hasn't joined the cluster yet", False),
    (400, "teleport is recovering from a degraded state, check logs for details", False),
    (503, "teleport is in a degraded state, check logs for details", False),
]


@pytest.mark.parametrize(("status", "says", "ready"), STATES)
@pytest.mark.parametrize("more", ["", ',"pid":4711'])
def test_each_generation_is_understood(status: int, says: str, more: str, *, ready: bool) -> None:
    answer = parse_answer("diag", status, f'{{"status":"{says}"{more}}}'.encode())
    assert (answer.ready, answer.status) == (ready, says)


@pytest.mark.parametrize("pid", ["true", "0", "-4", "4.5", '"4"', "[4]", "null"])
def test_what_is_no_process_is_not_taken_for_one(pid: str) -> None:
    assert parse_answer("diag", 200, f'{{"status":"ok","pid":{pid}}}'.encode()).pid is None


@pytest.mark.parametrize(
    ("body", "version"),
    [
        ('{"auth":{"type":"local"},"server_version":"3.2.18-build","min_client_version":"3.0.0"}', "3.2.18-build"),
        ('{"proxy":{"kube":{}},"server_version":"4.2.12","min_client_version":"3.0.0"}', "4.2.12"),
        ('{"auth":{"second_factor":"otp"},"server_version":"18.9.2","min_client_version":"17.0.0-aa"}', "18.9.2"),
        ('{"auth":{}}', None),
        ("<html>", None),
        ("[]", None),
    ],
)
def test_what_a_proxy_tells_of_its_version(body: str, version: str | None, tls_files: tuple[Path, Path]) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), answering(http("200 OK", body))) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls_files)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with serving(server):
            assert web_ping(f"127.0.0.1:{server.server_address[1]}") == WebAnswer(200, version)


def test_a_proxy_that_gives_no_readable_answer_says_nothing() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), answering(http("400 Bad Request", ""))) as server, serving(server):
        assert web_ping(f"127.0.0.1:{server.server_address[1]}") is None
    assert web_ping("nonsense") is None


@pytest.mark.parametrize("text", [b"", b"\x16\x03\x01 tls?", b"HTTP/1.1 abc\r\n\r\n"])
def test_something_else_on_the_port_is_not_ready(text: bytes) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), answering(text)) as server, serving(server):
        answer = probe(f"127.0.0.1:{server.server_address[1]}", None)
    assert answer is not None
    assert not answer.ready


def test_closed_port_and_bad_address_are_not_ready() -> None:
    for address in ("127.0.0.1:1", "nonsense"):
        answer = probe(address, None)
        assert answer is not None
        assert answer.http_status is None


def test_debug_socket(tmp_path: Path) -> None:
    text = http("200 OK", '{"status":"ok"}')
    with socketserver.UnixStreamServer(str(tmp_path / "debug.sock"), answering(text)) as server, serving(server):
        assert probe(None, str(tmp_path)) == Readiness("debug_socket", 200, "ok")


def test_debug_socket_without_readiness_says_nothing(tmp_path: Path) -> None:
    text = http("404 Not Found", "no")
    with socketserver.UnixStreamServer(str(tmp_path / "debug.sock"), answering(text)) as server, serving(server):
        assert probe(None, str(tmp_path)) is None


def test_an_instance_without_either_says_nothing(tmp_path: Path) -> None:
    assert probe(None, str(tmp_path)) is None
    assert probe(None, None) is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:3000", ("127.0.0.1", 3000)),
        ("0.0.0.0:3000", ("127.0.0.1", 3000)),
        (":3000", ("127.0.0.1", 3000)),
        ("[::]:3000", ("::1", 3000)),
        ("[fd00::1]:3000", ("fd00::1", 3000)),
        ("tcp://host.example:3000", ("host.example", 3000)),
        ("host.example", ("host.example", 3025)),
        ("[fd00::1]", ("fd00::1", 3025)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address, 3025) == expected


def test_address_without_a_port() -> None:
    with pytest.raises(ValueError, match="no HOST:PORT"):
        split_address("host.example")


def test_long_answers_are_cut() -> None:
    assert len(parse_answer("diag", 200, b"x" * 9999).status) == 200


def test_accepting_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert accepts(f"0.0.0.0:{port}")
    assert not accepts(f"0.0.0.0:{port}")
    assert not accepts("nonsense")
