# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``tctl`` command."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml

from . import tctl_views as views
from .authority import types_of
from .backend.opening import open_local
from .config import DEFAULT_PATH, Config, dial_address, load
from .errors import CommandError, RawText
from .features import has
from .flags import Command, Parsed, Parser
from .identity import Identity
from .logs import Log, format_line
from .settings import fault, pause
from .tctl_kinds import resolve
from .versions import Version
from .wire import Message, Refusal, Wire

_GLOBAL = frozenset(("config", "auth-server", "identity"))
_SWITCH = frozenset(("debug", "insecure"))


def _command(
    words: str, about: str, valued: str = "", switches: str = "", since: str = "", operands: int = 0
) -> Command:
    return Command(
        tuple(words.split()),
        about,
        _GLOBAL | frozenset(valued.split()),
        _SWITCH | frozenset(switches.split()),
        since=since,
        operands=operands,
    )


COMMANDS = (
    _command("version", "Print cluster version."),
    _command("help", "Show help.", operands=-1),
    _command("status", "Report cluster status", "format"),
    _command("get", "Print a YAML declaration of various Teleport resources.", "format", "with-secrets", operands=1),
    _command("create", "Create or update a Teleport resource from a YAML file.", "filename", "force", operands=1),
    _command("rm", "Delete a resource", operands=1),
    _command("nodes ls", "List all active SSH nodes within the cluster", "namespace"),
    _command("nodes add", "Generate a node invitation token", "roles ttl token"),
    _command("users add", "Generate a user invitation token", "roles logins ttl", "", operands=2),
    _command("users ls", "Lists all user accounts.", "format"),
    _command("users rm", "Deletes user accounts", operands=1),
    _command("tokens add", "Create a invitation token", "type value ttl format"),
    _command("tokens ls", "List node and user invitation tokens", "format"),
    _command("tokens rm", "Delete/revoke an invitation token", operands=1),
    _command("auth rotate", "Rotate certificate authorities in the cluster", "grace-period type phase", "manual"),
    _command("auth sign", "Create an identity file(s) for a given user", "user host out format ttl", "overwrite"),
    _command("auth export", "Export public cluster (CA) keys to stdout", "type fingerprint", "keys"),
    _command("inventory status", "Show inventory status summary", "format", "connected", since="inventory"),
    _command(
        "inventory ls",
        "List Teleport instances",
        "format older-than newer-than exact-version services upgrader",
        "",
        "inventory",
    ),
    _command(
        "inventory list",
        "List Teleport instances",
        "format older-than newer-than exact-version services upgrader",
        "",
        "inventory",
    ),
)


class Client:
    """A connection to the local auth with the administrator's identity."""

    def __init__(self, config: Config, identity: Identity) -> None:
        self._config = config
        self._identity = identity

    def ask(self, operation: str, **fields: Any) -> Message:
        """One request; raises CommandError with the words of this generation."""
        address = dial_address(self._config.address("auth_service", "listen_addr", 3025))
        admin = self._admin()
        deadline = time.monotonic() + 3.0
        while True:
            try:
                wire = Wire.dial(address, 5.0)
                wire.sock.settimeout(None)
                wire.ask({"op": "hello", "role": "Admin", "identity": admin, "version": str(self._identity.version)})
                return wire.ask({"op": operation, **fields})
            except Refusal as error:
                if error.kind == "untrusted":
                    raise self._unreachable(error.text) from None
                raise CommandError(error.text) from None
            except OSError as error:
                if time.monotonic() > deadline or not isinstance(error, ConnectionRefusedError):
                    reason = (
                        "EOF"
                        if str(error) == "EOF"
                        else f"dial tcp {address[0]}:{address[1]}: connect: connection refused"
                    )
                    raise self._unreachable(reason) from None
                pause(0.5)
                deadline -= 1.0

    def _admin(self) -> Message:
        if not self._config.enabled("auth_service"):
            raise CommandError(NOT_AUTH)
        path = os.path.join(self._config.data_dir, "proc")
        if not os.path.isdir(path):
            raise CommandError(NOT_AUTH)
        quiet = Log(self._identity.version)
        quiet.info = lambda component, message: None  # type: ignore[method-assign]
        store = open_local(path, self._identity.version, quiet)
        found = store.get("/ids/admin/current")
        store.close()
        if found is None:
            raise CommandError(NOT_AUTH)
        return dict(json.loads(found.value))

    def _unreachable(self, reason: str) -> CommandError:
        host, port = self._config.address("auth_service", "listen_addr", 3025)
        shown = f"{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
        return unreachable(self._identity.version, shown, reason, time.time())


NOT_AUTH = "tctl must be either used on the auth server or provided with the identity file via --identity flag"


