# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times agents against ``ansible -m ping`` over the same names, forks and connection, and against plain tasks.

``python tests/benchmarks/agents.py [--agents 50 200] [--hosts 4] [--forks 20]``: many names in the inventory are agents
with a root and a unit of their own on few real hosts with sshd. Measured with each number of agents: one hop of all
of them against a ping and one restart (budget 2.3), a second run at the target against the ping (budget 1.2), and what
Teleport's documentation tells people to do, as three plays of plain tasks: download, unpack, restart.

The budgets are about fleets, so beside the ratios of each size it prints what an agent more costs, and what a run costs
before the first agent: reading the playbooks, planning, and the batches, of which each waits ``stable_for`` seconds on
purpose. The longer wait at the canary is left out. Hosts and controller share this machine's processors, so the restart
of every agent, by Ansible's own module, shows what of a hop is Teleport's own start.
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
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.tests.benchmarks.parts import crowd

LAB = Path(__file__).parent.parent / "lab" / "lab.py"
NAIVE = Path(__file__).parent / "parts" / "naive.yml"
OLD, NEW = "16.5.12", "17.7.20"
TARBALL = f"teleport-v{NEW}-linux-amd64-bin.tar.gz"
CLUSTER, GROUP = "bench.example", "cluster_bench_example"
BUDGETS = {"hop": 2.3, "second run": 1.2}
SIZES = (50, 200)
#: Host-tasks of each run for one agent.
HOST_TASKS = {"ping": 1, "restart of all": 1, "plain tasks": 3, "hop": 2, "second run": 1}

Seconds = Mapping[str, float]


class Bench:
    """A lab of its own, with so many agents on so many hosts. Its files lie in *folder*."""

    def __init__(self, folder: str, agents: int, hosts: int, forks: int) -> None:
        self.folder = Path(folder)
        self.agents = agents
        self._hosts = [f"box{number}" for number in range(1, min(hosts, agents) + 1)]
        state, crowded = self.folder / "lab", self.folder / "crowd.json"
        self._environment = {
            **os.environ,
            "LAB_NAME": "bench",
            "LAB_STATE": str(state),
            "ANSIBLE_CONFIG": str(state / "ansible.cfg"),
            "ANSIBLE_INVENTORY": f"{state}/inventory.yml,{crowded}",
            "ANSIBLE_FORKS": str(forks),
        }

    def up(self) -> None:
        """Boot the hosts and start all agents."""
        topology = self.folder / "bench.json"
        topology.write_text(json.dumps(describe(self._hosts)), encoding="utf-8")
        self._lab("up", str(topology))
        counts = crowd.spread(self.agents, self._hosts)
        for host, count in counts.items():
            if count:
                self._lab("exec", host, "--", *crowd.populate(host, count))
        tree = json.loads((self.folder / "lab" / "inventory.yml").read_text(encoding="utf-8"))
        members = tree["all"]["children"]["teleport"]["children"][GROUP]["hosts"]
        (self.folder / "crowd.json").write_text(json.dumps(crowd.inventory(GROUP, members, counts)), encoding="utf-8")

    def down(self) -> None:
        """Remove the hosts."""
        command = [sys.executable, str(LAB), "down"]
        subprocess.run(command, env=self._environment, check=False, capture_output=True)

    def timed(self, *command: str) -> float:
        """Run a command; returns its seconds. Raises CalledProcessError, with the end of its output, when it fails."""
        began = time.monotonic()
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print((done.stdout + done.stderr)[-3000:], file=sys.stderr)
            done.check_returncode()
        return time.monotonic() - began

    def fetched(self) -> Counter[str]:
        """Return how often each file was fetched from the artefact server so far."""
        log = self.folder / "lab" / "requests.jsonl"
        entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
        return Counter(entry["path"] for entry in entries if (entry["method"], entry["status"]) == ("GET", 200))

    def bytes_of(self, files: Counter[str]) -> int:
        """Return the bytes of files that were fetched so often."""
        tree = json.loads((self.folder / "lab" / "inventory.yml").read_text(encoding="utf-8"))
        server = tree["all"]["children"]["teleport"]["vars"]["teleport_artifact_url"].split("/", 3)[:3]
        total = 0
        for path, times in files.items():
            request = urllib.request.Request("/".join(server) + path, method="HEAD")
            with urllib.request.urlopen(request) as answer:
                total += times * int(answer.headers["Content-Length"])
        return total

    def _lab(self, *arguments: str) -> None:
        self.timed(sys.executable, str(LAB), *arguments)


