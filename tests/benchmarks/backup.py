# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times a backup and a restore against a plain copy by the backend's own tool, in one run on one disk.

``python tests/benchmarks/backup.py [--sqlite MB] [--etcd MB] [--rounds N] [--folder DIR]`` prints a row per backend and
direction: seconds of the tool, of ours, and the ratio. Ours saves configuration and identity besides, reads everything
back, and on a restore keeps the state it found. Figures are the best of alternating rounds, since noise only adds.

The tools are ``sqlite3 .backup`` and ``.restore``, and for etcd ``etcdctl get --prefix`` and ``etcdctl make-mirror``,
its means for a range of keys in a store that others use too. ``etcdctl snapshot`` copies the server's file and cannot
put a range back into a running store; its time is printed for comparison. It fails beyond the budget.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ansible_collections.lockstep.teleport.plugins.module_utils import backup
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import EtcdClient, KeyValue
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd

#: What a backup or a restore may cost, as a multiple of the time of the backend's own tool.
BUDGET = 1.5

VALUE_BYTES = 1500
ROW_BYTES = 2048  # what a row of that size takes on a page of its own pair, indexes included
SCHEMA = """
CREATE TABLE kv (key TEXT NOT NULL PRIMARY KEY, modified INTEGER NOT NULL, expires DATETIME, value BLOB);
CREATE INDEX kv_expires ON kv (expires);
"""

Action = Callable[[], object]


def make_database(path: Path, megabytes: int) -> None:
    """Make a Teleport database of about that size with values that do not compress."""
    rows = megabytes * 1_000_000 // ROW_BYTES
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(SCHEMA)
        connection.executemany(
            "INSERT INTO kv VALUES (?, ?, NULL, ?)",
            ((f"/nodes/default/{number:08}", number, os.urandom(VALUE_BYTES)) for number in range(rows)),
        )
        connection.commit()


def fill_etcd(client: EtcdClient, megabytes: int) -> None:
    """Write about that many bytes of keys and values below /teleport."""
    numbers = range(megabytes * 1_000_000 // (VALUE_BYTES + 100))
    for start in range(0, len(numbers), 100):
        client.put(
            [
                KeyValue(b"/teleport/nodes/default/%08d" % number, os.urandom(VALUE_BYTES), 0)
                for number in numbers[start : start + 100]
            ]
        )


def timed(action: Action) -> float:
    """Return the seconds *action* takes, after everything older has reached the disk."""
    os.sync()
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def best(rounds: int, actions: dict[str, Action]) -> dict[str, float]:
    """Return the best time of each action, taken in turns."""
    found = {name: float("inf") for name in actions}
    for _round in range(rounds):
        for name, action in actions.items():
            found[name] = min(found[name], timed(action))
    return found


def make_spec(home: Path, storage: dict[str, object]) -> backup.BackupSpec:
    """Return the spec of an Auth Service below *home*."""
    config = home / "teleport.yaml"
    config.write_text("teleport: {}\n")
    return backup.BackupSpec(
        str(home / "backups"), "bench", "17.7.20", "community", storage, str(home / "data"), str(config)
    )


def run(*command: str) -> None:
    """Run a tool."""
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "ETCDCTL_API": "3"})


def restored(path: str, spec: backup.BackupSpec) -> None:
    """Restore, and make sure that there was something to do."""
    if not backup.restore_backup(path, spec).changed:
        raise RuntimeError("nothing had changed, so nothing was measured")


def measure_sqlite(home: Path, megabytes: int, rounds: int) -> dict[str, float]:
    """Return the best seconds of tool and ours, saving and putting back."""
    database, copy = home / "data" / "backend" / "sqlite.db", home / "copy.db"
    database.parent.mkdir(parents=True)
    make_database(database, megabytes)
    spec = make_spec(home, {"type": "sqlite"})
    kept = backup.take_backup(spec).path

    def tool_saves() -> None:
        copy.unlink(missing_ok=True)
        run("sqlite3", str(database), f".backup {copy}")

    def we_save() -> None:
        # One backup more at a time, as in life; the older one goes afterwards, outside of the window.
        backup.take_backup(spec)

    def we_restore() -> None:
        restored(kept, spec)

    def change() -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("UPDATE kv SET modified = modified + 1 WHERE rowid = 1")
            connection.commit()

    found = {
        "tool saves": float("inf"),
        "we save": float("inf"),
        "tool restores": float("inf"),
        "we restore": float("inf"),
    }
    for _round in range(rounds):
        found["tool saves"] = min(found["tool saves"], timed(tool_saves))
        found["tool restores"] = min(
            found["tool restores"], timed(lambda: run("sqlite3", str(database), f".restore {copy}"))
        )
        found["we save"] = min(found["we save"], timed(we_save))
        change()
        found["we restore"] = min(found["we restore"], timed(we_restore))
        tidy(spec, kept)
    return found


