# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what the planner is handed. What is wrong is collected as findings, what can be read is used all the same."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from ansible_collections.lockstep.teleport.plugins.module_utils.version import (
    COMMUNITY,
    ENTERPRISE,
    FIPS,
    Version,
    VersionError,
)
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding, foreign
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_batches import BatchError, read_sizes
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue, CatalogueError, read_pins
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import (
    AGENT,
    PHASES,
    PROXY,
    RUNNING,
    STATES,
    Concern,
    ConfigEdit,
    Instance,
    Topology,
    build,
    phase_of,
)

DEFAULT_CLUSTER = "main"
DEFAULT_BATCHES: tuple[int | str, ...] = (1, "10%", "25%")
EDITIONS = (COMMUNITY, ENTERPRISE, FIPS)
SHRINK = "shrink"
ROLLING = "rolling"
STRATEGIES = (SHRINK, ROLLING)


@dataclass
class Request:
    """What is asked of the planner, read and checked value by value.

    ``target`` is None when it cannot be read; ``problems`` are the findings of reading.
    """

    topology: Topology
    catalogue: Catalogue
    target: Version | None
    target_text: str
    pins: dict[str, Version]
    waivers: frozenset[str]
    strategy: str
    sizes: dict[str, tuple[int | str, ...]]
    allowed_prereleases: frozenset[Version]
    edition: str | None
    declared: frozenset[str]
    cluster_concerns: Mapping[str, tuple[Concern, ...]]
    problems: list[Finding] = field(default_factory=list)


class _Reader:
    """Reads the parts of one request; the parts share the list of problems and the catalogue."""

    def __init__(self) -> None:
        self.problems: list[Finding] = []
        self._index = functools.cache(self._index_of)
        self._version = functools.cache(Version.parse)
        self.catalogue = Catalogue.load()

    def releases(self, data: object) -> None:
        try:
            self.catalogue = Catalogue.load(data)
        except CatalogueError as error:
            self.problems.append(finding("releases-invalid", f"{error}."))

    def target(self, text: object) -> Version | None:
        try:
            version = Version.parse(text)
            self.catalogue.index(version)
        except (VersionError, CatalogueError) as error:
            self.problems.append(finding("target-invalid", f"target_version: {error}."))
            return None
        return version

    def pins(self, data: object) -> dict[str, Version]:
        # One by one, so that all wrong pins are named at once.
        rows = [{key: value} for key, value in data.items()] if isinstance(data, Mapping) else [data]
        pins: dict[str, Version] = {}
        for row in rows:
            try:
                pins.update(read_pins(row))
            except CatalogueError as error:
                self.problems.append(finding("pin-invalid", f"{error}."))
        return pins

    def prereleases(self, texts: Sequence[object]) -> frozenset[Version]:
        allowed = set()
        for number, text in enumerate(texts):
            try:
                allowed.add(Version.parse(text))
            except VersionError as error:
                self._invalid(f"allow_prerelease[{number}]: {error}.")
        return frozenset(allowed)

    def word(self, name: str, value: object, allowed: Sequence[str], default: str | None) -> str | None:
        if value is None or value == "":
            return default
        if value in allowed:
            return str(value)
        self._invalid(f"{name} is {value!r}; allowed are {', '.join(allowed)}.")
        return default

    def sizes(self, name: str, value: object) -> tuple[int | str, ...]:
        try:
            return read_sizes(DEFAULT_BATCHES if value is None else value)
        except BatchError as error:
            self._invalid(f"{name}: {error}")
            return DEFAULT_BATCHES

    def roots(self, data: object) -> dict[str, str | None]:
        if data is None:
            return {}
        if not isinstance(data, Mapping):
            self._invalid(f"clusters is {data!r}; allowed is a mapping, e.g. {{leaf: {{root: main}}}}.")
            return {}
        return {str(name): self._root(str(name), row) for name, row in data.items()}

    def _root(self, name: str, row: object) -> str | None:
        root = row.get("root") if isinstance(row, Mapping) else row
        # A misspelt key must not turn a leaf into a root cluster, which would go before the one it trusts.
        misspelt = isinstance(row, Mapping) and any(key != "root" for key in row)
        if not misspelt and (root is None or (isinstance(root, str) and root and isinstance(row, Mapping))):
            return root
        self._invalid(f"clusters.{name} is {row!r}; allowed is nothing or the name of its root, {{root: main}}.", name)
        return None

    def instances(self, name: str, data: Sequence[object]) -> list[Instance]:
        read = (self._instance(f"{name}[{number}]", row) for number, row in enumerate(data))
        return [instance for instance in read if instance is not None]

    def _instance(self, place: str, row: object) -> Instance | None:
        if not isinstance(row, Mapping) or not isinstance(row.get("host"), str) or not row["host"]:
            self._invalid(f"{place} is {row!r}; an instance needs a host, e.g. {{host: node1, services: [agent]}}.")
            return None
        host = str(row["host"])
        services = self._services(host, row.get("services"))
        if services is None:
            return None
        version = self._version_of(host, row.get("version"))
        return Instance(
            host=host,
            cluster=str(row.get("cluster") or DEFAULT_CLUSTER),
            services=services,
            phase=phase_of(services),
            version=version,
            line=None if version is None else self._line_of(host, version),
            edition=self._one_of(host, "edition", row.get("edition"), EDITIONS, COMMUNITY),
            state=self._one_of(host, "state", row.get("state"), STATES, RUNNING),
            interrupted=self._flag(host, "interrupted", row.get("interrupted")),
            unfinished=self._flag(host, "unfinished", row.get("unfinished")),
            pinned_versions=self._pinned_versions(host, row.get("pinned_versions")),
            concerns=self.concerns(f"concerns of {host}", row.get("concerns")),
            config_edits=self.config_edits(host, row.get("config_edits")),
        )

    def _pinned_versions(self, host: str, value: object) -> frozenset[str] | None:
        if value is None or isinstance(value, (list, tuple)):
            return None if value is None else frozenset(map(str, value))
        self._invalid(f"pinned_versions is {value!r}; allowed is a list of versions.", host=host)
        return None

    def concerns(self, place: str, data: object) -> tuple[Concern, ...]:
        if not data:
            return ()
        entries = data if isinstance(data, (list, tuple)) else [data]
        read = [
            Concern(str(entry["rule"]), str(entry.get("found") or ""), tuple(map(str, entry.get("change") or ())))
            for entry in entries
            if _names_rule(entry) and _is_list_or_none(entry.get("change"))
        ]
        if len(read) < len(entries):
            self._invalid(f"{place} is {data!r}; allowed is a list of {{rule: id of a preflight rule, found: text}}.")
        return tuple(read)

    def config_edits(self, host: str, data: object) -> tuple[ConfigEdit, ...]:
        entries = data if isinstance(data, (list, tuple)) else [data] if data else []
        read = [
            ConfigEdit(
                str(entry["rule"]),
                str(entry.get("before")),
                str(entry.get("after")),
                tuple(map(str, entry.get("lines") or ())),
            )
            for entry in entries
            if _names_rule(entry) and rules()[entry["rule"]].edit and _is_list_or_none(entry.get("lines"))
        ]
        if len(read) < len(entries):
            self._invalid("config_edits is not what instance_info returns.", host=host)
            return ()
        return tuple(read)

    def cluster_concerns(self, data: object) -> dict[str, tuple[Concern, ...]]:
        if not isinstance(data, Mapping):
            return {}
        return {str(name): self.concerns(f"cluster_concerns.{name}", row) for name, row in data.items()}

    def _services(self, host: str, value: object) -> tuple[str, ...] | None:
        if isinstance(value, (list, tuple)) and value and all(service in PHASES for service in value):
            return tuple(service for service in PHASES if service in value)
        self._invalid(f"services is {value!r}; allowed is a list of {', '.join(PHASES)}.", host=host)
        return None

    def _version_of(self, host: str, value: object) -> Version | None:
        if value is None:
            return None
        try:
            return self._version(value)
        except (VersionError, TypeError):
            pass
        try:
            return Version.parse(value)
        except VersionError as error:
            self._invalid(f"version: {error}.", host=host)
            return None

    def _line_of(self, host: str, version: Version) -> int | None:
        try:
            return self._index(version.line)
        except CatalogueError as error:
            self.problems.append(finding("line-unknown", f"It runs {version}: {error}.", host=host))
            return None

    def _index_of(self, line: str) -> int:
        return self.catalogue.index(line)

    def _flag(self, host: str, name: str, value: object) -> bool:
        if value is None or isinstance(value, bool):
            return value is True
        self._invalid(f"{name} is {value!r}; allowed are true and false.", host=host)
        return False

    def _one_of(self, host: str, name: str, value: object, allowed: Sequence[str], default: str) -> str:
        if value is None or value in allowed:
            return default if value is None else str(value)
        self._invalid(f"{name} is {value!r}; allowed are {', '.join(allowed)}.", host=host)
        return default

    def _invalid(self, message: str, cluster: str | None = None, host: str | None = None) -> None:
        self.problems.append(finding("input-invalid", message, cluster=cluster, host=host))


