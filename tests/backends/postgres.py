# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real PostgreSQL of one test run: its own data folder, a free loopback port, TLS, and passwords by SCRAM."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

PASSWORD = "p@ss:w/rd %'42"
QUOTED = "p%40ss%3Aw%2Frd%20%25'42"
_READY_SECONDS = 60.0
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))

#: As lib/backend/pgbk and lib/events/pgevents of Teleport create them.
STATE = """
CREATE TABLE backend_version (version integer PRIMARY KEY CHECK (version > 0),
  created timestamptz NOT NULL DEFAULT now());
CREATE TABLE kv (key bytea NOT NULL, value bytea NOT NULL, expires timestamptz, revision uuid NOT NULL,
  CONSTRAINT kv_pkey PRIMARY KEY (key));
CREATE INDEX kv_expires_idx ON kv (expires) WHERE expires IS NOT NULL;
INSERT INTO backend_version (version) VALUES (1);
"""
AUDIT = """
CREATE TABLE audit_version (version integer PRIMARY KEY CHECK (version > 0),
  created timestamptz NOT NULL DEFAULT now());
CREATE TABLE events (event_time timestamptz NOT NULL, event_id uuid NOT NULL, event_type text NOT NULL,
  session_id uuid NOT NULL, event_data json NOT NULL, creation_time timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT events_pkey PRIMARY KEY (event_time, event_id));
CREATE INDEX events_creation_time_idx ON events USING brin (creation_time);
INSERT INTO audit_version (version) VALUES (1);
"""


def folder() -> Path | None:
    """Return where the newest server programs are, None when there are none."""
    return _FOLDERS[-1] if _FOLDERS and (_FOLDERS[-1] / "initdb").exists() else None


class Postgres:
    """One server. As root it runs as the user ``postgres``, because PostgreSQL refuses to run as root.

    So *home* must not be below pytest's own folder, which every run of pytest closes to others than root.
    """

    def __init__(self, home: Path, port: int, certificates: dict[str, Path]) -> None:
        bin_folder = folder()
        if bin_folder is None:
            raise RuntimeError("no PostgreSQL server found; install the package postgresql")
        self._bin = bin_folder
        self.port = port
        self.home = home
        self._data = home / "data"
        self._log = home / "log"
        self.ca = certificates["ca.crt"]
        self._process: subprocess.Popen[bytes] | None = None
        self._make(certificates)

    def _make(self, certificates: dict[str, Path]) -> None:
        for name in ("server.crt", "server.key"):
            shutil.copy(certificates[name], self.home / name)
            (self.home / name).chmod(0o600)
        (self.home / "password").write_text("superuser's")
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (self.home, *self.home.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._as_server(
            "initdb", "-D", str(self._data), "-U", "postgres", "--pwfile", str(self.home / "password"), "-A",
            "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip

    def _as_server(self, program: str, *arguments: str) -> None:
        subprocess.run([*_demoted(), str(self._bin / program), *arguments], check=True, capture_output=True)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self.home),
            "wal_level": "logical", "ssl": "on", "ssl_cert_file": str(self.home / "server.crt"),
            "ssl_key_file": str(self.home / "server.key"), "fsync": "off", "max_connections": "30",
        }  # fmt: skip
        command = [*_demoted(), str(self._bin / "postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_SECONDS
        while self._psql("SELECT 1", "postgres", check=False).returncode != 0:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL does not start: {self._log.read_text()}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End the server without any warning, and every process of it."""
        if self._process is None:
            return
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + _READY_SECONDS
        # Its children notice at their next look at the postmaster; a new server refuses to start before.
        while _children_left(self._data) and time.monotonic() < deadline:
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def sql(self, text: str, database: str = "teleport") -> str:
        """Run statements as the owner of the tables; return what they print."""
        return self._psql(text, database, user="teleport", password=PASSWORD).stdout

    def as_superuser(self, text: str, database: str = "postgres") -> str:
        """Run statements as superuser."""
        return self._psql(text, database).stdout

    def session(self, database: str = "teleport", **more: Any) -> subprocess.Popen[str]:
        """Open a session of Teleport's user that reads statements from its standard input."""
        return subprocess.Popen(
            [str(self._bin / "psql"), "-X", "-q", "-A", "-t"],
            env=self._environment("teleport", PASSWORD, database), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, **more,
        )  # fmt: skip

    def uri(self, database: str, scheme: str = "postgresql") -> str:
        """Return the connection string that a teleport.yaml holds."""
        return (
            f"{scheme}://teleport:{QUOTED}@127.0.0.1:{self.port}/{database}"
            f"?sslmode=verify-full&sslrootcert={self.ca}&pool_max_conns=20"
        )

    def fresh(self, *databases: str) -> None:
        """Make the databases anew, and Teleport's tables in them; an audit database is one that is called so."""
        self.as_superuser(
            "DO $$BEGIN CREATE ROLE teleport LOGIN REPLICATION; EXCEPTION WHEN duplicate_object THEN END$$"
        )
        escaped = PASSWORD.replace("'", "''")
        self.as_superuser(f"ALTER ROLE teleport PASSWORD '{escaped}'")
        for name in databases:
            self.as_superuser(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            self.as_superuser(f"CREATE DATABASE {name} OWNER teleport")
            self.sql(AUDIT if "audit" in name else STATE, name)

    def _environment(self, user: str, password: str, database: str) -> dict[str, str]:
        return {
            **os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": user, "PGPASSWORD": password,
            "PGDATABASE": database, "PGSSLMODE": "require", "PGAPPNAME": "test",
        }  # fmt: skip

    def _psql(
        self, text: str, database: str, user: str = "postgres", password: str = "superuser's", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [str(self._bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        environment = self._environment(user, password, database)
        done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done


def _demoted() -> list[str]:
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.getuid() == 0 else []


def _children_left(data: Path) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink() == data:
                    return True
            except OSError:
                continue
    return False