def main(argv: list[str]) -> int:
    """Measure; the exit status is 1 when a run fails, never when it is slow."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agents", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--hosts", type=int, default=4, help="real hosts that the agents are spread over")
    parser.add_argument("--forks", type=int, default=20)
    options = parser.parse_args(argv)
    sizes = sorted(set(options.agents))
    if sizes[0] < 1 or options.hosts < 1 or options.forks < 1:
        parser.error("--agents, --hosts and --forks: numbers from 1 on are needed")
    # Whoever stops this must not leave the hosts behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    measured: dict[int, Seconds] = {}
    for agents in sizes:
        measured[agents] = of_size(agents, options.hosts, options.forks)
    if len(sizes) > 1:
        print("\n".join(slopes(measured)))
    return 0


def of_size(agents: int, hosts: int, forks: int) -> Seconds:
    """Measure and print one size; returns the seconds of each run."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, agents, hosts, forks)
        try:
            bench.up()
            before = bench.fetched()
            seconds = measure(bench)
            print("\n".join(ratios(agents, seconds)))
            print(f"  forks {forks}, hosts {min(hosts, agents)}; {what_was_fetched(bench, before)}", flush=True)
            seconds["plain tasks"] = bench.timed("ansible-playbook", str(NAIVE), "-e", f"naive_tarball={TARBALL}")
            print(f"  plain tasks: {seconds['plain tasks']:.1f} s", flush=True)
            return seconds
        finally:
            bench.down()


def describe(boxes: list[str]) -> dict[str, Any]:
    """Return a topology whose auth and proxy run the new line already, so that one hop moves agents alone."""
    hosts = [
        {"name": "auth1", "cluster": CLUSTER, "services": ["auth"], "version": NEW},
        {"name": "proxy1", "cluster": CLUSTER, "services": ["proxy"], "version": NEW},
        *({"name": box, "cluster": CLUSTER, "services": ["agent"], "version": OLD} for box in boxes),
    ]
    return {"description": "Agents to be timed", "version": NEW, "clusters": {CLUSTER: {}}, "hosts": hosts}


def measure(bench: Bench) -> dict[str, float]:
    """Return seconds of each run; the ping is taken twice, the first one opens the connections for all."""
    ping = ["ansible", "teleport", "-m", "ansible.builtin.ping"]
    restart = ["-m", "ansible.builtin.systemd_service"]
    unit = "name={{ teleport_service | default('teleport') }} state=restarted"
    files = f"teleport_plan_file={bench.folder}/plan.json teleport_report_file={bench.folder}/report.json"
    given = f"teleport_target_version={NEW} teleport_canary_stable_for=0 {files}"
    upgrade = ["ansible-playbook", "lockstep.teleport.upgrade", "-e", given]
    bench.timed(*ping)
    return {
        "ping": bench.timed(*ping),
        "restart": bench.timed("ansible", "box1", *restart, "-a", unit),
        "restart of all": bench.timed("ansible", "lab_agent", *restart, "-a", unit),
        "hop": bench.timed(*upgrade),
        "second run": bench.timed(*upgrade),
    }


def base(name: str, seconds: Seconds) -> float:
    """Return the seconds that the run *name* is held against."""
    return seconds["ping"] + (seconds["restart"] if name == "hop" else 0.0)


def ratios(agents: int, seconds: Seconds) -> list[str]:
    """Return the lines about one size: what was measured, and where it stands against the budgets."""
    lines = [f"{agents} agents: " + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())]
    for name, budget in BUDGETS.items():
        ratio = seconds[name] / base(name, seconds)
        lines.append(f"  {name}: {ratio:.2f} times its base, budget {budget}")
    speeds = [
        f"{name} {HOST_TASKS[name] * agents / value:.1f}" for name, value in seconds.items() if name in HOST_TASKS
    ]
    lines.append("  host-tasks per second: " + ", ".join(speeds))
    return lines


def what_was_fetched(bench: Bench, before: Counter[str]) -> str:
    """Return what each agent fetched since *before*, in bytes and as a multiple of the tarball."""
    files = bench.fetched() - before
    release = Counter({path: 1 for path in files if path.endswith(TARBALL)})
    fetched = bench.bytes_of(files)
    times = fetched / (bench.agents * bench.bytes_of(release))
    return f"{fetched / bench.agents:.0f} bytes fetched per agent, {times:.2f} times the tarball"


def slopes(measured: Mapping[int, Seconds]) -> list[str]:
    """Return the lines about what a run costs with no agent, and what each agent adds, in seconds."""
    few, many = min(measured), max(measured)
    lines = [f"fixed part, and what each agent adds, from {few} and {many} agents:"]
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
