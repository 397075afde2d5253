# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On the way back proxies leave a real HAProxy as on the way forward: whole playbooks, stand-ins for the hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.drain.balancer import SERVERS, Balancer, Clients
from ansible_collections.lockstep.teleport.tests.flow import flow
from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host
from ansible_collections.lockstep.teleport.tests.flow.test_rollback_flow import NEW, backup, changes
from ansible_collections.lockstep.teleport.tests.flow.test_rollback_flow import run as take_back

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _more_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "STAND_INS", (*flow.STAND_INS, "backup_info", "backend_restore"))


def run(folder: Path, balancer: Balancer, *arguments: str, fails: str = "", **extra: Any) -> Outcome:
    """Take an auth server and both proxies back; a proxy restarts its server behind the balancer, or *fails*."""
    hosts = {"a1": host("a1", "auth", version=NEW, answers={"backup_info": backup()})}
    for name in SERVERS:
        restarts: Any = "fail" if name == fails else balancer.command("restart", name)
        hosts[name] = host(name, "proxy", version=NEW, script={"instance_upgrade done": restarts})
    haproxy = {"teleport_haproxy_hosts": ["localhost"], "teleport_haproxy_socket": balancer.socket}
    return take_back(folder, hosts, *arguments, teleport_proxy_drain="haproxy", **haproxy, **extra)


def test_no_request_fails_while_both_proxies_go_back(tmp_path: Path, balancer: Balancer) -> None:
    clients = Clients(balancer.ports["web"])
    clients.start()
    outcome = run(tmp_path, balancer)
    clients.stop()
    assert outcome.status == 0, outcome.text
    assert clients.answered > 50
    assert clients.failures == []
    for name in SERVERS:
        assert balancer.states(name) == {"web": "UP", "tunnel": "UP"}
        marks = [call["state"] for call in outcome.calls if call["name"] == "instance_mark" and call["host"] == name]
        assert marks == ["present", "absent"]


def test_a_proxy_that_does_not_go_back_stays_out_and_auth_is_not_touched(tmp_path: Path, balancer: Balancer) -> None:
    outcome = run(tmp_path, balancer, fails="p1")
    assert outcome.status != 0
    assert balancer.states("p1") == {"web": "MAINT", "tunnel": "MAINT"}
    assert balancer.states("p2") == {"web": "UP", "tunnel": "UP"}
    assert changes(outcome) == [("instance_upgrade", "p1")]
    assert outcome.report is not None
    assert "p1 stays out of its load balancer" in " ".join(outcome.report["reason"].split())


def test_a_slip_in_a_name_is_found_before_anything_goes_back(tmp_path: Path, balancer: Balancer) -> None:
    outcome = run(tmp_path, balancer, teleport_haproxy_backends=["web", "wbe"])
    assert outcome.status != 0
    assert "[drain-unusable] cluster main, host p1: HAProxy has no server 'p1' in wbe." in outcome.text
    assert changes(outcome) == []