def unreachable(version: Version, shown: str, reason: str, now: float) -> CommandError:
    """What tctl prints when no auth answers."""
    url = f'Get "https://teleport.cluster.local/v2/configuration/name": {reason}'
    if version.major >= 8:
        url = f"failed direct dial to auth server: {url}\n\t{url}"
    where = f'"{shown}"' if version.major >= 6 else shown
    text = f"Cannot connect to the auth server: {url}.\nIs the auth server running on {where}?"
    quoted = json.dumps(text)
    if version.major >= 6:
        head = format_line(version, "INFO", "CLIENT", quoted, now)
    else:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        dial = f'time="{stamp}" level=error msg="Failed to dial auth server {shown}: {reason}." trace.component=auth'
        head = f'{dial}\ntime="{stamp}" level=info msg={quoted} trace.component=client'
    width = 15 if has(version, "start_banner_version") else 10
    return RawText(f"{head}\n{'[CLIENT]'.ljust(width)}{text}\n")


def main(argv: list[str], identity: Identity) -> int:
    """Run the command; the exit status."""
    parsed = Parser(
        "tctl", identity.version, COMMANDS, {"c": "config", "d": "debug", "f": "filename", "i": "identity", "o": "out"}
    ).parse(_short_force(argv[1:]))
    words = parsed.command.words
    if words == ("version",):
        print(identity.version_line)
        return 0
    _refuse_future_flags(parsed, identity.version)
    hang = fault(identity.version, "hang_tctl")
    if hang:
        time.sleep(3600 if hang is True else float(hang))
    if parsed.given("identity"):
        raise CommandError("the double's tctl works on auth hosts only")
    path = parsed.last("config", os.environ.get("TELEPORT_CONFIG_FILE", DEFAULT_PATH))
    config = load(path, identity.version, required=parsed.given("config"))
    client = Client(config, identity)
    sys.stdout.write(_HANDLERS[" ".join(words)](client, parsed, identity.version))
    return 0


def _short_force(argv: list[str]) -> list[str]:
    """``create -f FILE`` means force there, the file is an operand."""
    if "create" not in argv:
        return argv
    return ["--force" if word == "-f" else word for word in argv]


def _refuse_future_flags(parsed: Parsed, version: Version) -> None:
    words = " ".join(parsed.command.words)
    needed = {
        "status": "status_format_flag",
        "users ls": "tokens_json",
        "tokens ls": "tokens_json",
        "tokens add": "token_join_method",
    }
    if parsed.given("format") and words in needed and not has(version, needed[words]):
        text = Parser("tctl", version, COMMANDS, {})._unknown("--format")
        raise text
    if words == "auth rotate" and has(version, "rotate_type_required") and not parsed.given("type"):
        raise CommandError("required flag --type not provided")


# --- handlers --------------------------------------------------------------------------------------------


def _status(client: Client, parsed: Parsed, version: Version) -> str:
    return views.status(client.ask("status"), version, parsed.last("format", "text"))


def _get(client: Client, parsed: Parsed, version: Version) -> str:
    if not parsed.operands:
        raise CommandError("required argument 'resource type/[resource name]' not provided")
    form = parsed.last("format", "yaml")
    if form not in ("yaml", "json", "text"):
        raise CommandError(f"enum value must be one of text,json,yaml, got '{form}'")
    found: list[Any] = []
    for reference in parsed.operands[0].split(","):
        kind, name = resolve(reference, version)
        if kind == "all" and form == "json":
            raise CommandError("mixed resource types only support YAML formatting")
        found += client.ask("get", kind=kind, name=name, secrets=parsed.given("with-secrets"))["resources"]
    return views.resources(found, version, form)


def _create(client: Client, parsed: Parsed, _version: Version) -> str:
    path = parsed.operands[0] if parsed.operands else parsed.last("filename")
    with open(path, encoding="utf-8") if path else sys.stdin as stream:
        documents = [document for document in yaml.safe_load_all(stream.read()) if document]
    texts = []
    for document in documents:
        safe = json.loads(json.dumps(document, default=str))
        texts.append(client.ask("create", resource=safe, force=parsed.given("force"))["message"])
    return "".join(f"{text}\n" for text in texts)


def _rm(client: Client, parsed: Parsed, version: Version) -> str:
    kind, name = resolve(parsed.operands[0] if parsed.operands else "", version)
    if not name:
        raise CommandError("provide a full resource name to delete, for example: tctl rm cluster/east")
    return f"{client.ask('remove', kind=kind, name=name)['message']}\n"


def _nodes_ls(client: Client, _parsed: Parsed, _version: Version) -> str:
    return views.nodes(client.ask("get", kind="node")["resources"])


def _nodes_add(client: Client, parsed: Parsed, _version: Version) -> str:
    answer = client.ask(
        "tokens_add", type=parsed.last("roles", "node"), value=parsed.last("token"), ttl=_seconds(parsed, 1800)
    )
    return views.invite(answer, parsed.last("roles", "node"))


