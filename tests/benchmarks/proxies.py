# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what clients of proxies behind HAProxy feel of an upgrade: requests that fail, and how long the others take.

Four clients ask without a pause, each request on a connection of its own, through a real HAProxy before two servers.
The collection's own playbook upgrades both proxies with ``teleport_proxy_drain: haproxy``; a stand-in restarts the
server where the transaction on a host would. Held against clients with nothing going on, and against the same restarts
without a drain. It fails when a request fails during the upgrade.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ansible_collections.lockstep.teleport.tests.drain.balancer import SERVERS, Balancer, Clients
from ansible_collections.lockstep.teleport.tests.drain.upgrade import upgrade_proxies

QUIET_SECONDS = 5.0


def felt(balancer: Balancer, action: Callable[[], object]) -> Clients:
    """Return the clients that asked while *action* ran."""
    clients = Clients(balancer.ports["web"])
    clients.start()
    action()
    clients.stop()
    return clients


def restart_all(balancer: Balancer) -> None:
    """Restart one server after the other, with no regard for clients."""
    for name in SERVERS:
        subprocess.run(balancer.command("restart", name), check=True)
        time.sleep(1)


def upgrade(balancer: Balancer) -> None:
    """Upgrade both proxies. Raises RuntimeError when the run fails."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = upgrade_proxies(Path(folder), balancer, {})
    if outcome.status:
        raise RuntimeError(outcome.text[-3000:])


def row(name: str, clients: Clients) -> str:
    """Return requests, how many failed, and the milliseconds of the median, of 99 % and of the slowest."""
    shares = statistics.quantiles(clients.seconds, n=100)
    figures = " ".join(f"{1000 * value:>8.1f}" for value in (shares[49], shares[98], max(clients.seconds)))
    return f"{name:<22} {clients.answered + len(clients.failures):>8} {len(clients.failures):>6} {figures}"


def main() -> int:
    """Print the table; return 1 when a request failed during the upgrade."""
    print(f"{'':<22} {'requests':>8} {'failed':>6} {'50% ms':>8} {'99% ms':>8} {'max ms':>8}")
    with closing(Balancer()) as balancer:
        print(row("nothing going on", felt(balancer, lambda: time.sleep(QUIET_SECONDS))))
        print(row("restarts, no drain", felt(balancer, lambda: restart_all(balancer))))
        time.sleep(QUIET_SECONDS)
        upgraded = felt(balancer, lambda: upgrade(balancer))
        print(row("upgrade with a drain", upgraded))
    return int(bool(upgraded.failures))


if __name__ == "__main__":
    sys.exit(main())
