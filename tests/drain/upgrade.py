# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook over an auth server and two proxies behind a real HAProxy, with stand-ins for what touches a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.tests.drain.balancer import SERVERS, Balancer
from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

TARGET = "16.5.18"


def upgrade_proxies(
    folder: Path, balancer: Balancer, script: dict[str, dict[str, Any]], *arguments: str, **extra: Any
) -> Outcome:
    """Upgrade an auth server and both proxies; an upgrade of a proxy restarts its server behind the balancer."""
    hosts = {"a1": host("a1", "auth")}
    for name in SERVERS:
        restarts = {f"instance_upgrade {TARGET}": balancer.command("restart", name)}
        hosts[name] = host(name, "proxy", script={**restarts, **script.get(name, {})})
    haproxy = {"teleport_haproxy_hosts": ["localhost"], "teleport_haproxy_socket": balancer.socket}
    goal = {"teleport_target_version": TARGET, "teleport_proxy_drain": "haproxy", **haproxy, **extra}
    return play(folder, hosts, *arguments, **goal)
