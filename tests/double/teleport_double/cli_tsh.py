# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``tsh`` command: enough of it for a prober to see what users see."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import sys
from typing import Any

from .config import dial_address, split_address
from .errors import CommandError, RawText
from .features import has
from .flags import Command, Parsed, Parser
from .identity import Identity
from .tables import table
from .wire import Message, Refusal, Wire

_VALUED = frozenset(("identity", "proxy", "user", "login", "cluster", "ttl", "auth", "port", "format"))
_SWITCHES = frozenset(("insecure", "debug", "skip-version-check", "client"))
TIMEOUT = 10.0
COMMANDS = (
    Command(("version",), "Print the version.", _VALUED, _SWITCHES),
    Command(("help",), "Show help.", operands=-1),
    Command(("ls",), "List remote SSH nodes", _VALUED, _SWITCHES, operands=1),
    Command(("ssh",), "Run shell or execute a command on a remote SSH node", _VALUED, _SWITCHES, operands=-1),
    Command(("clusters",), "List available Teleport clusters", _VALUED, _SWITCHES),
    Command(("status",), "Display the list of proxy servers and retrieved certificates", _VALUED, _SWITCHES),
)
NO_EXIT = "wait: remote command exited without exit status or exit signal"


def main(argv: list[str], identity: Identity) -> int:
    """Run the command; the exit status."""
    short = {"i": "identity", "l": "login", "d": "debug", "c": "cluster", "k": "insecure"}
    parsed = Parser("tsh", identity.version, COMMANDS, short).parse(argv[1:])
    name = parsed.command.words[0]
    if name == "version":
        print(identity.version_line)
        return 0
    if not parsed.given("identity"):
        raise CommandError(
            "Not logged in." if name == "status" else "there is no local keystore, there is no local keystore"
        )
    credentials = _credentials(parsed.last("identity"))
    if name == "status":
        print(f"> Profile URL:  {parsed.last('proxy')}\n  Logged in as: {credentials['claims']['user']}")
        return 0
    proxy = Proxy(parsed, identity, credentials)
    return {"ls": _ls, "clusters": _clusters, "ssh": _ssh}[name](proxy, parsed)


def _credentials(path: str) -> Message:
    try:
        with open(path, encoding="utf-8") as stream:
            return dict(json.load(stream))
    except FileNotFoundError:
        raise CommandError(f"open {path}: no such file or directory") from None
    except ValueError:
        raise CommandError(f"{path}: ssh: no key found") from None


class Proxy:
    """The proxy a user talks to."""

    def __init__(self, parsed: Parsed, identity: Identity, credentials: Message) -> None:
        if not parsed.given("proxy"):
            raise CommandError("No proxy address specified, missed --proxy flag?")
        self._web = split_address(parsed.last("proxy").partition(",")[0], 3080)
        self._credentials = credentials
        self._cluster = parsed.last("cluster")
        self._insecure = parsed.given("insecure") or parsed.given("client")
        self.version = identity.version
        if self._insecure and identity.version.major < 7:
            sys.stderr.write(
                f"WARNING: You are using insecure connection to SSH proxy https://{parsed.last('proxy')}\n"
            )

    def ask(self, request: Message) -> Wire:
        """Send a request to the proxy's SSH port; raises CommandError."""
        address = self._ssh_address()
        self._check_hosts()
        try:
            wire = Wire.dial(address, TIMEOUT)
            wire.sock.settimeout(None)
            signed = {key: value for key, value in self._credentials.items() if key != "hosts"}
            wire.send({**request, "identity": signed, "cluster": self._cluster})
        except OSError as error:
            raise CommandError(f"failed to connect to {address[0]}:{address[1]}: {error}") from None
        return wire

    def _check_hosts(self) -> None:
        """An identity file trusts the host CAs of its time only."""
        if self._cluster and self._cluster not in self._credentials.get("hosts", {}):
            raise CommandError("x509: certificate signed by unknown authority")

    def _ssh_address(self) -> tuple[str, int]:
        context = ssl.create_default_context()
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(*self._web, timeout=TIMEOUT, context=context)
        try:
            connection.request("GET", "/webapi/ping")
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CommandError(f'Get "https://{self._web[0]}:{self._web[1]}/webapi/ping": {error}') from None
        finally:
            connection.close()
        if response.status not in (200, 504):
            raise CommandError("invalid character '<' looking for beginning of value")
        port = 3023
        if response.status == 200:
            found: dict[str, Any] = json.loads(body)
            port = split_address(str(found["proxy"]["ssh"]["listen_addr"]), 3023)[1]
        else:
            port = int(os.environ.get("TELEPORT_DOUBLE_SSH_PORT", port))
        return dial_address((self._web[0], port))


def _answer(wire: Wire) -> Message:
    message = wire.receive()
    if message is None:
        raise CommandError("ssh: handshake failed: EOF")
    if "error" in message:
        raise CommandError(str(message["error"]))
    return message


def _ls(proxy: Proxy, _parsed: Parsed) -> int:
    if has(proxy.version, "tsh_ls_panics"):
        raise RawText("panic: runtime error: invalid memory address or nil pointer dereference\n", code=2)
    found = _answer(proxy.ask({"op": "ls"}))["nodes"]
    rows = []
    for node in found:
        labels = ", ".join(f"{k}={v}" for k, v in sorted((node["metadata"].get("labels") or {}).items()))
        rows.append([node["spec"]["hostname"], node["spec"]["addr"], labels])
    print(table(["Node Name", "Address", "Labels"], rows))
    return 0


def _clusters(proxy: Proxy, _parsed: Parsed) -> int:
    answer = _answer(proxy.ask({"op": "clusters"}))
    rows = [[answer["root"], "online"]]
    rows += [[leaf["name"], "online" if leaf["online"] else "offline"] for leaf in answer["leafs"]]
    print(table(["Cluster Name", "Status"], rows), end="")
    return 0


def _ssh(proxy: Proxy, parsed: Parsed) -> int:
    if not parsed.operands:
        raise CommandError("required argument '[user@]host' not provided")
    login, _at, node = parsed.operands[0].rpartition("@")
    request = {"op": "ssh", "node": node, "login": login or parsed.last("login", "root")}
    wire = proxy.ask({**request, "command": " ".join(parsed.operands[1:])})
    while True:
        try:
            message = wire.receive()
        except (OSError, Refusal):
            message = None
        if message is None:
            raise CommandError(NO_EXIT)
        if "error" in message:
            raise CommandError(str(message["error"]))
        if "exit" in message:
            return int(message["exit"])
        for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
            if name in message:
                stream.buffer.write(base64.b64decode(message[name]))
                stream.buffer.flush()
