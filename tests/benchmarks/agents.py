# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times agents on real hosts against ``ansible -m ping`` over the same hosts, forks and connection, in one run.

Measured with two sizes of one cluster: one hop of all agents against a ping and one restart (budget 2.3), and a second
run at the target against the ping (budget 1.2). The budgets are about fleets, so beside the ratios of each size it
prints what an agent more costs, and what a run costs before the first agent: reading the playbooks, planning, and the
batches, of which each waits ``stable_for`` seconds on purpose. The longer wait at the canary is left out. Hosts and
controller share this machine's processors, so the restart of every agent, by Ansible's own module, shows what of a hop
is Teleport's own start.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

LAB = Path(__file__).parent.parent / "lab" / "lab.py"
OLD, NEW = "16.5.12", "17.7.20"
BUDGETS = {"hop": 2.3, "second run": 1.2}
# As many batches in both: what differs is the agents alone.
SIZES = (10, 30)

Seconds = Mapping[str, float]


def main(argv: list[str]) -> int:
    """Measure; the exit status is 1 when a run fails, never when it is slow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agents", type=int, nargs=2, default=SIZES, metavar=("FEW", "MANY"))
    sizes = sorted(parser.parse_args(argv).agents)
    if sizes[0] < 1 or sizes[0] == sizes[1]:
        parser.error(f"--agents {sizes[0]} {sizes[1]}: two different numbers from 1 on are needed")
    # Whoever stops this must not leave the hosts behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    measured = {agents: of_size(agents) for agents in sizes}
    for agents, seconds in measured.items():
        print("\n".join(ratios(agents, seconds)))
    print("\n".join(slopes(measured)))
    return 0


def of_size(agents: int) -> Seconds:
    """Return the seconds of each run over so many agents, on hosts that are there for this alone."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "LAB_NAME": "bench", "LAB_STATE": f"{folder}/lab"}
        topology = Path(folder) / "bench.json"
        topology.write_text(json.dumps(describe(agents)), encoding="utf-8")
        try:
            timed([sys.executable, str(LAB), "up", str(topology)], environment)
            environment["ANSIBLE_CONFIG"] = f"{folder}/lab/ansible.cfg"
            return measure(environment, folder)
        finally:
            subprocess.run([sys.executable, str(LAB), "down"], env=environment, check=False, capture_output=True)


def describe(agents: int) -> dict[str, object]:
    """Return a topology whose auth and proxy run the new line already, so that one hop moves agents alone."""
    cluster = "bench.example"
    hosts = [
        {"name": "auth1", "cluster": cluster, "services": ["auth"], "version": NEW},
        {"name": "proxy1", "cluster": cluster, "services": ["proxy"], "version": NEW},
        *({"name": f"agent{n}", "cluster": cluster, "services": ["agent"], "version": OLD} for n in range(agents)),
    ]
    return {"description": "Agents to be timed", "version": NEW, "clusters": {cluster: {}}, "hosts": hosts}


def measure(environment: dict[str, str], folder: str) -> Seconds:
    """Return seconds of each run; the ping is taken twice, the first one opens the connections for all."""
    ping = ["ansible", "teleport", "-m", "ansible.builtin.ping"]
    restart = ["-m", "ansible.builtin.systemd_service", "-a", "name=teleport state=restarted"]
    files = f"teleport_plan_file={folder}/plan.json teleport_report_file={folder}/report.json"
    given = f"teleport_target_version={NEW} teleport_canary_stable_for=0 {files}"
    upgrade = ["ansible-playbook", "lockstep.teleport.upgrade", "-e", given]
    timed(ping, environment)
    return {
        "ping": timed(ping, environment),
        "restart": timed(["ansible", "agent0", *restart], environment),
        "restart of all": timed(["ansible", "lab_agent", *restart], environment),
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


def base(name: str, seconds: Seconds) -> float:
    """Return the seconds that the run *name* is held against."""
    return seconds["ping"] + (seconds["restart"] if name == "hop" else 0.0)


def ratios(agents: int, seconds: Seconds) -> list[str]:
    """Return the lines about one size: what was measured, and where it stands against the budgets."""
    lines = [f"{agents} agents: " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())]
    for name, budget in BUDGETS.items():
        ratio = seconds[name] / base(name, seconds)
        lines.append(f"  {name}: {ratio:.2f} times its base, budget {budget}")
    return lines


def slopes(measured: Mapping[int, Seconds]) -> list[str]:
    """Return the lines about what a run costs with no agent, and what each agent adds, in seconds."""
    few, many = sorted(measured)
    lines = ["fixed part, and what each agent adds:"]
    each: dict[str, float] = {}
    for name in measured[few]:
        if name == "restart":
            continue
        each[name] = (measured[many][name] - measured[few][name]) / (many - few)
        lines.append(f"  {name}: {measured[few][name] - few * each[name]:.1f} s + {each[name]:.2f} s per agent")
    if each["ping"] > 0:
        beyond = ", ".join(f"{name} {each[name] / each['ping']:.2f} times a ping" for name in BUDGETS)
        lines.append(f"  in a large fleet, per agent: {beyond}")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
