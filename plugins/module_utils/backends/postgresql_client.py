# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's own programs, psql, pg_dump and pg_restore: found, new enough, and told secrets by environment only."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, TypeVar

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import Means
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql_uri import Target, environment
from ansible_collections.lockstep.teleport.plugins.module_utils.host import NOT_FOUND, Completed
from ansible_collections.lockstep.teleport.plugins.module_utils.timed_command import TIMED_OUT

#: What the scripts here need of the programs: pg_restore writes to standard output with ``-f -`` from 12 on.
OLDEST_TOOLS = 12

#: Where Debian's and PostgreSQL's own packages put programs that are not on the PATH.
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")

#: Nobody's settings, values alone, no questions, and the end at the first error.
_QUIETLY = ("-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-")

_ASK_SECONDS = 120.0
_COPY_SECONDS = 6 * 3600.0
_CONNECT_SECONDS = "15"
_VERSION = re.compile(r"(?:psql|pg_dump|pg_restore) \(PostgreSQL\)\s+(\d+)")
_NUMBER = re.compile(r"\d+")
_DUMPED = "lockstep-dumped"
_COMMITTED = "lockstep-committed"

#: The same text for the same row, whatever server, role or database were told to print.
_SETTINGS = """\
SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex';
SET extra_float_digits = 1; SET client_encoding = 'UTF8'; SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
"""

#: pg_dump has to see what the session that measures the tables sees, so it runs inside that session's transaction.
_DUMP_SCRIPT = """\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \\gset
\\setenv LOCKSTEP_SNAPSHOT :snapshot
{measure}
\\! eval "$LOCKSTEP_DUMP" && echo {dumped}
COMMIT;
"""
_DUMP_COMMAND = (
    '"$LOCKSTEP_PG_DUMP" -w --format=custom --compress=1 --no-sync --snapshot="$LOCKSTEP_SNAPSHOT" '
    '--file="$LOCKSTEP_FILE" {tables}'
)

#: One transaction from the first statement to the last row: COMMIT is only sent when pg_restore has come to its end,
#: and a stream that stops before is rolled back by the server. The line taken out is written by pg_restore 17 for all
#: servers and unknown to those before 17.
_RESTORE_SCRIPT = (
    '{ printf "%s\\n" "$LOCKSTEP_BEGIN" && "$LOCKSTEP_PG_RESTORE" $LOCKSTEP_HOW -f - "$LOCKSTEP_FILE" && '
    'printf "%s\\n" "COMMIT;" "\\\\echo $LOCKSTEP_COMMITTED"; } | '
    "LC_ALL=C sed -e '/^SET transaction_timeout = 0;$/d' | "
    '"$LOCKSTEP_PSQL" -X -q -w -v ON_ERROR_STOP=1 -o /dev/null -f -'
)

#: Versions of programs by path, for the lifetime of a module.
_KNOWN: Dict[str, int] = {}

Result = TypeVar("Result")


class Programs(NamedTuple):
    """Paths of the three programs, and their major version."""

    psql: str
    dump: str
    restore: str
    major: int


class Client:
    """One database, asked and copied by PostgreSQL's own programs. All methods raise :class:`BackupError`."""

    def __init__(self, means: Means, target: Target, folders: Sequence[str] = FOLDERS) -> None:
        self._means = means
        self._folders = folders
        self._psql = ""
        self._programs: Optional[Programs] = None
        self._environment = {
            **environment(target.keywords),
            "PGAPPNAME": "lockstep",
            "PGCONNECT_TIMEOUT": target.keywords.get("connect_timeout", _CONNECT_SECONDS),
        }
        self._where = target.location

    def ask(self, query: str) -> Any:
        """Return the JSON value that one query gives."""
        self._psql = self._psql or find_programs(self._means, self._folders).psql
        done = self._run([self._psql, *_QUIETLY], _SETTINGS + query)
        if done.status != 0:
            raise BackupError(self._complaint("psql", done))
        return json.loads(done.output)

    def programs(self) -> Programs:
        """Return programs that can dump this server."""
        if self._programs is None:
            server = int(self.ask("SELECT current_setting('server_version_num')::int;")) // 10000
            why = f"{self._where} is {server}"
            self._programs = find_programs(self._means, self._folders, max(server, OLDEST_TOOLS), why)
        return self._programs

    def dump(self, file_name: str, tables: Sequence[str], measure: str) -> List[Any]:
        """Dump *tables* (quoted names) into *file_name*; return the JSON lines *measure* gives in the same snapshot."""
        programs = self.programs()
        chosen = " ".join(f"--table={_shell(table)}" for table in tables)
        script = _SETTINGS + _DUMP_SCRIPT.format(measure=measure, dumped=_DUMPED)
        more = {
            "LOCKSTEP_PG_DUMP": programs.dump,
            "LOCKSTEP_FILE": file_name,
            "LOCKSTEP_DUMP": _DUMP_COMMAND.format(tables=chosen),
        }
        done = self._run([programs.psql, *_QUIETLY], script, more, _COPY_SECONDS)
        lines = done.output.splitlines()
        if done.status != 0 or _DUMPED not in lines:
            raise BackupError(self._complaint("pg_dump", done))
        return [json.loads(line) for line in lines if line.startswith("{")]

    def load(self, file_name: str, begin: str, how: str) -> None:
        """Run *begin* (SQL after which a transaction is open) and all that pg_restore makes of the file, or nothing."""
        programs = self.programs()
        more = {
            "LOCKSTEP_PSQL": programs.psql,
            "LOCKSTEP_PG_RESTORE": programs.restore,
            "LOCKSTEP_FILE": file_name,
            "LOCKSTEP_BEGIN": begin,
            "LOCKSTEP_HOW": how,
            "LOCKSTEP_COMMITTED": _COMMITTED,
        }
        # \echo writes to standard output whatever -o says.
        done = self._run(["/bin/sh", "-c", _RESTORE_SCRIPT], None, more, _COPY_SECONDS)
        if done.status != 0 or _COMMITTED not in done.output.splitlines():
            raise BackupError(self._complaint("pg_restore", done) + " Nothing was changed in the database.")

    def _run(self, arguments: List[str], data: Any, more: Any = None, seconds: float = _ASK_SECONDS) -> Completed:
        return self._means.run(arguments, seconds, {**self._environment, **(more or {})}, data)

    def _complaint(self, program: str, done: Completed) -> str:
        return f"{self._where}: {program} fails: {reason(done)}.{_hint(done.errors)}"


