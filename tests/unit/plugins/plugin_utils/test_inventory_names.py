# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that choose a name to take the controller over with."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.inventory_hosts import Wish, hosts_of

UUID = "0e3a7e0c-8f5d-4c53-9f0e-000000000001"


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "id": UUID,
        "host": "node1",
        "services": ["agent"],
        "version": "6.2.31",
        "expires": None,
        "address": "",
        **changes,
    }


def names(*entries: dict[str, Any]) -> list[str]:
    return [host.name for host in hosts_of({"cluster": "main", "instances": list(entries)}, Wish())]


@pytest.mark.parametrize(
    "name",
    ["-oProxyCommand=touch /tmp/x", "-o", "{{ lookup('pipe', 'id') }}", "a b", "a;b", "a:&b", "!all", "~web.*", "a\nb",
     "\x1b[2J", "localhost", "LOCALHOST", "all", "127.0.0.1", "../../etc", "a" * 300, "@file"],
)  # fmt: skip
def test_a_name_that_means_something_else_is_not_used(name: str) -> None:
    assert names(entry(host=name)) == [UUID]
    assert names(entry(host=name, id=name)) == []


@pytest.mark.parametrize("name", ["node1", "ip-10-0-0-1.eu.example.com", "_gateway", "10.0.0.7", "Node_7"])
def test_names_of_hosts_are_used(name: str) -> None:
    assert names(entry(host=name)) == [name]


def test_the_id_behind_a_shared_name_cannot_carry_anything_either() -> None:
    assert names(entry(id="{{a}}"), entry(id="-o x")) == ["node1-__a__", "node1-_o_x"]
