# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies are upgraded behind a real HAProxy whose clients never pause: whole playbooks, stand-ins for the hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.drain.balancer import SERVERS, Balancer, Clients
from ansible_collections.lockstep.teleport.tests.drain.upgrade import TARGET
from ansible_collections.lockstep.teleport.tests.drain.upgrade import upgrade_proxies as run
from ansible_collections.lockstep.teleport.tests.flow.flow import Outcome, host, play

pytestmark = pytest.mark.slow


def marks(outcome: Outcome, name: str) -> list[str]:
    return [call["state"] for call in outcome.calls if call["name"] == "instance_mark" and call["host"] == name]


def test_no_request_fails_while_both_proxies_are_restarted(tmp_path: Path, balancer: Balancer) -> None:
    clients = Clients(balancer.ports["web"])
    clients.start()
    outcome = run(tmp_path, balancer, {})
    clients.stop()
    assert outcome.status == 0, outcome.text
    assert outcome.upgraded(TARGET) == ["a1", "p1", "p2"]
    assert clients.answered > 50
    assert clients.failures == []
    for name in SERVERS:
        assert balancer.states(name) == {"web": "UP", "tunnel": "UP"}
        assert marks(outcome, name) == ["present", "absent"]


def test_without_a_drain_the_same_restarts_are_felt(balancer: Balancer) -> None:
    """Otherwise the test above could not fail."""
    clients = Clients(balancer.ports["web"])
    clients.start()
    subprocess.run(balancer.command("restart", "p1"), check=True)
    clients.stop()
    assert clients.failures


def test_a_proxy_that_fails_stays_out_and_the_report_says_so(tmp_path: Path, balancer: Balancer) -> None:
    outcome = run(tmp_path, balancer, {"p1": {"instance_upgrade": "fail", f"instance_upgrade {TARGET}": "fail"}})
    assert outcome.status != 0
    assert balancer.states("p1") == {"web": "MAINT", "tunnel": "MAINT"}
    assert balancer.states("p2") == {"web": "UP", "tunnel": "UP"}
    assert marks(outcome, "p1") == ["present"], "the next run puts it right"
    assert outcome.report is not None
    assert "p1: fail They stay out of their load balancer" in " ".join(outcome.report["reason"].split())


def test_a_proxy_that_a_killed_run_left_out_is_put_back_by_the_next_one(tmp_path: Path, balancer: Balancer) -> None:
    for state in ("drain", "maint"):
        balancer.ask(f"set server web/p1 state {state}")
    hosts = {"a1": host("a1", "auth", version=TARGET), "p1": host("p1", "proxy", version=TARGET)}
    hosts["p1"]["seen"]["interrupted"] = True
    haproxy = {"teleport_haproxy_hosts": ["localhost"], "teleport_haproxy_socket": balancer.socket}
    goal: dict[str, Any] = {"teleport_target_version": TARGET, "teleport_proxy_drain": "haproxy", **haproxy}
    outcome = play(tmp_path, hosts, **goal)
    assert outcome.status == 0, outcome.text
    assert balancer.states("p1") == {"web": "UP", "tunnel": "UP"}
    assert marks(outcome, "p1")[-1] == "absent"


def test_a_slip_in_a_name_is_found_before_anything_is_touched(tmp_path: Path, balancer: Balancer) -> None:
    outcome = run(tmp_path, balancer, {}, "--check", teleport_haproxy_backends=["web", "wbe"])
    assert outcome.status != 0
    assert "[drain-unusable] cluster main, host p1: HAProxy has no server 'p1' in wbe." in outcome.text
    assert not outcome.upgraded(TARGET)


def test_a_dry_run_takes_nothing_out(tmp_path: Path, balancer: Balancer) -> None:
    clients = Clients(balancer.ports["web"])
    clients.start()
    outcome = run(tmp_path, balancer, {name: {f"instance_upgrade {TARGET}": ""} for name in SERVERS}, "--check")
    clients.stop()
    assert outcome.status == 0, outcome.text
    assert clients.failures == []
    assert all(status == "UP" for name in SERVERS for status in balancer.states(name).values())