def find_programs(means: Means, folders: Sequence[str], major: int = 0, why: str = "") -> Programs:
    """Return the three programs from *folders* or the PATH, at least of *major*, which *why* asks for."""
    found: List[str] = []
    # The PATH comes last: on Debian it has a script that looks for the programs in these folders each time.
    for folder in [*sorted(_expanded(folders), key=_number, reverse=True), ""]:
        paths = [os.path.join(folder, name) for name in ("psql", "pg_dump", "pg_restore")]
        versions = [_version(means, path) for path in paths]
        if all(versions):
            oldest = min(versions)
            if oldest >= max(major, OLDEST_TOOLS):
                return Programs(paths[0], paths[1], paths[2], oldest)
            found.append(f"{paths[1]} is {oldest}")
    wanted = f"version {max(major, OLDEST_TOOLS)} or newer" + (f" ({why})" if why else "")
    there = "; ".join(found) or "none of that name is there"
    raise BackupError(
        f"PostgreSQL is saved with psql, pg_dump and pg_restore of {wanted}, and {there}. Install PostgreSQL's client "
        "programs on every auth host."
    )


def contents(means: Means, file_name: str, folders: Sequence[str] = FOLDERS) -> Dict[str, int]:
    """Read a whole dump with pg_restore, its list and its data, and return the number of rows by table name.

    Raises :class:`BackupError` when any of it cannot be read, or the list names data that the dump lacks.
    """
    restore = find_programs(means, folders).restore
    listed = means.run([restore, "--list", file_name], _ASK_SECONDS)
    if listed.status != 0:
        raise BackupError(f"{file_name}: pg_restore cannot list it: {reason(listed)}. Use another backup.")
    rows = _streamed(lambda pipe: _read(means, restore, file_name, pipe), _count_rows)
    # "3340; 0 16386 TABLE DATA public kv teleport"
    named = [line.split()[6] for line in listed.output.splitlines() if " TABLE DATA " in line and line[:1] != ";"]
    if sorted(named) != sorted(rows):
        raise BackupError(f"{file_name}: lists data of {sorted(named)}, holds data of {sorted(rows)}.")
    return rows


def reason(done: Completed) -> str:
    """Return the first line of what a program complained about."""
    if done.status == TIMED_OUT:
        return "it did not end in time"
    if done.status == NOT_FOUND:
        return "it is not there"
    lines = [line.strip() for line in done.errors.splitlines() if line.strip()]
    chosen = next((line for line in lines if "error" in line.lower() or "fatal" in line.lower()), None)
    return (chosen or (lines[0] if lines else f"it exits with {done.status}")).rstrip(".")


def _read(means: Means, restore: str, file_name: str, pipe: str) -> None:
    done = means.run([restore, "--data-only", "-f", pipe, file_name], _COPY_SECONDS)
    if done.status != 0:
        raise BackupError(f"{file_name}: pg_restore cannot read it: {reason(done)}. Use another backup.")


def _count_rows(path: str) -> Dict[str, int]:
    rows: Dict[str, int] = {}
    table = None
    with open(path, "rb") as stream:
        for line in stream:
            if table is not None:
                if line == b"\\.\n":
                    table = None
                else:
                    rows[table] += 1
            elif line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;"):
                table = line.split()[1].decode("utf-8", "replace").rpartition(".")[2].strip('"')
                rows[table] = 0
    return rows


def _streamed(produce: Callable[[str], None], consume: Callable[[str], Result]) -> Result:
    """Let *produce* write to a named pipe that *consume* reads, so that neither memory nor disk holds it all."""
    with tempfile.TemporaryDirectory(prefix="lockstep-") as folder, ThreadPoolExecutor(max_workers=1) as pool:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe, 0o600)
        consumed = pool.submit(consume, pipe)
        try:
            produce(pipe)
        finally:
            # A producer that never opened the pipe leaves its reader waiting; this opens and closes it in its place.
            with contextlib.suppress(OSError):
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return consumed.result()


def _version(means: Means, path: str) -> int:
    if path not in _KNOWN:
        match = _VERSION.search(means.run([path, "--version"], _ASK_SECONDS).output)
        found = int(match.group(1)) if match else 0
        if not os.path.isabs(path):
            return found
        _KNOWN[path] = found
    return _KNOWN[path]


def _expanded(folders: Sequence[str]) -> List[str]:
    return [folder for pattern in folders for folder in glob.glob(pattern)]


def _number(folder: str) -> int:
    return int((_NUMBER.findall(folder) or ["0"])[-1])


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _hint(errors: str) -> str:
    if "no password supplied" in errors:
        return " Teleport gets its password from elsewhere; put it into conn_string, or name a passfile there."
    if "password authentication failed" in errors or "pg_hba" in errors:
        return " Check conn_string in teleport.yaml and the server's pg_hba.conf."
    return ""
