# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times a backup of a stopped SQLite backend against doing the same by hand, in one run on one disk.

``python tests/benchmarks/backup.py [--sizes 100,1000] [--rounds 3] [--folder DIR]`` prints a row per size in MB:
seconds of ``cp`` alone; of the steps by hand, that is ``cp``, ``sync``, ``sha256sum`` of both files and SQLite's
integrity check of the copy; of ``take_backup``, which does these and saves configuration and identity besides; and the
ratios. Figures are the best of alternating rounds, since noise only adds. It fails when a backup takes longer than the
budget allows against the steps by hand.
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

from ansible_collections.lockstep.teleport.plugins.module_utils.backup import BackupSpec, take_backup

BUDGET_RATIO = 1.0
VALUE_BYTES = 1500
ROW_BYTES = 2048  # what a row of that size takes on a page of its own pair, indexes included
SCHEMA = """
CREATE TABLE kv (key TEXT NOT NULL PRIMARY KEY, modified INTEGER NOT NULL, expires DATETIME, value BLOB);
CREATE INDEX kv_expires ON kv (expires);
"""


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


def timed(action: Callable[[], object]) -> float:
    """Return the seconds *action* takes, after everything older has reached the disk."""
    os.sync()
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(home: Path, megabytes: int, rounds: int) -> tuple[float, float, float, int]:
    """Return the best seconds of the plain copy, of the steps by hand and of the backup, and the size in bytes."""
    data = home / "data"
    (data / "backend").mkdir(parents=True)
    database, copy, backups = data / "backend" / "sqlite.db", home / "copy.db", home / "backups"
    make_database(database, megabytes)
    config = home / "teleport.yaml"
    config.write_text("teleport: {}\n")
    spec = BackupSpec(str(backups), "bench", "17.7.20", "community", {"type": "sqlite"}, str(data), str(config))

    def plain() -> None:
        subprocess.run(["cp", str(database), str(copy)], check=True)

    def by_hand() -> None:
        plain()
        subprocess.run(["sync", str(copy)], check=True)
        subprocess.run(["sha256sum", str(database), str(copy)], check=True, stdout=subprocess.DEVNULL)
        with closing(sqlite3.connect(f"file:{copy}?immutable=1", uri=True)) as connection:
            connection.execute("PRAGMA integrity_check").fetchall()

    seconds: dict[str, list[float]] = {"plain": [], "by hand": [], "backup": []}
    for _round in range(rounds):
        for name, action in (("plain", plain), ("by hand", by_hand), ("backup", lambda: take_backup(spec))):
            seconds[name].append(timed(action))
            copy.unlink(missing_ok=True)
            shutil.rmtree(backups, ignore_errors=True)
    best = [min(seconds[name]) for name in ("plain", "by hand", "backup")]
    return best[0], best[1], best[2], database.stat().st_size


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,1000", help="sizes in MB, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=None, help="folder on the disk to measure")
    options = parser.parse_args()
    print(f"{'MB':>6} {'cp s':>8} {'by hand s':>10} {'backup s':>9} {'x cp':>6} {'x by hand':>10}")
    failed = False
    for size in (int(text) for text in options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.folder) as home:
            plain, by_hand, backup, found = measure(Path(home), size, options.rounds)
        ratio = backup / by_hand
        failed = failed or ratio > BUDGET_RATIO
        print(f"{found / 1e6:6.0f} {plain:8.3f} {by_hand:10.3f} {backup:9.3f} {backup / plain:6.2f} {ratio:10.2f}")
    if failed:
        print(f"A backup takes more than {BUDGET_RATIO} times the steps by hand.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