def tidy(spec: backup.BackupSpec, kept: str) -> None:
    """Remove all but one backup, and the evidence."""
    for name in os.listdir(spec.home):
        path = os.path.join(spec.home, name)
        if path != kept and os.path.isdir(path):
            shutil.rmtree(path)


def measure_etcd(home: Path, megabytes: int, rounds: int) -> dict[str, float]:
    """Return the best seconds of etcdctl, of ours, and of a snapshot, which is no way back for a shared store."""
    servers = [Etcd(home / name) for name in ("cluster", "mirror")]
    for server in servers:
        server._command += ["--quota-backend-bytes", str(8 << 30)]
        server._log.parent.mkdir()
        server.start()
    cluster, mirror = servers
    try:
        with closing(cluster.client()) as client:
            fill_etcd(client, megabytes)
            spec = make_spec(home, cluster.storage)
            kept = backup.take_backup(spec).path
            snapshot = str(home / "snapshot")

            def tool_saves() -> None:
                with (home / "range.json").open("wb") as file:
                    command = ["etcdctl", "--endpoints", cluster.url, "--command-timeout", "600s"]
                    command += ["get", "/teleport/", "--prefix", "-w", "json"]
                    subprocess.run(command, check=True, stdout=file, env={**os.environ, "ETCDCTL_API": "3"})

            def tool_restores() -> None:
                mirror_range(cluster, mirror, client.count(b"/teleport/", b"/teleport0"))

            def we_restore() -> None:
                client.delete(b"/teleport/nodes/default/00000001", b"/teleport/nodes/default/00000002")
                restored(kept, spec)

            found = best(
                rounds,
                {
                    "tool saves": tool_saves,
                    "we save": lambda: backup.take_backup(spec),
                    "tool restores": tool_restores,
                    "we restore": we_restore,
                    "snapshot saves": lambda: run("etcdctl", "--endpoints", cluster.url, "snapshot", "save", snapshot),
                },
            )
            tidy(spec, kept)
            return found
    finally:
        for server in servers:
            server.stop()


def mirror_range(source: Etcd, target: Etcd, keys: int) -> None:
    """Let etcdctl copy the range into an empty store, as ``make-mirror`` does until it is stopped."""
    with closing(target.client()) as client:
        client.delete(b"\0", b"\xff")
        command = ["etcdctl", "--endpoints", source.url, "make-mirror", "--prefix", "/teleport/", target.url]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "ETCDCTL_API": "3"}
        ) as process:
            while client.count(b"/teleport/", b"/teleport0") < keys:
                if process.poll() is not None:
                    raise RuntimeError("etcdctl make-mirror ended early")
                time.sleep(0.1)
            process.kill()


def report(kind: str, megabytes: int, found: dict[str, float]) -> bool:
    """Print the rows of a backend and return whether it kept its budget."""
    kept = True
    for direction, tool, ours in (("save", "tool saves", "we save"), ("restore", "tool restores", "we restore")):
        ratio = found[ours] / found[tool]
        kept = kept and ratio <= BUDGET
        print(
            f"{kind:>7} {megabytes:6} {direction:>8} {found[tool]:9.2f} {found[ours]:9.2f} {ratio:7.2f} {BUDGET:7.2f}"
        )
    for name in sorted(set(found) - {"tool saves", "we save", "tool restores", "we restore"}):
        print(f"{'':>7} {'':>6} {name}: {found[name]:.2f} s")
    return kept


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sqlite", type=int, default=1000, help="size in MB; 0 leaves SQLite out")
    parser.add_argument("--etcd", type=int, default=200, help="size in MB; 0 leaves etcd out")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", default=None, help="folder on the disk to measure")
    options = parser.parse_args()
    print(f"{'backend':>7} {'MB':>6} {'':>8} {'tool s':>9} {'ours s':>9} {'ratio':>7} {'budget':>7}", flush=True)
    kept = True
    for kind, size, measure in (("sqlite", options.sqlite, measure_sqlite), ("etcd", options.etcd, measure_etcd)):
        if size:
            with tempfile.TemporaryDirectory(dir=options.folder) as home:
                kept = report(kind, size, measure(Path(home), size, options.rounds)) and kept
    if not kept:
        print("A backup or a restore takes longer than its budget allows.", file=sys.stderr)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
