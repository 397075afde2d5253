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
purpose. The longer wait at the canary is left out.

A thousand agents take 17 GB of memory and an hour: ``--agents 1000 --hosts 8 --forks 20``. An sshd allows ten sessions
of one connection, so take a host for each ten forks.

Hosts and controller share this machine's processors, which hosts of a fleet do not. So a hop is held against a restart
of every agent by Ansible's own module as well, which is what of it is Teleport's own start, and each ratio is printed
for the controller's share of the processors too: what decides once hosts have processors of their own, and forks enough
hide that they wait.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.tests.benchmarks.parts import crowd
from ansible_collections.lockstep.teleport.tests.benchmarks.parts.lab import Cost, Lab, scratch

NAIVE = Path(__file__).parent / "parts" / "naive.yml"
OLD, NEW = "16.5.12", "17.7.20"
TARBALL = f"teleport-v{NEW}-linux-amd64-bin.tar.gz"
CLUSTER, GROUP = "bench.example", "cluster_bench_example"
BUDGETS = {"hop": 2.3, "second run": 1.2}
SIZES = (50, 200)
#: Host-tasks of each run for one agent.
HOST_TASKS = {"ping": 1, "restart of all": 1, "plain tasks": 3, "hop": 2, "second run": 1}

Costs = Mapping[str, Cost]


class Bench:
    """So many agents on the hosts of a lab that is up."""

    def __init__(self, lab: Lab, agents: int) -> None:
        self.lab = lab
        self.agents = agents

    def populate(self, hosts: list[str]) -> None:
        """Start all agents, and put their names into the inventory."""
        counts = crowd.spread(self.agents, hosts)
        for host, count in counts.items():
            if count:
                self.lab.on_host(host, *crowd.populate(host, count))
        members = self._tree()["children"][GROUP]["hosts"]
        path = self.lab.folder / "crowd.json"
        path.write_text(json.dumps(crowd.inventory(GROUP, members, counts)), encoding="utf-8")
        self.lab.environment["ANSIBLE_INVENTORY"] = f"{self.lab.folder}/lab/inventory.yml,{path}"

    def fetched(self) -> Counter[str]:
        """Return how often each file was fetched from the artefact server so far."""
        log = self.lab.folder / "lab" / "requests.jsonl"
        entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
        return Counter(entry["path"] for entry in entries if (entry["method"], entry["status"]) == ("GET", 200))

    def bytes_of(self, files: Counter[str]) -> int:
        """Return the bytes of files that were fetched so often."""
        server = self._tree()["vars"]["teleport_artifact_url"].split("/", 3)[:3]
        total = 0
        for path, times in files.items():
            request = urllib.request.Request("/".join(server) + path, method="HEAD")
            with urllib.request.urlopen(request) as answer:
                total += times * int(answer.headers["Content-Length"])
        return total

    def _tree(self) -> dict[str, Any]:
        text = (self.lab.folder / "lab" / "inventory.yml").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)["all"]["children"]["teleport"]
        return found


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
    measured: dict[int, Costs] = {}
    for agents in sizes:
        measured[agents] = of_size(agents, options.hosts, options.forks)
    if len(sizes) > 1:
        print("\n".join(slopes(measured)))
    return 0


def of_size(agents: int, hosts: int, forks: int) -> Costs:
    """Measure and print one size; returns what each run took."""
    boxes = [f"box{number}" for number in range(1, min(hosts, agents) + 1)]
    with scratch("bench", describe(boxes), ANSIBLE_FORKS=str(forks)) as lab:
        lab.up()
        bench = Bench(lab, agents)
        bench.populate(boxes)
        before = bench.fetched()
        costs = measure(lab)
        print("\n".join(ratios(agents, costs)))
        print(f"  forks {forks}, hosts {len(boxes)}; {what_was_fetched(bench, before)}", flush=True)
        costs["plain tasks"] = lab.cost("ansible-playbook", str(NAIVE), "-e", f"naive_tarball={TARBALL}")
        print(f"  {shown('plain tasks', costs['plain tasks'])}", flush=True)
        return costs


