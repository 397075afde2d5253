# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server leaves a real HAProxy and returns, and no request fails."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import haproxy
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.tests.drain import web
from ansible_collections.lockstep.teleport.tests.drain.balancer import Balancer

HERE = Host(run_command=lambda *_args, **_more: (1, "", "nothing is run"))


def wish(server: str = "p1", *backends: str, timeout: float = 10.0) -> haproxy.Wish:
    return haproxy.Wish(server, list(backends), timeout)


def test_a_server_leaves_all_its_backends_and_returns(balancer: Balancer) -> None:
    out = haproxy.take_out(HERE, balancer.ask, wish(), False)
    assert (out["changed"], out["sessions_left"]) == (True, 0)
    assert balancer.states("p1") == {"web": "MAINT", "tunnel": "MAINT"}
    assert not haproxy.take_out(HERE, balancer.ask, wish(), False)["changed"]
    back = haproxy.put_back(HERE, balancer.ask, wish(), False)
    assert back["changed"]
    assert back["diff"]["before"] == {"web": "MAINT", "tunnel": "MAINT"}
    assert balancer.states("p1") == {"web": "UP", "tunnel": "UP"}
    assert not haproxy.put_back(HERE, balancer.ask, wish(), False)["changed"]


def test_a_dry_run_announces_and_changes_nothing(balancer: Balancer) -> None:
    before = balancer.states("p1")
    assert haproxy.take_out(HERE, balancer.ask, wish(), True)["changed"]
    assert balancer.states("p1") == before


def test_the_last_server_of_a_backend_stays(balancer: Balancer) -> None:
    haproxy.take_out(HERE, balancer.ask, wish("p2", "tunnel"), False)
    with pytest.raises(HostError, match="p1 is the last server that takes connections in tunnel."):
        haproxy.drain(balancer.ask, wish(), False)
    assert balancer.states("p1") == {"web": "UP", "tunnel": "UP"}, "nothing was changed"


def test_sessions_that_do_not_end_are_told(balancer: Balancer) -> None:
    with (
        socket.create_connection(("127.0.0.1", balancer.ports["tunnel"])),
        socket.create_connection(("127.0.0.1", balancer.ports["tunnel"])),
    ):
        out = haproxy.take_out(HERE, balancer.ask, wish("p1", timeout=0.5), False)
        assert out["sessions_left"] == 1, "of two connections, HAProxy gave one to each server"
    assert balancer.states("p1")["tunnel"] == "MAINT"


def test_a_server_that_is_not_there_stays_out(balancer: Balancer) -> None:
    haproxy.take_out(HERE, balancer.ask, wish(), False)
    web.stop(balancer.ports["p1"], balancer.pidfile("p1"))
    with pytest.raises(HostError, match="p1 cannot be reached from its load balancer at 127.0.0.1:"):
        haproxy.put_back(HERE, balancer.ask, wish(timeout=0.5), False)
    assert balancer.states("p1")["web"] == "MAINT"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (wish("p9"), "no server 'p9' in any backend. It has: "),
        (wish("p1", "web", "ssh"), "no server 'p1' in ssh."),
    ],
)
def test_names_that_are_wrong_are_told_with_those_there_are(balancer: Balancer, asked: Any, told: str) -> None:
    with pytest.raises(HostError, match=told):
        haproxy.look(balancer.ask, asked)


def test_a_socket_that_is_none_is_told() -> None:
    with pytest.raises(HostError, match="HAProxy does not answer on /nonexistent/sock .*level admin"):
        haproxy.look(haproxy.over("/nonexistent/sock"), wish())


@pytest.mark.parametrize("answer", ["", "Permission denied\n", "Unknown command\n"])
def test_an_answer_that_is_no_table_is_told(answer: str) -> None:
    with pytest.raises(HostError, match="HAProxy answers to"):
        haproxy.parse(answer)
