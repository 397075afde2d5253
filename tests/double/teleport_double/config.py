# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""teleport.yaml, read as strictly as each generation reads it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import Any

import yaml

from .errors import CommandError
from .features import has, load_table
from .versions import Version, bound

DEFAULT_PATH = "/etc/teleport.yaml"
_STRUCTS = {
    "teleport": "Global",
    "auth_service": "Auth",
    "ssh_service": "SSH",
    "proxy_service": "Proxy",
}


@dataclass
class Config:
    """What a process needs of its teleport.yaml."""

    path: str
    raw: dict[str, Any] = field(default_factory=dict)

    def section(self, name: str) -> dict[str, Any]:
        """A section of the file, empty when it is missing."""
        found = self.raw.get(name)
        return found if isinstance(found, dict) else {}

    def enabled(self, service: str) -> bool:
        """Whether a service runs here; ssh, auth and proxy run unless the file says no."""
        value = self.section(service).get("enabled")
        if value is None:
            return service in ("auth_service", "ssh_service", "proxy_service") and (
                not self.raw or service in self.raw or (service == "ssh_service" and "ssh_service" not in self.raw)
            )
        return value is True or str(value).lower() in ("yes", "true", "on", "1", "y")

    @property
    def data_dir(self) -> str:
        """Directory of all state."""
        return str(self.section("teleport").get("data_dir") or "/var/lib/teleport")

    @property
    def nodename(self) -> str:
        """Name under which the instance announces itself."""
        return str(self.section("teleport").get("nodename") or socket.gethostname())

    @property
    def cluster_name(self) -> str:
        """Name the auth gives to a new cluster; its host name when the file has none."""
        return str(self.section("auth_service").get("cluster_name") or self.nodename)

    @property
    def storage(self) -> dict[str, Any]:
        """Where the auth keeps the cluster state, with the defaults filled in."""
        given = dict(self.section("teleport").get("storage") or {})
        given.setdefault("type", "dir")
        if given["type"] in ("dir", "sqlite", "bolt") and not given.get("path"):
            given["path"] = os.path.join(self.data_dir, "backend")
        return given

    @property
    def auth_servers(self) -> list[tuple[str, int]]:
        """Auth addresses in the order they are dialled."""
        section = self.section("teleport")
        given = section.get("auth_servers") or ([section["auth_server"]] if section.get("auth_server") else [])
        if not given:
            given = [self.address("auth_service", "listen_addr", 3025, text=True)]
        return [dial_address(split_address(str(item), 3025)) for item in given]

    def address(self, service: str, key: str, port: int, text: bool = False) -> Any:
        """Listen address ``(host, port)`` of a service, or as text."""
        host, number = split_address(str(self.section(service).get(key) or f"0.0.0.0:{port}"), port)
        return f"{host}:{number}" if text else (host, number)

    def public_addresses(self, service: str) -> list[str]:
        """``public_addr`` of a service as a list."""
        value = self.section(service).get("public_addr")
        if not value:
            return []
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]

    @property
    def advertise_ip(self) -> str:
        """The address under which other hosts reach this one."""
        given = self.section("teleport").get("advertise_ip")
        return str(given) if given else first_address()

    @property
    def labels(self) -> dict[str, str]:
        """Static labels of the node."""
        return {str(k): str(v) for k, v in (self.section("ssh_service").get("labels") or {}).items()}

    @property
    def join_token(self) -> str:
        """The token to join with, wherever this generation keeps it."""
        section = self.section("teleport")
        token = section.get("auth_token") or (section.get("join_params") or {}).get("token_name") or ""
        token = str(token)
        if token.startswith("/") and os.path.exists(token):
            with open(token, encoding="utf-8") as stream:
                return stream.read().strip()
        return token

    @property
    def ca_pins(self) -> list[str]:
        """CA pins the instance insists on at its first join."""
        pins = self.section("teleport").get("ca_pin") or []
        return [pin for pin in (pins if isinstance(pins, list) else [pins]) if pin]

    @property
    def static_tokens(self) -> dict[str, list[str]]:
        """``{token: [role, ...]}`` of auth_service.tokens."""
        tokens = {}
        for entry in self.section("auth_service").get("tokens") or []:
            roles, _colon, token = str(entry).partition(":")
            tokens[token] = [role.strip().capitalize() for role in roles.split(",")]
        return tokens


