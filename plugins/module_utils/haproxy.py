# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server of HAProxy in all backends that hold it, taken out and put back through the runtime socket.

Commands and fields: HAProxy's management guide, "9.1. CSV format" and "9.3. Unix Socket commands" (``show stat``,
``set server``), the same since HAProxy 1.6. What is set there lasts until HAProxy is reloaded.
"""

from __future__ import annotations

import csv
import io
import re
import socket
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import readiness
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

Ask = Callable[[str], str]

_SHOW = "show stat -1 4 -1"  # all proxies, servers only
_SECONDS = 5.0
_TAKES = ("UP", "no check")  # "UP 1/3" is on its way down and still takes connections
_SHOWN = 20
_NUMBER_RE = re.compile(r"[0-9]{1,15}")


class Server(NamedTuple):
    """A server as one backend sees it: ``status`` in HAProxy's words, open ``sessions``, ``address`` if it is told."""

    backend: str
    name: str
    status: str
    sessions: int
    address: str

    @property
    def takes_connections(self) -> bool:
        """Whether new connections are sent to it."""
        return self.status.startswith(_TAKES)

    @property
    def is_out(self) -> bool:
        """Whether an administrator has taken it out, for good or while its sessions end."""
        return self.status.startswith(("MAINT", "DRAIN"))


class Wish(NamedTuple):
    """What is asked for. Without *backends* all that hold a server of that name are meant; *timeout* is in seconds."""

    server: str
    backends: Sequence[str]
    timeout: float


def parse(answer: str) -> List[Server]:
    """Read what ``show stat`` answers.

    :raises HostError: when it is no table, as when the socket does not permit the command.
    """
    try:
        if not answer.startswith("# "):
            raise ValueError("a table starts with its columns")
        return [_server(row) for row in csv.DictReader(io.StringIO(answer.lstrip("# ").strip()))]
    except (csv.Error, KeyError, ValueError) as problem:
        said = answer.strip()[:200] or "nothing"
        raise HostError(f"HAProxy answers to {_SHOW!r}: {said}") from problem


def _server(row: Dict[str, Any]) -> Server:
    sessions = row["scur"] or "0"
    if not _NUMBER_RE.fullmatch(sessions):
        raise ValueError(f"{sessions!r} is no number of sessions")
    backend, name, status = (row[key] or "" for key in ("pxname", "svname", "status"))
    return Server(backend, name, status, int(sessions), row.get("addr") or "")


def chosen(servers: Iterable[Server], wish: Wish) -> List[Server]:
    """Return the servers that are meant.

    :raises HostError: when a backend that is named has none, or none has.
    """
    known = list(servers)
    found = [one for one in known if one.name == wish.server and (not wish.backends or one.backend in wish.backends)]
    missing = sorted(set(wish.backends) - {one.backend for one in found})
    if missing or not found:
        where = f"in {', '.join(missing)}" if missing else "in any backend"
        seen = ", ".join(f"{one.backend}/{one.name}" for one in known[:_SHOWN]) or "none"
        raise HostError(
            f"HAProxy has no server {wish.server!r} {where}. It has: {seen}. Correct the names of server and backends."
        )
    return found


def irreplaceable(servers: Iterable[Server], leaving: Iterable[Server]) -> List[str]:
    """Return the backends that have other servers, none of which takes connections now."""
    known = list(servers)
    gone = []
    for one in leaving:
        others = [other for other in known if other.backend == one.backend and other.name != one.name]
        if one.takes_connections and others and not any(other.takes_connections for other in others):
            gone.append(one.backend)
    return gone


def over(path: str, seconds: float = _SECONDS) -> Ask:
    """Return a function that asks the runtime socket at *path* one command and raises :class:`HostError`."""

    def ask(command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(seconds)
                link.connect(path)
                link.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: link.recv(65536), b"")).decode("utf-8", "replace")
        except OSError as problem:
            raise HostError(
                f"HAProxy does not answer on {path} ({problem.strerror or problem}). Name its runtime socket, and give "
                "it 'level admin' in the section global."
            ) from problem

    return ask


