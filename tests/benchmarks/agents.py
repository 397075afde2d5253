# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times agents on real hosts against ``ansible -m ping`` over the same hosts, forks and connection, in one run.

Prints, as ratios: one hop of all agents against a ping and one restart (budget 2.3), and a second run at the target
against the ping (budget 1.2). ``--agents`` sets how many; the fewer, the more the fixed part of a run shows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LAB = Path(__file__).parent.parent / "lab" / "lab.py"
OLD, NEW = "16.5.12", "17.7.20"
BUDGETS = {"hop": 2.3, "second run": 1.2}


def main(argv: list[str]) -> int:
    """Measure; the exit status is 1 when a run fails, never when it is slow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agents", type=int, default=20)
    agents = parser.parse_args(argv).agents
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LAB_NAME": "bench", "LAB_STATE": f"{folder}/lab"}
        topology = Path(folder) / "bench.json"
        topology.write_text(json.dumps(describe(agents)), encoding="utf-8")
        try:
            timed([sys.executable, str(LAB), "up", str(topology)], environment)
            environment["ANSIBLE_CONFIG"] = f"{folder}/lab/ansible.cfg"
            report(agents, measure(environment, folder))
        finally:
            subprocess.run([sys.executable, str(LAB), "down"], env=environment, check=False, capture_output=True)
    return 0


def describe(agents: int) -> dict[str, object]:
    """Return a topology whose auth and proxy run the new line already, so that one hop moves agents alone."""
    cluster = "bench.example"
    hosts = [
        {"name": "auth1", "cluster": cluster, "services": ["auth"], "version": NEW},
        {"name": "proxy1", "cluster": cluster, "services": ["proxy"], "version": NEW},
        *({"name": f"agent{n}", "cluster": cluster, "services": ["agent"], "version": OLD} for n in range(agents)),
    ]
    return {"description": "Agents to be timed", "version": NEW, "clusters": {cluster: {}}, "hosts": hosts}


def measure(environment: dict[str, str], folder: str) -> dict[str, float]:
    """Return seconds of each run; the ping is taken twice, the first one opens the connections for all."""
    ping = ["ansible", "teleport", "-m", "ansible.builtin.ping"]
    restart = ["ansible", "agent0", "-m", "ansible.builtin.systemd_service", "-a", "name=teleport state=restarted"]
    files = f"teleport_plan_file={folder}/plan.json teleport_report_file={folder}/report.json"
    upgrade = ["ansible-playbook", "lockstep.teleport.upgrade", "-e", f"teleport_target_version={NEW} {files}"]
    timed(ping, environment)
    return {
        "ping": timed(ping, environment),
        "restart": timed(restart, environment),
        "hop": timed(upgrade, environment),
        "second run": timed(upgrade, environment),
    }


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Run a command; returns its seconds. Raises CalledProcessError, with the end of what it printed, when it fails."""
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print((done.stdout + done.stderr)[-3000:], file=sys.stderr)
        done.check_returncode()
    return time.monotonic() - began


def report(agents: int, seconds: dict[str, float]) -> None:
    """Print the measured seconds and where the ratios stand against their budgets."""
    print(", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()) + f" ({agents} agents)")
    bases = {"hop": seconds["ping"] + seconds["restart"], "second run": seconds["ping"]}
    for name, base in bases.items():
        print(f"{name}: {seconds[name] / base:.2f} times its base, budget {BUDGETS[name]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
