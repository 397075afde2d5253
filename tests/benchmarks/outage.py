# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times how long Auth is away in a hop, against a restart of the new version plus a copy of its database, in one run.

On a real host with SQLite of several sizes, a client asks ``/readyz`` every 50 ms. Away is from the last answer that
was good to the first that is good again. What a hop does in that time: stop, copy the database, prove the copy, start
the new version, which migrates; with the strategy ``rolling`` the copy was made before. What it is held against:
``systemctl restart`` of the new version, and ``cp`` of the database until it is on the disk. It fails beyond the budget
for 100 MB.

A group of two on one etcd is rolled through as well: its client is served as long as either of them takes a connection.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.lockstep.teleport.tests.benchmarks.parts.lab import PROGRAM, Lab, scratch

OLD, NEW = "16.5.12", "17.7.20"
#: How long Auth may be away, as a multiple of restart and copy, and the size that this holds for.
BUDGET, BUDGET_MEGABYTES = 1.3, 100
SIZES = (1, 100, 1000)
STRATEGIES = ("shrink", "rolling")
HOST = "auth1"
GROUP = (HOST, "auth2")
DATABASE = "/var/lib/teleport/backend/sqlite.db"
TOPOLOGY = {
    "description": "One auth host on SQLite to be timed",
    "version": OLD,
    "clusters": {"bench.example": {}},
    "hosts": [{"name": HOST, "cluster": "bench.example", "services": ["auth"]}],
}
GROUP_TOPOLOGY = {
    "description": "Two auth hosts on etcd to be rolled through",
    "version": OLD,
    "clusters": {"bench.example": {"backend": "etcd"}},
    "hosts": [
        *({"name": name, "cluster": "bench.example", "services": ["auth"]} for name in GROUP),
        {"name": "svc1", "extras": ["etcd"]},
    ],
}
#: Runs on a host. Asks whether that one is ready, or connects to any of the addresses in its arguments. Writes one line
#: when it began to ask, and one with the longest time without a good answer.
CLIENT = """\
import http.client, signal, socket, sys, time
def is_ready():
    connection = http.client.HTTPConnection("127.0.0.1", 3000, timeout=0.5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    finally:
        connection.close()
def is_open(address):
    try:
        socket.create_connection((address, 3025), timeout=0.5).close()
        return True
    except OSError:
        return False
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
last, longest = time.monotonic(), 0.0
print("asking", flush=True)
while not stopped:
    asked = time.monotonic()
    try:
        if any(map(is_open, sys.argv[1:])) if sys.argv[1:] else is_ready():
            now = time.monotonic()
            last, longest = now, max(longest, now - last)
    except (OSError, http.client.HTTPException):
        pass
    time.sleep(max(0.0, 0.05 - (time.monotonic() - asked)))
print(longest, flush=True)
"""
#: Runs on the host with Auth stopped: rows that the cluster does not look at, in tables of their own.
FILL = """\
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA synchronous = OFF")
database.execute("CREATE TABLE filler (key TEXT NOT NULL PRIMARY KEY, value BLOB)")
rows = int(sys.argv[2]) * 1000000 // 2048
database.executemany("INSERT INTO filler VALUES (?, ?)", (("/nodes/%08d" % n, os.urandom(1800)) for n in range(rows)))
database.commit()
"""
#: Runs on the host. Prints the seconds of a copy by cp that is on the disk.
COPY = """\
import os, subprocess, sys, time
os.sync()
began = time.monotonic()
subprocess.run(["sh", "-c", 'cp "$0" "$0.copy" && sync "$0.copy"', sys.argv[1]], check=True)
print(time.monotonic() - began)
os.unlink(sys.argv[1] + ".copy")
"""


def upgrade(lab: Lab, strategy: str) -> None:
    """Take all hosts through the hop."""
    lab.upgrade(NEW, teleport_stable_for=1, teleport_auth_strategy=strategy)


