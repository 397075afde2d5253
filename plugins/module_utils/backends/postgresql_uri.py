# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection strings of PostgreSQL: read, shown without their secrets, and found again where the secrets are.

Both forms of https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING are read. Facts and manifests
hold one form, a URI in which secrets are masked; whoever connects finds the string it stands for in ``teleport.yaml``.
"""

from __future__ import annotations

import json
import re
from typing import Dict, Iterator, List, Mapping, NamedTuple, Tuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError

SCHEMES = ("postgresql", "postgres")
MASK = "***"
DEFAULT_PORT = "5432"

_SECRET = ("password", "sslpassword")
_URI = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<authority>[^/?#]*)(?:/(?P<name>[^?#]*))?(?:\?(?P<query>[^#]*))?(?:#(?P<own>.*))?"
)
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\']|\\.)*)(?=\s|$)")
_ESCAPED = re.compile(r"\\(.)")

#: libpq's own variables (https://www.postgresql.org/docs/current/libpq-envars.html), by keyword.
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
    "options": "PGOPTIONS",
    "application_name": "PGAPPNAME",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslsni": "PGSSLSNI",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "channel_binding": "PGCHANNELBINDING",
    "require_auth": "PGREQUIREAUTH",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
#: Options of Teleport's driver (pgx) that libpq has no use for.
_OF_THE_DRIVER = (
    "default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity", "min_read_buffer_size",
)  # fmt: skip


class Target(NamedTuple):
    """What a connection string says: libpq's keywords, secrets included, and Teleport's own options behind ``#``."""

    keywords: Dict[str, str]
    own: Dict[str, str]

    @property
    def location(self) -> str:
        """Servers and database, without user and secrets."""
        keywords = self.keywords
        servers = ",".join(f"{host}:{port}" for host, port in _servers(keywords))
        return f"{servers}/{keywords.get('dbname') or keywords.get('user', '')}"


def parse(text: str) -> Target:
    """Read a connection string of either form. Raises :class:`BackupError`, which does not quote it."""
    match = _URI.fullmatch(text.strip())
    if match and match.group("scheme") in SCHEMES:
        return _parse_uri(match)
    if match or "=" not in text:
        raise BackupError("is no connection string of PostgreSQL")
    return Target(_parse_pairs(text), {})


def public(text: str) -> str:
    """Return *text* as a URI with its secrets masked; equal for all spellings of one target."""
    target = parse(text)
    shown = {key: MASK if key in _SECRET else value for key, value in target.keywords.items()}
    user, password = shown.pop("user", ""), shown.pop("password", "")
    name = shown.pop("dbname", "")
    servers = ""
    if not shown.get("host", "").startswith(("/", "@")):
        servers = ",".join(_address(host, port) for host, port in _servers(shown))
        shown = {key: value for key, value in shown.items() if key not in ("host", "port")}
    login = quote(user, safe="") + (f":{password}" if password else "")
    query = f"?{urlencode(sorted(shown.items()), safe='/*')}" if shown else ""
    own = f"#{urlencode(sorted(target.own.items()))}" if target.own else ""
    return f"postgresql://{login}{'@' if login else ''}{servers}/{quote(name, safe='')}{query}{own}"


def environment(keywords: Mapping[str, str]) -> Dict[str, str]:
    """Translate keywords into the variables of libpq's programs, so that no secret stands in their arguments."""
    found: Dict[str, str] = {}
    settings: List[str] = []
    for key, value in keywords.items():
        if key in _VARIABLES:
            found[_VARIABLES[key]] = value
        elif key == "sslpassword":
            raise BackupError(
                "an encrypted client key (sslpassword) cannot be handed to pg_dump without showing it; use a key "
                "without a password, or teleport_backup_command."
            )
        elif not (key in _OF_THE_DRIVER or key.startswith("pool_")):
            # The driver hands what it does not know to the server as a setting of the session.
            settings.append(f"-c {key}={_option(value)}")
    if settings:
        found["PGOPTIONS"] = " ".join([found.get("PGOPTIONS", ""), *settings]).strip()
    return found


def find(wanted: str, text: str) -> Target:
    """Return the target whose public form is *wanted*, with its secrets, from *text*, a ``teleport.yaml``.

    Raises :class:`BackupError` when it is not there, or there with different secrets.
    """
    if MASK not in wanted:
        return parse(wanted)
    found: List[Target] = []
    for candidate in _scalars(text):
        try:
            if public(candidate) == wanted and parse(candidate) not in found:
                found.append(parse(candidate))
        except BackupError:
            continue
    if len(found) == 1:
        return found[0]
    problem = "stands there with more than one password" if found else "cannot be found there"
    raise BackupError(
        f"the connection string {wanted} {problem}. Write it on one line, as a plain or quoted value, and observe the "
        "host again."
    )


def _parse_uri(match: re.Match[str]) -> Target:
    login, _at, servers = match.group("authority").rpartition("@")
    user, _colon, password = login.partition(":")
    hosts, ports = _split_servers(servers)
    keywords = {
        "user": unquote(user),
        "password": unquote(password),
        "host": hosts,
        "port": ports,
        "dbname": unquote(match.group("name") or ""),
        **dict(parse_qsl(match.group("query") or "", keep_blank_values=True)),
    }
    return Target({key: value for key, value in keywords.items() if value}, dict(parse_qsl(match.group("own") or "")))


def _parse_pairs(text: str) -> Dict[str, str]:
    found: Dict[str, str] = {}
    position = 0
    text = text.strip()
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            raise BackupError("is no connection string of PostgreSQL")
        value = match.group(2)
        value = value[1:-1] if value.startswith("'") else value
        found[match.group(1)] = _ESCAPED.sub(r"\1", value)
        position = match.end()
    return {("dbname" if key == "database" else key): value for key, value in found.items() if value}


def _split_servers(servers: str) -> Tuple[str, str]:
    hosts, ports = [], []
    for server in servers.split(",") if servers else []:
        host, _colon, port = server.rpartition(":") if re.search(r":\d*$", server) else (server, "", "")
        hosts.append(unquote(host.strip("[]")))
        ports.append(port or DEFAULT_PORT)
    return ",".join(hosts), ",".join(ports) if set(ports) - {DEFAULT_PORT} else ""


def _servers(keywords: Mapping[str, str]) -> List[Tuple[str, str]]:
    hosts = keywords.get("host", "").split(",")
    ports = (keywords.get("port") or DEFAULT_PORT).split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [(host or "local", port or DEFAULT_PORT) for host, port in zip(hosts, ports)]


def _address(host: str, port: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port == DEFAULT_PORT else f"{shown}:{port}"


def _option(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SINGLE = re.compile(r"'((?:[^']|'')*)'")
_PLAIN = re.compile(r"(?:^|[:\-]\s+)([^\s\"'].*)$")
_BARE = re.compile(r"postgres(?:ql)?://[^\s,\]}\"']+")


def _scalars(text: str) -> Iterator[str]:
    """Yield whatever may be a one-line value of the file; too much does no harm, because it is compared."""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for match in _DOUBLE.finditer(line):
            try:
                yield str(json.loads(match.group(0)))
            except ValueError:
                yield match.group(1)
        yield from (match.group(1).replace("''", "'") for match in _SINGLE.finditer(line))
        bare = re.split(r"\s+#", line, maxsplit=1)[0].rstrip()
        yield from (match.group(1) for match in _PLAIN.finditer(bare))
        yield from (match.group(0) for match in _BARE.finditer(bare))
