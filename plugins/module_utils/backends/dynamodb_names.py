# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of tables that a restore made, and which of several tables a cluster has to use. Pure."""

from __future__ import annotations

import re
from typing import Any, Collection, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError

#: DynamoDB's limit for the name of a table.
_LONGEST = 255
_RESTORED = re.compile(r"(?P<base>.+)-lockstep-(?P<stamp>\d{8}T\d{6}Z)(?:\.(?P<number>\d+))?")


class EventsTable(NamedTuple):
    """A table of audit events, as ``audit_events_uri`` names it."""

    name: str
    region: Optional[str]
    endpoint: Optional[str]


def base_of(table: str) -> str:
    """Return the name of the table that a restored one stands for; of any other table its own."""
    match = _RESTORED.fullmatch(table)
    return match.group("base") if match else table


def restored_name(table: str, stamp: str, number: int = 1) -> str:
    """Return the name for a table restored from the backup of *table* taken at *stamp*.

    The same backup gives the same names in the same order, which is how a killed restore is found again.
    """
    tail = f"-lockstep-{stamp}" + (f".{number}" if number > 1 else "")
    return base_of(table)[: _LONGEST - len(tail)] + tail


def drill_name(table: str, stamp: str) -> str:
    """Return the name for a table that a drill restores from the backup of *table* taken at *stamp*.

    Never one that an Auth Service could be told to use: see :func:`base_of`.
    """
    tail = f"-lockstep-{stamp}-drill"
    return base_of(table)[: _LONGEST - len(tail)] + tail


def agreed_table(names: Collection[str]) -> str:
    """Return the one of *names* that all Auth Services of a cluster have to use: the one restored last.

    A restore switches one host after the other; whoever still names an older one was not reached yet. Raises
    :class:`BackupError` when the names have nothing to do with each other.
    """
    bases = sorted({base_of(name) for name in names})
    if len(bases) != 1:
        raise BackupError(
            f"the Auth Services of the cluster name unrelated tables: {', '.join(sorted(set(names)))}. They are not "
            "one cluster, or one of them was pointed elsewhere by hand. Give all the same storage.table_name."
        )
    return max(names, key=_age)


def events_tables(uris: Collection[str]) -> List[EventsTable]:
    """Return the DynamoDB tables among the values of ``audit_events_uri``."""
    return [_events_table(uri) for uri in uris if uri.startswith("dynamodb://")]


def _events_table(uri: str) -> EventsTable:
    found = urlsplit(uri)
    options: Mapping[str, Any] = parse_qs(found.query)
    name = uri[len("dynamodb://") :].split("?", maxsplit=1)[0].strip("/")
    return EventsTable(name, (options.get("region") or [None])[0], (options.get("endpoint") or [None])[0])


def _age(table: str) -> Tuple[str, int]:
    match = _RESTORED.fullmatch(table)
    return (match.group("stamp"), int(match.group("number") or 1)) if match else ("", 0)
