# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times the planner with its replay: three clusters, four hops, growing fleets.

``python tests/benchmarks/planner.py [--sizes 1000,2000,5000,10000,20000]`` prints a row per size: the CPU seconds of a
plan with its replay, those of the replay alone, and how the time per instance compares with that of the first row. Time
per instance that stays level is linear growth; the ratios come from one run, so that a slow machine does not matter. It
fails when 10 000 instances take longer than the budget.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay import replay

BUDGET_SECONDS = 2.0
BUDGET_INSTANCES = 10_000
START, TARGET = "4.4.12", "8.3.12"
CLUSTERS: dict[str, Any] = {"main": {}, "leaf-a": {"root": "main"}, "leaf-b": {"root": "main"}}


def fleet(size: int, start: str = START) -> list[dict[str, Any]]:
    """Return a fleet: in each cluster three auth servers, four proxies, one host with client tools, the rest agents."""
    kinds = ["auth"] * 3 + ["proxy"] * 4 + ["client"]
    rows = []
    for number in range(size):
        cluster = list(CLUSTERS)[number % len(CLUSTERS)]
        place = number // len(CLUSTERS)
        service = kinds[place] if place < len(kinds) else "agent"
        rows.append({"host": f"host-{number:06}", "cluster": cluster, "services": [service], "version": start})
    return rows


def measure(size: int, rounds: int) -> tuple[float, float, int]:
    """Return the best seconds for plan and replay, for the replay alone, and the number of steps."""
    data = {"target_version": TARGET, "instances": fleet(size), "clusters": CLUSTERS}
    catalogue = Catalogue.load()
    whole, second = [], []
    steps = 0
    for _round in range(rounds):
        started = time.process_time()
        outcome = plan_upgrade(data)
        whole.append(time.process_time() - started)
        if outcome.refused:
            raise SystemExit(outcome.message)
        steps = sum(len(stage["steps"]) for stage in outcome.plan["stages"])
        started = time.process_time()
        replay(outcome.plan, data, catalogue)
        second.append(time.process_time() - started)
    return min(whole), min(second), steps


def main() -> int:
    """Print the table; return 1 when the budget is exceeded."""
    parser = argparse.ArgumentParser(description="Times the planner.")
    parser.add_argument("--sizes", default="1000,2000,5000,10000,20000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'instances':>9} {'steps':>7} {'seconds':>8} {'replay':>8} {'per instance':>13}")
    base = 0.0
    late = False
    for size in (int(text) for text in options.sizes.split(",")):
        seconds, alone, steps = measure(size, options.rounds)
        base = base or seconds / size
        print(f"{size:>9} {steps:>7} {seconds:>8.2f} {alone:>8.2f} {seconds / size / base:>12.2f}x")
        late = late or (size == BUDGET_INSTANCES and seconds > BUDGET_SECONDS)
    print(f"budget: {BUDGET_SECONDS} s for {BUDGET_INSTANCES} instances: {'exceeded' if late else 'kept'}")
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
