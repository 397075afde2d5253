# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy's web API over HTTPS with a self-signed certificate."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..diag import run_http
from ..features import has, load_table, newest
from ..settings import fault
from ..wire import Refusal

if TYPE_CHECKING:
    from .proxy import Proxy


def certificate_files(config: Config) -> tuple[str, str]:
    """Certificate and key of the web listener, made on first use."""
    section = config.section("proxy_service")
    if section.get("https_cert_file"):
        return str(section["https_cert_file"]), str(section["https_key_file"])
    cert = os.path.join(config.data_dir, "webproxy_cert.pem")
    key = os.path.join(config.data_dir, "webproxy_key.pem")
    if not os.path.exists(cert):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", "3650", "-subj", f"/CN={config.nodename}", "-keyout", key, "-out", cert]
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.chmod(key, 0o600)
    return cert, key


def serve_web(sock: socket.socket, proxy: Proxy) -> None:
    """Answer HTTPS on a listening socket for ever; runs in a thread of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate_files(proxy.config))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            # here, in the connection's own thread: a client that never shakes hands must not block others
            self.request.settimeout(10)
            self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def do_GET(self) -> None:
            self._reply(*answer_get(proxy, self.path.partition("?")[0]))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._reply(*answer_post(proxy, self.path, body))

        def _reply(self, status: int, body: Any) -> None:
            data = body.encode() if isinstance(body, str) else json.dumps(body, separators=(",", ":")).encode()
            self.send_response(status)
            kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
            self.send_header("Cache-Control", "no-cache, no-store, must-revalidate")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args: object) -> None:
            """Requests leave no trace in the log."""

    class Quiet(Handler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

    run_http(sock, Quiet)


def answer_get(proxy: Proxy, path: str) -> tuple[int, Any]:
    """Status and body of a GET: an object becomes JSON, a text stays one."""
    version = proxy.identity.version
    if fault(version, "proxy_502"):
        return 502, "bad gateway\n"
    if path == "/webapi/ping":
        if not proxy.link.attached:
            return 504, {"error": {"message": "failed to reach auth server"}}
        return 200, document(proxy, with_auth=True)
    if path == "/webapi/find" and has(version, "webapi_find"):
        return 200, document(proxy, with_auth=False)
    if path in ("/", "/web", "/web/login"):
        return 200, "<!DOCTYPE html><html><title>Teleport</title></html>\n"
    return 404, "404 page not found\n"


def answer_post(proxy: Proxy, path: str, body: bytes) -> tuple[int, Any]:
    """Status and body of a POST: only leafs that introduce themselves."""
    if path != "/webapi/trustedclusters/validate":
        return 404, "404 page not found\n"
    try:
        return 200, proxy.link.ask({"op": "trust_validate", **json.loads(body)})
    except Refusal as error:
        return 403, {"error": {"message": error.text}}
    except (OSError, ValueError) as error:
        return 504, {"error": {"message": str(error)}}


def document(proxy: Proxy, with_auth: bool) -> dict[str, Any]:
    """What ping and find say about this proxy."""
    version, config = proxy.identity.version, proxy.config
    ssh = {"listen_addr": config.address("proxy_service", "listen_addr", 3023, text=True)}
    if has(version, "tunnel_listen_addr_in_ping"):
        ssh["tunnel_listen_addr"] = config.address("proxy_service", "tunnel_listen_addr", 3024, text=True)
    public = config.public_addresses("proxy_service")
    if public:
        ssh["public_addr"] = public[0]
    auth: dict[str, Any] = {"type": "local", "second_factor": "off"} if with_auth else {"type": ""}
    found: dict[str, Any] = {"auth": auth, "proxy": {"kube": {}, "ssh": ssh}}
    if version.major >= 6:
        found["proxy"]["db"] = {}
    if version.major >= 8:
        auth["has_motd"] = False
        found["proxy"]["tls_routing_enabled"] = False
    found["server_version"] = proxy.identity.shown_version
    found["min_client_version"] = newest(load_table("migrations")["min_client_version"], version)
    if version.major >= 10:
        found["cluster_name"] = proxy.link.cluster
        found["automatic_upgrades"] = False
    return found