def split_address(text: str, port: int) -> tuple[str, int]:
    """``host:port`` apart, with a default port; a scheme in front is dropped."""
    text = text.split("://", 1)[-1]
    host, colon, number = text.rpartition(":")
    if not colon:
        return text, port
    return host.strip("[]") or "0.0.0.0", int(number)


def dial_address(address: tuple[str, int]) -> tuple[str, int]:
    """An address to connect to: the wildcard means this host."""
    host, port = address
    return ("127.0.0.1" if host in ("0.0.0.0", "", "::") else host), port


def first_address() -> str:
    """This host's first address as others see it, loopback when it has no other."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))  # no packet leaves: a datagram socket only picks a route
        return str(probe.getsockname()[0])
    except OSError:
        return "127.0.0.1"
    finally:
        probe.close()


def load(path: str, version: Version, required: bool = True) -> Config:
    """Read and check ``path``; raises CommandError with the words of that generation."""
    if not os.path.exists(path):
        if required:
            raise CommandError(f"path '{path}' does not exist")
        return Config(path=path)
    with open(path, encoding="utf-8") as stream:
        text = stream.read()
    return Config(path=path, raw=parse(text, version))


def parse(text: str, version: Version) -> dict[str, Any]:
    """The file's content checked against the keys this version knows."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise CommandError(_wrapped(version, f"yaml: {first}")) from None
    if not isinstance(raw, dict):
        raise CommandError(
            _wrapped(version, "yaml: unmarshal errors:  line 1: cannot unmarshal into config.FileConfig")
        )
    unknown = list(_unknown_keys(root, version))
    if unknown:
        raise CommandError(_unknown_text(unknown, version))
    _check_values(raw, version)
    return raw


def _wrapped(version: Version, text: str) -> str:
    if has(version, "yaml_unmarshal_errors"):
        return f"failed parsing the config file: {text}"
    return f"failed to parse Teleport configuration: {text}"


def _unknown_text(unknown: list[tuple[str, int, str]], version: Version) -> str:
    if not has(version, "yaml_unmarshal_errors"):
        return f"unrecognized configuration key: '{unknown[0][0]}'"
    rows = "".join(f"  line {line}: field {key} not found in type config.{struct}" for key, line, struct in unknown)
    return _wrapped(version, f"yaml: unmarshal errors:{rows}")


def _unknown_keys(root: Any, version: Version) -> list[tuple[str, int, str]]:
    """``(key, line, Go type)`` of every key this version does not know."""
    known = load_table("config_keys")
    unknown: list[tuple[str, int, str]] = []
    for key_node, value_node in getattr(root, "value", None) or []:
        section = known.get(key_node.value)
        if section is None or (isinstance(section, list) and not _within(version, section)):
            unknown.append((key_node.value, key_node.start_mark.line + 1, "FileConfig"))
        elif isinstance(section, dict) and isinstance(value_node, yaml.MappingNode):
            unknown.extend(_unknown_in(value_node, section, _STRUCTS[key_node.value], version))
    return unknown


def _unknown_in(
    node: yaml.MappingNode, known: dict[str, Any], struct: str, version: Version
) -> list[tuple[str, int, str]]:
    return [
        (key.value, key.start_mark.line + 1, struct)
        for key, _value in node.value
        if key.value not in known or not _within(version, known[key.value])
    ]


def _within(version: Version, bounds: list[str | None]) -> bool:
    since, before = bounds
    return (since is None or version >= bound(since)) and (before is None or version < bound(before))


def _check_values(raw: dict[str, Any], version: Version) -> None:
    """Settings that make an auth refuse to start, per line."""
    auth = raw.get("auth_service") or {}
    factorless = (auth.get("authentication") or {}).get("second_factor") in ("off", False, "optional")
    runs = Config("", raw).enabled("auth_service")
    waived = version.major == 16 and os.environ.get("TELEPORT_ALLOW_NO_SECOND_FACTOR")
    if factorless and runs and not waived and has(version, "refuses_second_factor_off"):
        raise CommandError("initialization failed\nmulti-factor authentication is required, set second_factor")
    for section in ("auth_service", "proxy_service"):
        if has(version, "refuses_assist") and (raw.get(section) or {}).get("assist"):
            raise CommandError(f"{section}.assist: the Assist feature was removed, delete it from the configuration")