def _users_add(client: Client, parsed: Parsed, version: Version) -> str:
    if not parsed.operands:
        raise CommandError("required argument 'account' not provided")
    if has(version, "oss_roles") and not parsed.given("roles"):
        raise CommandError("required flag --roles not provided")
    logins = parsed.last("logins") or (parsed.operands[1] if len(parsed.operands) > 1 else parsed.operands[0])
    roles = parsed.last("roles", "admin").split(",")
    answer = client.ask("users_add", name=parsed.operands[0], roles=roles, logins=logins.split(","))
    return views.signup(parsed.operands[0], answer, version)


def _users_ls(client: Client, parsed: Parsed, version: Version) -> str:
    return views.users(client.ask("get", kind="user")["resources"], version, parsed.last("format", "text"))


def _users_rm(client: Client, parsed: Parsed, _version: Version) -> str:
    client.ask("remove", kind="user", name=parsed.operands[0])
    return f'User "{parsed.operands[0]}" has been deleted\n'


def _tokens_add(client: Client, parsed: Parsed, _version: Version) -> str:
    roles = parsed.last("type")
    if not roles:
        raise CommandError("required flag --type not provided")
    answer = client.ask("tokens_add", type=roles, value=parsed.last("value"), ttl=_seconds(parsed, 3600))
    return views.invite(answer, roles)


def _tokens_ls(client: Client, parsed: Parsed, version: Version) -> str:
    return views.tokens(client.ask("tokens_ls"), version, parsed.last("format", "text"))


def _tokens_rm(client: Client, parsed: Parsed, _version: Version) -> str:
    client.ask("remove", kind="token", name=parsed.operands[0])
    return f"Token {parsed.operands[0]} has been deleted\n"


def _rotate(client: Client, parsed: Parsed, version: Version) -> str:
    manual, phase = parsed.given("manual"), parsed.last("phase")
    kinds = (parsed.last("type") or "host,user").split(",")
    for kind in kinds:
        if kind not in types_of(version):
            raise CommandError(f'unsupported certificate authority type: "{kind}"')
    grace = _seconds(parsed, -1.0, "grace-period")
    fields = {"mode": "manual" if manual else "auto", "grace": None if grace < 0 else grace}
    client.ask("rotate", phase=phase or "init", types=kinds, **fields)
    if not phase:
        return "Initiated certificate authority rotation. To check status use 'tctl status'\n"
    return f"Updated rotation phase to \"{phase}\". To check status use 'tctl status'\n"


def _sign(client: Client, parsed: Parsed, _version: Version) -> str:
    if not parsed.given("user"):
        raise CommandError("--user or --host must be specified")
    identity = client.ask("sign", user=parsed.last("user"), ttl=_seconds(parsed, 43200, "ttl"))["identity"]
    out = parsed.last("out", parsed.last("user"))
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(identity, stream)
    return f"\nThe credentials have been written to {out}\n"


def _export(client: Client, parsed: Parsed, _version: Version) -> str:
    found = client.ask("get", kind="cert_authority")["resources"]
    kind = parsed.last("type", "host").replace("tls-", "")
    keys = [key for ca in found if ca["spec"]["type"] == kind for key in ca["spec"].get("checking_keys", [])]
    return "".join(f"{key}\n" for key in keys)


def _inventory_status(client: Client, parsed: Parsed, _version: Version) -> str:
    rows = client.ask("inventory", connected=parsed.given("connected"))["instances"]
    return views.inventory_status(rows, parsed.last("format", "text"))


def _inventory_ls(client: Client, parsed: Parsed, _version: Version) -> str:
    return views.inventory_list(client.ask("inventory")["instances"], parsed.last("format", "text"))


def _seconds(parsed: Parsed, default: float, flag: str = "ttl") -> float:
    text = parsed.last(flag)
    if not text:
        return default
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        return float(text[:-1]) * units[text[-1]]
    except (KeyError, ValueError):
        raise CommandError(f"time: invalid duration {text}") from None


_HANDLERS: dict[str, Callable[[Client, Parsed, Version], str]] = {
    "status": _status,
    "get": _get,
    "create": _create,
    "rm": _rm,
    "nodes ls": _nodes_ls,
    "nodes add": _nodes_add,
    "users add": _users_add,
    "users ls": _users_ls,
    "users rm": _users_rm,
    "tokens add": _tokens_add,
    "tokens ls": _tokens_ls,
    "tokens rm": _tokens_rm,
    "auth rotate": _rotate,
    "auth sign": _sign,
    "auth export": _export,
    "inventory status": _inventory_status,
    "inventory ls": _inventory_ls,
    "inventory list": _inventory_ls,
}
