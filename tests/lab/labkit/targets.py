# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe asks: the services of a lab as their clients see them."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .configs import balanced_cluster
from .outages import Poll
from .record import Lab
from .settings import Settings

POLL_SECONDS = 2.0
AUTH_PORT = 3025
WEB_PORT = 3080


@dataclass(frozen=True)
class Target:
    """A named question; asking returns what was seen, or raises one of FAILURES."""

    name: str
    ask: Callable[[], str]


FAILURES = (OSError, http.client.HTTPException, subprocess.SubprocessError)


def targets(lab: Lab) -> list[Target]:
    """``auth:HOST`` for every auth host, ``proxy:HOST`` for every proxy host, ``balancer:HOST`` where there is one."""
    found = []
    for host in lab.topology.hosts:
        address = lab.address(host.name)
        if "auth" in host.services:
            found.append(Target(f"auth:{host.name}", _bound(answers, address, AUTH_PORT)))
        if "proxy" in host.services:
            found.append(Target(f"proxy:{host.name}", _bound(web_ping, address, WEB_PORT)))
        if "balancer" in host.extras and balanced_cluster(lab):
            found.append(Target(f"balancer:{host.name}", _bound(web_ping, address, WEB_PORT)))
    return found


def command_target(settings: Settings, name: str, host: str, command: Sequence[str]) -> Target:
    """A target that is well when a command on a host ends with status 0 (a ``tsh ssh`` through a proxy, say)."""
    line = ["podman", "exec", settings.container(host), "timeout", str(POLL_SECONDS * 2), *command]

    def ask() -> str:
        subprocess.run(line, capture_output=True, timeout=POLL_SECONDS * 4, check=True)
        return "0"

    return Target(name, ask)


def groups(lab: Lab) -> dict[str, list[str]]:
    """``auth@CLUSTER`` and ``proxy@CLUSTER``: a cluster is without a service when all its hosts are."""
    found = {}
    for cluster in lab.topology.clusters:
        for service in ("auth", "proxy"):
            members = [f"{service}:{host.name}" for host in lab.topology.of_cluster(cluster, service)]
            if members:
                found[f"{service}@{cluster}"] = members
    return found


def poll(target: Target) -> Poll:
    """Ask once."""
    at, started = time.time(), time.monotonic()
    try:
        detail, ok = target.ask(), True
    except FAILURES as error:
        detail, ok = f"{type(error).__name__}: {error}", False
    return Poll(target.name, round(at, 3), round(time.monotonic() - started, 3), ok, detail)


def answers(address: str, port: int) -> str:
    """What a server says to the beginning of a TLS handshake: the version agreed to, or ``closed`` when it wants none.

    Raises OSError when nobody listens, or when nothing comes back: a connection alone may be a gateway's doing.
    """
    with socket.create_connection((address, port), timeout=POLL_SECONDS) as plain:
        try:
            with _unverified().wrap_socket(plain) as connection:
                return connection.version() or ""
        except ssl.SSLError:
            return "closed"


def web_ping(address: str, port: int) -> str:
    """The status of /webapi/ping, which a proxy answers from what its auth says. Raises HTTPException unless it is 200.

    Asked by address: a proxy takes other names than its first public one for those of applications.
    """
    connection = http.client.HTTPSConnection(address, port, timeout=POLL_SECONDS, context=_unverified())
    try:
        connection.request("GET", "/webapi/ping")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != http.client.OK:
        raise http.client.HTTPException(f"status {status}")
    return str(status)


def _unverified() -> ssl.SSLContext:
    """Certificates are self-signed or the cluster's own; whether anybody answers is all that is asked."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _bound(question: Callable[[str, int], str], address: str, port: int) -> Callable[[], str]:
    return lambda: question(address, port)