def describe(boxes: list[str]) -> dict[str, Any]:
    """Return a topology whose auth and proxy run the new line already, so that one hop moves agents alone."""
    hosts = [
        {"name": "auth1", "cluster": CLUSTER, "services": ["auth"], "version": NEW},
        {"name": "proxy1", "cluster": CLUSTER, "services": ["proxy"], "version": NEW},
        *({"name": box, "cluster": CLUSTER, "services": ["agent"], "version": OLD} for box in boxes),
    ]
    return {"description": "Agents to be timed", "version": NEW, "clusters": {CLUSTER: {}}, "hosts": hosts}


def measure(lab: Lab) -> dict[str, Cost]:
    """Return what each run took; the ping is taken twice, the first one opens the connections for all."""
    ping = ["ansible", "teleport", "-m", "ansible.builtin.ping"]
    restart = ["-m", "ansible.builtin.systemd_service"]
    unit = "name={{ teleport_service | default('teleport') }} state=restarted"
    lab.cost(*ping)
    return {
        "ping": lab.cost(*ping),
        "restart": lab.cost("ansible", "box1", *restart, "-a", unit),
        "restart of all": lab.cost("ansible", "lab_agent", *restart, "-a", unit),
        "hop": lab.upgrade(NEW, teleport_canary_stable_for=0),
        "second run": lab.upgrade(NEW, teleport_canary_stable_for=0),
    }


def base(name: str, costs: Costs) -> Cost:
    """Return what the run *name* is held against."""
    return together(costs["ping"], costs["restart"]) if name == "hop" else costs["ping"]


def together(first: Cost, second: Cost) -> Cost:
    """Return what two runs took, one after the other."""
    return Cost(first.seconds + second.seconds, first.processor + second.processor)


def shown(name: str, cost: Cost) -> str:
    """Return what a run took, as it is printed."""
    return f"{name} {cost.seconds:.1f} s, of the controller's processors {cost.processor:.1f} s"


def ratios(agents: int, costs: Costs) -> list[str]:
    """Return the lines about one size: what was measured, and where it stands against the budgets."""
    lines = [f"{agents} agents:", *(f"  {shown(name, cost)}" for name, cost in costs.items())]
    for name, budget in BUDGETS.items():
        limit = base(name, costs)
        whole, own = costs[name].seconds / limit.seconds, costs[name].processor / limit.processor
        lines.append(f"  {name}: {whole:.2f} times its base, of the controller's processors {own:.2f}, budget {budget}")
    everybody = together(costs["ping"], costs["restart of all"])
    lines.append(f"  hop: {costs['hop'].seconds / everybody.seconds:.2f} times a ping and a restart of all")
    speeds = [
        f"{name} {HOST_TASKS[name] * agents / cost.seconds:.1f}" for name, cost in costs.items() if name in HOST_TASKS
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


def slopes(measured: Mapping[int, Costs]) -> list[str]:
    """Return the lines about what a run costs with no agent, and what each agent adds."""
    few, many = min(measured), max(measured)
    lines = [f"fixed part, and what each agent adds, from {few} and {many} agents:"]
    each: dict[str, Cost] = {}
    for name in measured[few]:
        if name == "restart":
            continue
        first, last = measured[few][name], measured[many][name]
        each[name] = Cost(*((more - less) / (many - few) for less, more in zip(first, last, strict=True)))
        fixed = Cost(*(less - few * slope for less, slope in zip(first, each[name], strict=True)))
        lines.append(
            f"  {name}: {fixed.seconds:.1f} s + {each[name].seconds:.2f} s per agent, of the controller's processors "
            f"{fixed.processor:.1f} s + {each[name].processor:.2f} s"
        )
    if min(each["ping"]) > 0:
        for name in BUDGETS:
            whole, own = each[name].seconds / each["ping"].seconds, each[name].processor / each["ping"].processor
            lines.append(f"  in a large fleet, per agent: {name} {whole:.2f} times a ping, of the processors {own:.2f}")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
