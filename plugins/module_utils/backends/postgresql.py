# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL backend: Teleport's own tables in a database that others may use too, and those of its audit log.

What is Teleport's, and how its Auth Services show in the server, is told by lib/backend/pgbk and lib/events/pgevents of
Teleport: tables of fixed names, and for the change feed a temporary replication slot that lives as long as its session.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import kinds, postgresql_client, postgresql_uri
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    Part,
    Saved,
    written_part,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import Means
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql_client import Client

STATE_TABLES = ("kv", "backend_version")
AUDIT_TABLES = ("events", "audit_version")

#: Sessions of a process that has just ended are gone within a moment; those of a host that lost its power are not.
_LEAVING_SECONDS = 15.0

#: A dump is compressed, but bytes are text in it, so what does not compress takes about a fifth more.
_GROWTH = 1.3

_TABLES = """\
SELECT coalesce(json_object_agg(wanted.name, json_build_object(
    'schema', space.nspname, 'bytes', pg_table_size(class.oid),
    'truncate', has_table_privilege(class.oid, 'TRUNCATE'))), '{{}}')
FROM unnest(ARRAY[{names}]) AS wanted(name)
JOIN pg_class class ON class.oid = to_regclass(wanted.name) JOIN pg_namespace space ON space.oid = class.relnamespace;
"""

#: Rows as two sums of halves of their hashes: independent of order, in constant memory, and on the server's side.
_MEASURE = """\
SELECT json_build_object('table', '{name}', 'rows', count(*), 'sum', concat(
    coalesce(sum(('x' || substr(hash, 1, 16))::bit(64)::bigint::numeric), 0), '/',
    coalesce(sum(('x' || substr(hash, 17, 16))::bit(64)::bigint::numeric), 0)),
  'columns', (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull,
        pg_get_expr(adbin, adrelid)), ', ' ORDER BY attnum)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped),
  'indexes', (SELECT string_agg(pg_get_indexdef(indexrelid), ', ' ORDER BY indexrelid::regclass::text)
    FROM pg_index WHERE indrelid = '{table}'::regclass))
FROM (SELECT encode(sha256(convert_to(line::text, 'UTF8')), 'hex') AS hash FROM {table} AS line) AS hashed;
"""

_OTHERS = """\
SELECT coalesce(json_agg(shown ORDER BY shown), '[]') FROM (
  SELECT concat(usename, ' from ', coalesce(host(client_addr), 'this host'), ' (', nullif(application_name, ''), ')')
  FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
  UNION SELECT concat('the change feed ', slot_name)
  FROM pg_replication_slots WHERE database = current_database() AND temporary) AS others(shown);
"""


class Store(NamedTuple):
    """One database of a cluster: ``name`` of its part and counts, its public connection string, Teleport's tables."""

    name: str
    uri: str
    tables: Sequence[str]

    @property
    def part(self) -> str:
        """Name of the dump in a backup."""
        return f"{self.name}.dump"


class PostgresqlBackend(Backend):
    """Dumps of Teleport's tables, each taken in one snapshot, and put back in one transaction per database.

    Whoever else uses the database keeps what is theirs. Tables that a newer Teleport added stay: nothing says that they
    are Teleport's. A restore replaces rows where a table still has its columns and indexes, and the table where not.
    """

    kind = "postgresql"
    online = True
    shared = True

    def __init__(self, stores: Sequence[Store], means: Means, connect: Callable[..., Client] = Client) -> None:
        self._stores = stores
        self._means = means
        self._connect = connect
        self._clients: Dict[str, Client] = {}
        self.location = ", ".join(f"{store.name} {postgresql_uri.parse(store.uri).location}" for store in stores)

    @classmethod
    def from_storage(cls, storage: Mapping[str, Any], means: Means) -> PostgresqlBackend:
        """Read ``teleport.storage`` as facts hold it, with secrets masked. Opens no file, no connection."""
        uri = str(storage.get("conn_string") or "")
        if not uri:
            raise BackupError("storage.conn_string in teleport.yaml names no PostgreSQL database.")
        return cls([Store("postgresql", uri, STATE_TABLES), *_audit_stores(storage)], means)

    @classmethod
    def of_audit(cls, storage: Mapping[str, Any], means: Means) -> Optional[PostgresqlBackend]:
        """Return the databases of the audit log alone; ``None`` when it lies in no PostgreSQL."""
        stores = _audit_stores(storage)
        return cls(stores, means) if stores else None

    def size_bytes(self) -> int:
        """Ask for the size of the tables, and find out on the way whether the programs are there."""
        total = 0
        for store in self._stores:
            client = self._client(store)
            client.programs()
            total += sum(int(table["bytes"]) for table in _tables(client, store).values())
        return int(total * _GROWTH)

    def save(self, folder: str, serving: bool) -> Saved:
        """Dump each database in one snapshot; stopped, prove first that no session of Teleport is left."""
        parts: List[Part] = []
        counts: Dict[str, int] = {}
        details: Dict[str, Any] = {}
        for store in self._stores:
            client = self._client(store)
            if not serving:
                self._refuse_if_in_use(store, client)
            measured = _dump(client, store, folder)
            parts.append(written_part(folder, store.part, _location(store)))
            counts.update({f"{store.name}.{name}": table["rows"] for name, table in measured.items()})
            details[store.name] = measured
        return Saved(parts, counts, {"tables": details})

    def tools(self) -> Dict[str, str]:
        """Return the major version of PostgreSQL's programs."""
        return {"postgresql": str(self._client(self._stores[0]).programs().major)}

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Let pg_restore list and read each dump to its end, and count the rows of its tables."""
        for store in self._stores:
            path = os.path.join(folder, store.part)
            found = {
                f"{store.name}.{name}": rows for name, rows in postgresql_client.contents(self._means, path).items()
            }
            wanted = {name: rows for name, rows in saved["counts"].items() if name.startswith(f"{store.name}.")}
            if found != wanted:
                raise BackupError(f"{path}: holds {found} rows, the manifest says {wanted}.")

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        """Return whether every table has the saved rows, columns and indexes."""
        del folder, parts
        return all(
            _measured(self._client(store), store) == saved["details"]["tables"][store.name] for store in self._stores
        )

    def preserve(self, folder: str) -> None:
        """Dump what there is of Teleport's tables."""
        for store in self._stores:
            client = self._client(store)
            if _tables(client, store):
                _dump(client, store, folder, may_be_empty=True)

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Replace the rows of each database's tables, or the tables, in one transaction."""
        del parts
        for store in self._stores:
            client = self._client(store)
            self._refuse_if_in_use(store, client)
            now, then = _measured(client, store), saved["details"]["tables"][store.name]
            if now != then:
                begin, how = _way(_tables(client, store), now, then)
                client.load(os.path.join(folder, store.part), begin, how)

    def _client(self, store: Store) -> Client:
        if store.name not in self._clients:
            self._clients[store.name] = self._connect(self._means, self._target(store))
        return self._clients[store.name]

    def _target(self, store: Store) -> postgresql_uri.Target:
        path = self._means.config_path
        text = ""
        if postgresql_uri.MASK in store.uri:
            try:
                with open(path, encoding="utf-8") as handle:
                    text = handle.read()
            except (OSError, UnicodeDecodeError) as problem:
                raise BackupError(f"{path}: cannot be read for the password of PostgreSQL: {problem}.") from problem
        try:
            return postgresql_uri.find(store.uri, text)
        except BackupError as problem:
            raise BackupError(f"{path}: {problem}") from problem

    def _refuse_if_in_use(self, store: Store, client: Client) -> None:
        others: List[str] = []

        def alone() -> bool:
            others[:] = client.ask(_OTHERS)
            return not others

        host = self._means.host
        if not (host.wait_until(alone, _LEAVING_SECONDS) if host else alone()):
            raise BackupError(
                f"{_location(store)}: still used by {', '.join(others)}. Stop every Auth Service of the cluster, on "
                "other hosts too; what a dead host left behind, end with pg_terminate_backend."
            )


