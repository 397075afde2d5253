# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a rollback is planned from. What is wrong is collected as findings, what can be read is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding, foreign
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_batches import BatchError, read_sizes
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_input import DEFAULT_BATCHES, DEFAULT_CLUSTER
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue, CatalogueError
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import (
    AGENT,
    AUTH,
    PHASES,
    PROXY,
    RUNNING,
    UNREACHABLE,
    phase_of,
)

_STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Member:
    """One instance of any cluster. ``line`` is the place of its release line; None without a readable version."""

    host: str
    cluster: str
    phase: str
    version: Version | None
    line: int | None
    edition: str | None
    state: str
    held: bool
    interrupted: bool

    @property
    def reachable(self) -> bool:
        """Whether anything can be done about it."""
        return self.state != UNREACHABLE

    @property
    def runs(self) -> bool:
        """Whether its process runs."""
        return self.state == RUNNING


@dataclass(frozen=True)
class Backup:
    """The backup that one auth host offers. ``restored`` is None while that cannot be told."""

    holder: str
    name: str
    path: str
    cluster: str | None
    version: Version | None
    version_text: str | None
    edition: str | None
    created: str | None
    digest: str | None
    restored: bool | None
    problems: tuple[tuple[str, str], ...]

    @property
    def created_at(self) -> datetime | None:
        """When it was taken."""
        return stamp(self.created)

    def as_dict(self) -> dict[str, Any]:
        """Return the backup as it stands in a plan."""
        return {
            "host": self.holder,
            "name": self.name,
            "path": self.path,
            "created": self.created,
            "version": self.version_text,
            "digest": self.digest,
        }


@dataclass
class Request:
    """What is asked for. ``version`` is set when a version was asked for by name; ``now`` is the controller's clock."""

    cluster: str
    members: list[Member]
    others: list[Member]
    unmanaged: list[Member]
    roots: dict[str, str | None]
    catalogue: Catalogue
    version: Version | None
    backups: list[Backup]
    names_backup: bool
    newer_backups: list[str]
    acknowledge: str
    refusals: dict[str, str]
    waivers: frozenset[str]
    sizes: dict[str, tuple[int | str, ...]]
    now: datetime | None
    problems: list[Finding] = field(default_factory=list)

    @property
    def auths(self) -> list[Member]:
        """The auth group of the cluster."""
        return [member for member in self.members if member.phase == AUTH]


def stamp(text: object) -> datetime | None:
    """Read a time as manifests have it, in UTC; None for what is none."""
    try:
        return datetime.strptime(str(text), _STAMP).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def read(data: Mapping[str, Any]) -> Request:
    """Read the planner's input (the options of ``lockstep.teleport.rollback_plan``, by name)."""
    reader = _Reader(data.get("releases"))
    cluster = str(data.get("cluster") or "")
    everyone = reader.members("instances", data.get("instances") or ())
    version = reader.version("version", data.get("version")) if data.get("version") else None
    backups = [reader.backup(row) for row in data.get("backups") or () if row.get("chosen")]
    request = Request(
        cluster=cluster,
        members=[member for member in everyone if member.cluster == cluster],
        others=[member for member in everyone if member.cluster != cluster],
        unmanaged=[row for row in reader.members("unmanaged", data.get("unmanaged") or ()) if row.cluster == cluster],
        roots={str(name): (row or {}).get("root") for name, row in (data.get("clusters") or {}).items()},
        catalogue=reader.catalogue,
        version=version,
        backups=backups,
        names_backup=bool(data.get("names_backup")),
        newer_backups=_newer(data.get("backups") or (), backups),
        acknowledge=str(data.get("acknowledge") or "").strip(),
        refusals={str(host): str(reason) for host, reason in (data.get("refusals") or {}).items()},
        waivers=frozenset(str(code) for code in data.get("waivers") or ()),
        sizes={
            PROXY: reader.sizes("proxy_batches", data.get("proxy_batches")),
            AGENT: reader.sizes("batches", data.get("batches")),
        },
        now=stamp(data.get("now")),
    )
    request.problems = [*reader.problems, *foreign(data.get("findings") or ())]
    return request


def _newer(rows: Sequence[Mapping[str, Any]], chosen: list[Backup]) -> list[str]:
    """Names of backups of the chosen one's version that were taken after it: less would be lost with them."""
    found = set()
    for one in chosen:
        listed = [entry for row in rows for entry in row.get("backups") or ()]
        found |= {
            str(entry["name"])
            for entry in listed
            if entry["version"] == one.version_text and str(entry["created"]) > str(one.created)
        }
    return sorted(found)


class _Reader:
    """Reads the parts of one request; they share the catalogue and the list of problems."""

    def __init__(self, releases: object) -> None:
        self.problems: list[Finding] = []
        try:
            self.catalogue = Catalogue.load(releases)
        except CatalogueError as error:
            self.catalogue = Catalogue.load()
            self.problems.append(finding("releases-invalid", f"{error}."))

    def version(self, name: str, text: object, host: str | None = None) -> Version | None:
        try:
            return Version.parse(text)
        except VersionError as error:
            self.problems.append(finding("input-invalid", f"{name}: {error}.", host=host))
            return None

    def sizes(self, name: str, value: object) -> tuple[int | str, ...]:
        try:
            return read_sizes(DEFAULT_BATCHES if value is None else value)
        except BatchError as error:
            self.problems.append(finding("input-invalid", f"{name}: {error}"))
            return DEFAULT_BATCHES

    def members(self, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Member]:
        return [self._member(f"{name}[{number}]", row) for number, row in enumerate(rows)]

    def _member(self, place: str, row: Mapping[str, Any]) -> Member:
        host = str(row.get("host") or place)
        services = [service for service in row.get("services") or () if service in PHASES]
        if not services:
            self.problems.append(
                finding(
                    "input-invalid", f"services is {row.get('services')!r}; allowed are {', '.join(PHASES)}.", host=host
                )
            )
        version = self.version("version", row["version"], host) if row.get("version") is not None else None
        return Member(
            host=host,
            cluster=str(row.get("cluster") or DEFAULT_CLUSTER),
            phase=phase_of(services or [AGENT]),
            version=version,
            line=self._line(host, version),
            edition=row.get("edition"),
            state=str(row.get("state") or RUNNING),
            held=row.get("held") is True,
            interrupted=row.get("interrupted") is True,
        )

    def _line(self, host: str, version: Version | None) -> int | None:
        if version is None:
            return None
        try:
            return self.catalogue.index(version.line)
        except CatalogueError as error:
            self.problems.append(finding("line-unknown", f"It runs {version}: {error}.", host=host))
            return None

    def backup(self, row: Mapping[str, Any]) -> Backup:
        chosen = row["chosen"]
        text = chosen.get("version")
        try:
            version = None if text is None else Version.parse(text)
        except VersionError:
            version = None
        return Backup(
            holder=str(row["host"]),
            name=str(chosen["name"]),
            path=str(chosen["path"]),
            cluster=chosen.get("cluster"),
            version=version,
            version_text=text,
            edition=chosen.get("edition"),
            created=chosen.get("created"),
            digest=chosen.get("digest"),
            restored=chosen.get("restored"),
            problems=tuple((problem["code"], problem["message"]) for problem in chosen.get("problems") or ()),
        )