def away(lab: Lab, action: Callable[[], object], host: str = HOST, addresses: Sequence[str] = ()) -> float:
    """Return for how many seconds Auth was away at the longest while *action* ran.

    The client runs on *host* and asks it, or connects to the *addresses*.
    """
    command = [sys.executable, str(PROGRAM), "exec", host, "--", "python3", "-c", CLIENT, *addresses]
    with subprocess.Popen(command, env=lab.environment, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        if client.stdout.readline().strip() != "asking":
            raise RuntimeError("the client does not start")
        action()
        time.sleep(2)
        lab.on_host(host, "pkill", "-TERM", "-f", "longest = time.monotonic")
        return float(client.stdout.readline())


def measure(lab: Lab, strategy: str, megabytes: int) -> dict[str, float]:
    """Return the seconds of each part with a database of about that size."""
    lab.lab("reset", "--version", OLD)
    lab.on_host(HOST, "systemctl", "stop", "teleport")
    lab.on_host(HOST, "python3", "-c", FILL, DATABASE, str(megabytes))
    lab.on_host(HOST, "systemctl", "start", "teleport")
    lab.on_host(HOST, "sh", "-c", "until curl -fs http://127.0.0.1:3000/readyz; do sleep 0.1; done")
    hop = away(lab, lambda: upgrade(lab, strategy))
    restarts = [away(lab, lambda: lab.on_host(HOST, "systemctl", "restart", "teleport")) for _round in range(3)]
    return {
        "hop": hop,
        "restart": min(restarts),
        "copy": float(lab.on_host(HOST, "python3", "-c", COPY, DATABASE)),
        "said": float(lab.report()["auth_outages"][0]["outage"]),
    }


def row(strategy: str, megabytes: int, found: dict[str, float]) -> str:
    """Return the line of the table about one measurement."""
    ratio = found["hop"] / (found["restart"] + found["copy"])
    budget = BUDGET if megabytes == BUDGET_MEGABYTES else "–"
    return (
        f"{strategy:<8} {megabytes:>6} {found['restart']:8.2f} {found['copy']:8.2f} {found['hop']:8.2f}"
        f" {found['said']:9.2f} {ratio:6.2f} {budget:>7}"
    )


def alone(sizes: Iterable[int]) -> bool:
    """Measure and print an auth host with SQLite; returns whether the budget is kept."""
    kept = True
    with scratch("outage", TOPOLOGY) as lab:
        lab.up()
        print(
            f"{'':<8} {'MB':>6} {'restart':>8} {'copy':>8} {'away':>8} {'reported':>9} {'ratio':>6} {'budget':>7}",
            flush=True,
        )
        for strategy in STRATEGIES:
            for megabytes in sizes:
                found = measure(lab, strategy, megabytes)
                ratio = found["hop"] / (found["restart"] + found["copy"])
                kept = kept and (megabytes != BUDGET_MEGABYTES or ratio <= BUDGET)
                print(row(strategy, megabytes, found), flush=True)
    return kept


def in_a_group() -> None:
    """Measure and print two auth hosts that are rolled through."""
    with scratch("outage", GROUP_TOPOLOGY) as lab:
        lab.up()
        addresses = [json.loads(lab.output("ansible-inventory", "--host", host))["ansible_host"] for host in GROUP]
        longest = away(lab, lambda: upgrade(lab, "rolling"), "svc1", addresses)
        each = ", ".join(f"{float(entry['outage']):.2f}" for entry in lab.report()["auth_outages"])
        print(f"rolling through {len(addresses)} on etcd: away {longest:.2f} s; reported of each: {each or 'nothing'}")


def main() -> int:
    """Measure; the exit status is 1 when the budget is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, nargs="+", default=SIZES)
    kept = alone(parser.parse_args().megabytes)
    in_a_group()
    if not kept:
        print("Auth is away for longer than its budget allows.", file=sys.stderr)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