def _audit_stores(storage: Mapping[str, Any]) -> List[Store]:
    named = map(str, storage.get("audit_events_uri") or [])
    audits = [uri for uri in named if kinds.is_postgresql(uri) and not kinds.logs_in_by_token(uri)]
    return [
        Store("audit" if not number else f"audit-{number + 1}", uri, AUDIT_TABLES) for number, uri in enumerate(audits)
    ]


def _location(store: Store) -> str:
    return f"PostgreSQL {postgresql_uri.parse(store.uri).location}"


def _tables(client: Client, store: Store) -> Dict[str, Any]:
    found: Dict[str, Any] = client.ask(_TABLES.format(names=", ".join(f"'{name}'" for name in store.tables)))
    return found


def _dump(client: Client, store: Store, folder: str, may_be_empty: bool = False) -> Dict[str, Any]:
    found = _tables(client, store)
    missing = [name for name in store.tables if name not in found]
    if missing and not may_be_empty:
        raise BackupError(
            f"{_location(store)}: there is no table {missing[0]!r}. Check the connection string in teleport.yaml; "
            "before its first start a cluster has nothing to back up."
        )
    path = os.path.join(folder, store.part)
    # pg_dump keeps the mode of a file that is there.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, durable.PRIVATE_FILE))
    lines = client.dump(path, [_quoted(found[name]["schema"], name) for name in found], _measure(found))
    measured = _by_table(lines)
    if not may_be_empty and not measured[store.tables[1]]["rows"]:
        raise BackupError(f"{_location(store)}: {store.tables[1]} is empty, so Teleport never finished setting it up.")
    return measured


def _measured(client: Client, store: Store) -> Dict[str, Any]:
    """Measure the tables there are."""
    found = _tables(client, store)
    return _by_table([client.ask(_measure({name: table})) for name, table in found.items()])


def _measure(found: Mapping[str, Any]) -> str:
    return "".join(
        _MEASURE.format(name=name, table=_quoted(table["schema"], name)) for name, table in sorted(found.items())
    )


def _by_table(lines: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    """Return rows, a digest of them, and one of columns and indexes, by table name."""
    return {
        str(line["table"]): {
            "rows": int(line["rows"]),
            "digest": _sha256(str(line["sum"])),
            "shape": _sha256(f"{line['columns']}; {line['indexes']}"),
        }
        for line in lines
    }


def _way(found: Mapping[str, Any], now: Mapping[str, Any], then: Mapping[str, Any]) -> Any:
    """Return the SQL that opens the transaction, and how pg_restore is to go on in it."""
    same = {name: table["shape"] for name, table in now.items()} == {
        name: table["shape"] for name, table in then.items()
    }
    names = {name: _quoted(table["schema"], name) for name, table in sorted(found.items())}
    lock = f"LOCK TABLE {', '.join(names.values())} IN ACCESS EXCLUSIVE MODE;\n" if names else ""
    begin = f"BEGIN;\nSET LOCAL lock_timeout = '30s';\n{lock}"
    if not same:
        return begin, "--clean --if-exists"
    # Replacing rows leaves grants, publications and whatever else hangs on the tables alone.
    empty = [
        f"{'TRUNCATE' if table['truncate'] else 'DELETE FROM'} {names[name]};" for name, table in sorted(found.items())
    ]
    return "\n".join([begin, *empty]), "--data-only"


def _quoted(schema: str, name: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