def _names_rule(entry: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(entry, Mapping) and isinstance(entry.get("rule"), str) and entry["rule"] in rules()


def _is_list_or_none(value: object) -> bool:
    return value is None or isinstance(value, (list, tuple))


def read_request(data: Mapping[str, Any]) -> Request:
    """Read the planner's input (the options of ``lockstep.teleport.upgrade_plan``, by name)."""
    reader = _Reader()
    reader.releases(data.get("releases"))
    target = reader.target(data.get("target_version"))
    roots = reader.roots(data.get("clusters"))
    topology = build(
        reader.instances("instances", data.get("instances") or ()),
        roots,
        reader.instances("unmanaged", data.get("unmanaged") or ()),
    )
    request = Request(
        topology=topology,
        catalogue=reader.catalogue,
        target=target,
        target_text=str(data.get("target_version")) if target is None else str(target),
        pins=reader.pins(data.get("hop_versions")),
        waivers=frozenset(str(code) for code in data.get("waivers") or ()),
        strategy=reader.word("auth_strategy", data.get("auth_strategy"), STRATEGIES, SHRINK) or SHRINK,
        sizes={
            PROXY: reader.sizes("proxy_batches", data.get("proxy_batches")),
            AGENT: reader.sizes("batches", data.get("batches")),
        },
        allowed_prereleases=reader.prereleases(data.get("allow_prerelease") or ()),
        edition=reader.word("edition", data.get("edition"), EDITIONS, None),
        declared=frozenset(roots),
        cluster_concerns=reader.cluster_concerns(data.get("cluster_concerns")),
    )
    request.problems = [*reader.problems, *foreign(data.get("findings") or ())]
    return request
