# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers and managers of auth groups are asked before the plan, and refuse it when they are of no use."""

from __future__ import annotations

from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import around

DRAINED, MANAGED = {"teleport_proxy_drain": "haproxy"}, {"teleport_auth_group": "aws_asg"}


def instance(host: str, service: str, cluster: str = "east", state: str = "running") -> dict[str, Any]:
    return {"host": host, "services": [service], "cluster": cluster, "state": state}


INSTANCES = [
    instance("a1", "auth"),
    instance("a2", "auth"),
    instance("a3", "auth", "west"),
    instance("p1", "proxy"),
    instance("p2", "proxy"),
    instance("p3", "proxy", state="unreachable"),
    instance("p4", "proxy"),
    instance("n1", "agent"),
]
HOSTVARS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("p2", "p3", "n1"), DRAINED),
    "p1": {**DRAINED, "drain_problem": "HAProxy has no server 'p1'."},
    "a1": MANAGED,
    "a2": {**MANAGED, "auth_group_problem": "it was not asked"},
    "a3": {"teleport_auth_group": "service"},
    "p4": {},
}


def test_proxies_with_a_drain_and_one_host_of_each_managed_group_are_asked() -> None:
    assert around.surrounded(INSTANCES, HOSTVARS) == {"drains": ["p1", "p2"], "groups": ["a1"]}


def test_what_is_of_no_use_is_a_blocker() -> None:
    inventory = {"instances": INSTANCES, **around.surrounded(INSTANCES, HOSTVARS)}
    (found,) = around.problems(inventory, HOSTVARS)
    assert (found["code"], found["severity"], found["host"]) == ("drain-unusable", "blocker", "p1")
    (found, _of_p1) = reversed(around.problems(inventory, {**HOSTVARS, "a1": {"auth_group_problem": "is refreshed"}}))
    assert (found["code"], found["message"]) == ("auth-group-unusable", "is refreshed")
