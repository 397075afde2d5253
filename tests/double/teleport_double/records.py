# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources in the store, written and read by an auth of one generation.

Every stored resource carries a hidden field ``double.line``: the release line whose format it has. It is
never shown; migrations raise it, an older auth that writes lowers it. That is how silent damage shows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .backend.base import Backend
from .features import has, load_table
from .versions import Version, line_index
from .witnesslog import record

Resource = dict[str, Any]
HIDDEN = "double"


@dataclass(frozen=True)
class Kind:
    """How resources of a kind are laid out in the store."""

    prefix: str
    suffix: str = ""


KINDS = {
    "user": Kind("/web/users/", "/params"),
    "role": Kind("/roles/", "/params"),
    "token": Kind("/tokens/"),
    "cert_authority": Kind("/authorities/"),
    "github": Kind("/web/connectors/github/connectors/"),
    "trusted_cluster": Kind("/trustedclusters/"),
    "remote_cluster": Kind("/remoteClusters/"),
    "namespace": Kind("/namespaces/", "/params"),
    "node": Kind("/nodes/default/"),
    "proxy": Kind("/proxies/"),
    "auth_server": Kind("/authservers/"),
    "instance": Kind("/instances/"),
}
_NODES_BEFORE_4 = Kind("/namespaces/default/nodes/")
NAME_KEY = "/cluster_configuration/name"


def kind_layout(kind: str, version: Version) -> Kind:
    """Where ``version`` keeps resources of ``kind``."""
    if kind == "node" and has(version, "legacy_dir_backend"):
        return _NODES_BEFORE_4
    return KINDS[kind]


def format_changes(kind: str, after: str, upto: str) -> list[str]:
    """Lines in ``(after, upto]`` that changed the stored form of ``kind``."""
    table: dict[str, list[str]] = load_table("migrations")["formats"]
    first, last = line_index(after), line_index(upto)
    return [line for line, kinds in table.items() if kind in kinds and first < line_index(line) <= last]


class Records:
    """The store as an auth of ``version`` sees and writes it."""

    def __init__(self, backend: Backend, version: Version) -> None:
        self.backend = backend
        self.version = version

    def names(self, kind: str) -> list[str]:
        """Names of all resources of a kind, readable or not."""
        layout = kind_layout(kind, self.version)
        return [name for name, _item in self._items(layout)]

    def stored(self, kind: str) -> Iterator[tuple[str, Resource, float | None]]:
        """``(name, resource with hidden fields, expiry)`` of everything stored, readable or not."""
        layout = kind_layout(kind, self.version)
        for name, item in self._items(layout):
            yield name, json.loads(item.value), item.expires

    def list(self, kind: str) -> list[Resource]:
        """Resources this auth can read, as ``tctl get`` shows them."""
        return [_shown(resource) for _name, resource, _at in self.stored(kind) if self._readable(kind, resource)]

    def get(self, kind: str, name: str) -> Resource | None:
        """One readable resource by name."""
        item = self.backend.get(self._key(kind, name))
        if item is None:
            return None
        resource = json.loads(item.value)
        return _shown(resource) if self._readable(kind, resource) else None

    def put(self, kind: str, name: str, resource: Resource, expires: float | None = None) -> None:
        """Write a resource in this auth's own format; damage done by that is witnessed."""
        self.write(kind, name, resource, self.version.line, expires)
        self._witness_stale_write(kind, name)

    def write(self, kind: str, name: str, resource: Resource, line: str, expires: float | None = None) -> None:
        """Write a resource as being in the format of ``line``."""
        body = {key: value for key, value in resource.items() if key != HIDDEN}
        body["metadata"] = {**body.get("metadata", {})}
        if has(self.version, "record_ids"):
            body["metadata"]["id"] = time.time_ns()
        if expires is not None:
            body["metadata"]["expires"] = rfc3339(expires)
        body[HIDDEN] = {"line": line}
        self.backend.put(self._key(kind, name), json.dumps(body), expires)

    def delete(self, kind: str, name: str) -> bool:
        """Remove a resource; False when there was none."""
        return self.backend.delete(self._key(kind, name))

    def document(self, key: str) -> Resource | None:
        """A single JSON document such as the cluster name."""
        item = self.backend.get(key)
        return json.loads(item.value) if item else None

    def put_document(self, key: str, document: Resource) -> None:
        """Write a single JSON document."""
        self.backend.put(key, json.dumps(document))

    def data_version(self) -> str:
        """Version of the newest auth that ever migrated this data, empty for new data."""
        name = self.document(NAME_KEY)
        return str((name or {}).get(HIDDEN, {}).get("version", ""))

    def _items(self, layout: Kind) -> Iterator[tuple[str, Any]]:
        for item in self.backend.scan(layout.prefix):
            if item.key.endswith(layout.suffix):
                yield item.key[len(layout.prefix) : len(item.key) - len(layout.suffix) or None], item

    def _key(self, kind: str, name: str) -> str:
        layout = kind_layout(kind, self.version)
        return f"{layout.prefix}{name}{layout.suffix}"

    def _readable(self, kind: str, resource: Resource) -> bool:
        """Up to 8 every auth read older forms; later ones lose what a migration never brought up."""
        line = resource.get(HIDDEN, {}).get("line", "3.2")
        changes = format_changes(kind, line, self.version.line)
        return not any(line_index(change) >= line_index("9") for change in changes)

    def _witness_stale_write(self, kind: str, name: str) -> None:
        data = self.data_version()
        if not data:
            return
        missed = format_changes(kind, self.version.line, Version.parse(data).line)
        if missed:
            record(
                "data_damage",
                reason="written by an older auth into migrated data",
                kind=kind,
                name=name,
                version=str(self.version),
                data=data,
                missed=missed,
            )


def _shown(resource: Resource) -> Resource:
    return {key: value for key, value in resource.items() if key != HIDDEN}


def rfc3339(moment: float) -> str:
    """A moment in Go's notation with fractions."""
    whole = int(moment)
    fraction = f"{moment - whole:.9f}"[1:].rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + fraction + "Z"
