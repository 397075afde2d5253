# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times a whole upgrade of two clusters on eight real hosts over two release lines, with everything at its default.

Beside the whole it prints what of it is waiting on purpose: a canary per hop and cluster is watched for
``teleport_canary_stable_for`` seconds, every other batch for ``teleport_stable_for``. It fails beyond the budget.
"""

from __future__ import annotations

import sys
from typing import Any

from ansible_collections.lockstep.teleport.tests.benchmarks.parts.lab import scratch

OLD, NEW = "15.5.4", "17.7.20"
BUDGET_SECONDS = 300.0
ROOT, LEAF = "root.example", "leaf.example"
SERVICES = {"auth1": "auth", "proxy1": "proxy", "agent1": "agent", "agent2": "agent"}


def topology() -> dict[str, Any]:
    """Return a root and a leaf, each of an auth host, a proxy and two agents."""
    hosts = [
        {"name": f"{cluster.partition('.')[0]}-{name}", "cluster": cluster, "services": [service]}
        for cluster in (ROOT, LEAF)
        for name, service in SERVICES.items()
    ]
    clusters = {ROOT: {}, LEAF: {"root": ROOT}}
    return {"description": "Two clusters to be timed", "version": OLD, "clusters": clusters, "hosts": hosts}


def main() -> int:
    """Measure; the exit status is 1 when the budget is not kept."""
    with scratch("window", topology()) as lab:
        lab.up()
        seconds = lab.upgrade(NEW).seconds
        report = lab.report()
        again = lab.upgrade(NEW).seconds
    away = [float(entry["outage"]) for entry in report["auth_outages"]]
    print(f"{OLD} to {NEW}, two clusters on eight hosts: {seconds:.0f} s, budget {BUDGET_SECONDS:.0f} s")
    print(f"  auth away {', '.join(f'{one:.1f}' for one in away)} s; a second run {again:.0f} s")
    if seconds > BUDGET_SECONDS:
        print("The upgrade takes longer than its budget allows.", file=sys.stderr)
    return 0 if seconds <= BUDGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
