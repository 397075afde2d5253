# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PostgreSQL store, against a real server."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import Host, free_ports
from teleport_double.backend.base import BackendError
from teleport_double.backend.postgresql import PostgresBackend

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    """A server that trusts its socket's users, as root runs it under another name."""
    port = free_ports(1)[0]
    as_server = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.getuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="lockstep-postgres-") as home:
        if as_server:
            subprocess.run(["chown", "postgres", home], check=True)
        data = f"{home}/data"
        made = [*as_server, str(BIN / "initdb"), "-D", data, "-U", "teleport", "-A", "trust", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True)
        command = [*as_server, str(BIN / "postgres"), "-D", data, "-p", str(port), "-k", home]
        settings = ["-c", "wal_level=logical", "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]
        with open(f"{home}/log", "wb") as log:
            server = subprocess.Popen([*command, *settings], stdout=log, stderr=log)
        found = f"postgresql://teleport:unused@127.0.0.1:{port}/postgres?pool_max_conns=20"
        deadline = time.monotonic() + 60
        ready = [str(BIN / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready, check=False).returncode:
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield found
        server.kill()
        server.wait()


def test_records(uri: str) -> None:
    one, two = PostgresBackend({"conn_string": uri}), PostgresBackend({"conn_string": uri})
    one.put("/a/b", '{"it": "isn\'t\\n|x"}')
    one.put("/a/c", "2", time.time() + 60)
    one.put("/a/gone", "3", time.time() - 1)
    one.put("/ab", "4")
    assert [item.key for item in two.scan("/a/")] == ["/a/b", "/a/c"]
    found = two.get("/a/b")
    assert found is not None
    assert (found.value, found.expires) == ('{"it": "isn\'t\\n|x"}', None)
    assert not two.swap("/a/c", "other", "x")
    assert two.swap("/a/c", "2", "5")
    assert two.delete("/a/c")
    assert not one.delete("/a/c")
    assert one.location == two.location
    one.close()
    two.close()


def test_every_auth_holds_a_slot_as_long_as_it_lives(uri: str) -> None:
    store = PostgresBackend({"conn_string": uri})
    assert store._run("SELECT count(*) FROM pg_replication_slots WHERE temporary") == ["1"]
    store.close()
    again = PostgresBackend({"conn_string": uri})
    assert again._run("SELECT count(*) FROM pg_replication_slots WHERE temporary") == ["1"]
    again.close()


def test_a_cluster_keeps_its_records_there(uri: str, new_host: Callable[..., Host]) -> None:
    host = new_host(services=("auth",), storage={"type": "postgresql", "conn_string": uri})
    host.start("15.5.3")
    host.stop()
    store = PostgresBackend({"conn_string": uri})
    keys = [item.key for item in store.scan("/")]
    store.close()
    assert any(key.startswith("/authorities/") for key in keys)


@pytest.mark.parametrize("target", ["", "mysql://db/x", "postgresql://teleport@127.0.0.1:1/postgres"])
def test_a_server_that_does_not_answer(target: str) -> None:
    with pytest.raises(BackendError):
        PostgresBackend({"conn_string": target})
