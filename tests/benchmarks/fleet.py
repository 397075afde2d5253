# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulates the controller's own work for growing fleets: the plan from observed facts, the gates, and the report.

``python tests/benchmarks/fleet.py [--sizes 1000,10000,100000] [--start 4.4.12]`` prints a row per size: CPU seconds of
the plan with its replay, of judging the last gate of every cluster, and of the report with its JSON, the peak memory of
the process, and the memory per instance. Each size has a process of its own, so that peaks are its own. It fails when
an instance costs more than 1.5 times what it does in the fleet of the size before: that would not be linear.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import (
    controller_files,
    expectations,
    gate,
    gate_expectation,
    report,
)
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.tests.benchmarks.planner import CLUSTERS, START, TARGET, fleet

SIZES = "1000,10000,100000"
MOST_GROWTH = 1.5
PARTS = ("plan", "gate", "report")

Row = dict[str, float]


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds that some work took, and its result."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def view_of(cluster: str, plan: dict[str, Any], version: str) -> dict[str, Any]:
    """Return what a cluster shows when all of its instances are at *version*."""
    hosts = {step["host"] for stage in plan["stages"] for step in stage["steps"] if step["cluster"] == cluster}
    entry = {"services": ["agent"], "version": version, "expires": None, "address": None}
    return {
        "cluster": cluster,
        "version": version,
        "ca_pins": ["sha256:00"],
        "authorities": [{"type": "host", "rotation": "idle", "text": ""}],
        "instances": [{**entry, "id": host, "host": host} for host in hosts],
        "remote_clusters": [],
        "trusted_clusters": [],
        "versions_known": True,
    }


def judge_gates(plan: dict[str, Any], names: dict[str, list[str]], views: dict[str, Any]) -> None:
    """Judge the gate of the last stage of every cluster, as the run does with what the cluster shows then."""
    for cluster, view in views.items():
        index = max(stage["index"] for stage in plan["stages"] if any(s["cluster"] == cluster for s in stage["steps"]))
        expected = expectations.after_stage(plan, index, cluster, {"names": names}, (), view)
        found = gate.judge(gate_expectation.read(expected), view)
        if found:
            raise SystemExit(f"the gate of {cluster} does not open: {found[0].message}")


def make_report(plan: dict[str, Any], instances: list[dict[str, Any]]) -> None:
    """Make the report of a run that did everything, and write it as the run does."""
    hostvars: dict[str, dict[str, Any]] = {row["host"]: {} for row in instances}
    records = [
        entry
        for stage in plan["stages"]
        for cluster in sorted({step["cluster"] for step in stage["steps"]})
        for entry in report.stage_record(plan, stage["index"], cluster, hostvars, ())
    ]
    built = report.build_report(plan, instances, records)
    files: list[dict[str, Any]] = [
        {"path": "report.md", "content": report.render(built)},
        {"path": "report.json", "document": built},
    ]
    with tempfile.TemporaryDirectory() as folder:
        wanted = controller_files.contents(files, folder)
        controller_files.write(wanted, controller_files.stale(wanted), 0o600, folder)


def measure(size: int, start: str) -> Row:
    """Return the CPU seconds of each part, and the peak memory in MiB."""
    instances = fleet(size, start)
    plan_seconds, outcome = seconds_of(
        lambda: plan_upgrade({"target_version": TARGET, "instances": instances, "clusters": CLUSTERS})
    )
    if outcome.refused:
        raise SystemExit(outcome.message)
    plan = outcome.plan
    names = {row["host"]: [row["host"], row["host"], row["host"], ""] for row in instances}
    views = {cluster: view_of(cluster, plan, TARGET) for cluster in CLUSTERS}
    gate_seconds, _none = seconds_of(lambda: judge_gates(plan, names, views))
    report_seconds, _none = seconds_of(lambda: make_report(plan, instances))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"plan": plan_seconds, "gate": gate_seconds, "report": report_seconds, "peak": peak}


def growth(rows: dict[int, Row]) -> dict[int, float]:
    """Return how often the time per instance of each size is that of the size before it."""
    sizes = sorted(rows)
    each = {size: sum(rows[size][part] for part in PARTS) / size for size in sizes}
    return {size: each[size] / each[before] for before, size in itertools.pairwise(sizes)}


def main() -> int:
    """Print the table; return 1 when the time is not linear."""
    parser = argparse.ArgumentParser(description="Simulates the controller's own work for large fleets.")
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--start", default=START, help=f"version that runs; the target is {TARGET}")
    options = parser.parse_args()
    sizes = sorted(int(text) for text in options.sizes.split(","))
    print(f"{'instances':>9} {'plan s':>8} {'gate s':>8} {'report s':>8} {'peak MiB':>8} {'KiB each':>8}")
    rows: dict[int, Row] = {}
    for size in sizes:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows[size] = row = pool.apply(measure, (size, options.start))
        more = (row["peak"] - rows[sizes[0]]["peak"]) * 1024 / max(size - sizes[0], 1)
        print(
            f"{size:>9} {row['plan']:>8.2f} {row['gate']:>8.2f} {row['report']:>8.2f} {row['peak']:>8.0f} {more:>8.1f}",
            flush=True,
        )
    grown = growth(rows)
    for size, times in grown.items():
        print(f"an instance of {size} costs {times:.2f} times one of the size before, {MOST_GROWTH} are allowed")
    return int(any(times > MOST_GROWTH for times in grown.values()))


if __name__ == "__main__":
    sys.exit(main())