def drain(ask: Ask, wish: Wish, check_mode: bool) -> Dict[str, Any]:
    """Send no new connections to the server. Open sessions go on.

    :raises HostError: when a backend would be left without a server that takes connections.
    """
    servers = parse(ask(_SHOW))
    mine = chosen(servers, wish)
    leaving = [one for one in mine if not one.is_out]
    alone = irreplaceable(servers, leaving)
    if alone:
        raise HostError(
            f"{wish.server} is the last server that takes connections in {', '.join(alone)}. Bring the others back "
            "first; teleport_proxy_batches says how many proxies are taken out at once."
        )
    return _set(ask, wish, leaving, "drain", check_mode)


def take_out(host: Host, ask: Ask, wish: Wish, check_mode: bool) -> Dict[str, Any]:
    """Drain, wait until all sessions have ended or the time is over, and then send nothing at all to the server.

    The last step is for what HAProxy sends to a draining server all the same: clients that it knows from before.
    """
    drained = drain(ask, wish, check_mode)
    if not check_mode:
        host.wait_until(lambda: not _sessions(ask, wish), wish.timeout, 0.5)
    left = _sessions(ask, wish)
    staying = [one for one in chosen(parse(ask(_SHOW)), wish) if not one.status.startswith("MAINT")]
    result = _set(ask, wish, staying, "maint", check_mode)
    return {**result, "changed": drained["changed"] or result["changed"], "sessions_left": left}


def put_back(host: Host, ask: Ask, wish: Wish, check_mode: bool) -> Dict[str, Any]:
    """Send connections to the server again, once it can be reached from here, and wait until HAProxy finds it up.

    :raises HostError: when it cannot be reached, or HAProxy does not find it up in time.
    """
    out = [one for one in chosen(parse(ask(_SHOW)), wish) if one.is_out]
    addresses = sorted({one.address for one in out if one.address})
    reached = check_mode or host.wait_until(lambda: all(map(readiness.accepts, addresses)), wish.timeout, 0.5)
    if not reached:
        raise HostError(
            f"{wish.server} cannot be reached from its load balancer at {', '.join(addresses)}, so it stays out."
        )
    result = _set(ask, wish, out, "ready", check_mode)
    up = check_mode or host.wait_until(lambda: not _absent(ask, wish), wish.timeout, 0.5)
    if not up:
        told = ", ".join(f"{one.backend}: {one.status}" for one in _absent(ask, wish))
        raise HostError(f"{wish.server} is back in HAProxy, which does not find it up ({told}).")
    return {**result, **_facts(chosen(parse(ask(_SHOW)), wish))}


def look(ask: Ask, wish: Wish) -> Dict[str, Any]:
    """Return the server as its backends see it, changing nothing."""
    return {"changed": False, **_facts(chosen(parse(ask(_SHOW)), wish))}


def _set(ask: Ask, wish: Wish, servers: Sequence[Server], state: str, check_mode: bool) -> Dict[str, Any]:
    before = chosen(parse(ask(_SHOW)), wish)
    for one in servers if not check_mode else ():
        answer = ask(f"set server {one.backend}/{one.name} state {state}").strip()
        if answer:
            raise HostError(f"HAProxy refuses to set {one.backend}/{one.name} to {state}: {answer}")
    after = chosen(parse(ask(_SHOW)), wish)
    return {"changed": bool(servers), "diff": {"before": _states(before), "after": _states(after)}, **_facts(after)}


def _sessions(ask: Ask, wish: Wish) -> int:
    return sum(one.sessions for one in chosen(parse(ask(_SHOW)), wish))


def _absent(ask: Ask, wish: Wish) -> List[Server]:
    return [one for one in chosen(parse(ask(_SHOW)), wish) if not one.takes_connections]


def _states(servers: Iterable[Server]) -> Dict[str, str]:
    return {one.backend: one.status for one in servers}


def _facts(servers: Sequence[Server]) -> Dict[str, Any]:
    return {
        "servers": [dict(one._asdict()) for one in servers],
        "sessions_left": sum(one.sessions for one in servers),
    }
