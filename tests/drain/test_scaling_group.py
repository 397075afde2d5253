# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Auto Scaling group, as moto plays it, is scaled to one and back.

Instances go to standby and return at once there, and instance refreshes do not exist; their answers are put in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.scaling_group import (
    PROCESSES,
    TAG,
    ScalingGroup,
    Wish,
    objection,
    parse,
)
from ansible_collections.lockstep.teleport.tests.backends.conftest import free_port
from ansible_collections.lockstep.teleport.tests.backends.moto import REGION, Moto

NAME = "teleport-auth"
HERE = Host(run_command=lambda *_args, **_more: (1, "", "nothing is run"), sleep=lambda _seconds: time.sleep(0.01))


class WithRefreshes:
    """moto, and what it lacks."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.refreshes: list[dict[str, Any]] = []
        #: Calls after which the run is killed, by name.
        self.dies_after = ""

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def dying(**arguments: Any) -> Any:
            answer = call(**arguments)
            if name == self.dies_after:
                raise KeyboardInterrupt(name)
            return answer

        return dying

    def describe_instance_refreshes(self, **_arguments: Any) -> dict[str, Any]:
        return {"InstanceRefreshes": self.refreshes}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    server = Moto(tmp_path_factory.mktemp("moto"), free_port())
    server.await_ready()
    yield server
    server.stop()


@pytest.fixture
def client(moto: Moto) -> WithRefreshes:
    """A group of three, of which at least two have to be there, with one process suspended by its owner."""
    moto.reset()
    made = moto.client("autoscaling")
    made.create_launch_configuration(LaunchConfigurationName="auth", ImageId="ami-12345678", InstanceType="t3.small")
    made.create_auto_scaling_group(
        AutoScalingGroupName=NAME,
        LaunchConfigurationName="auth",
        MinSize=2,
        MaxSize=4,
        DesiredCapacity=3,
        AvailabilityZones=[f"{REGION}a"],
        Tags=[{"Key": "team", "Value": "access", "ResourceId": NAME, "ResourceType": "auto-scaling-group"}],
    )
    made.suspend_processes(AutoScalingGroupName=NAME, ScalingProcesses=["AZRebalance"])
    return WithRefreshes(made)


def group(client: WithRefreshes, keep: int = 0, **changes: Any) -> ScalingGroup:
    members = instances(client)
    return ScalingGroup(client, HERE, Wish(NAME, members[keep], members, 5.0)._replace(**changes))


def instances(client: WithRefreshes) -> list[str]:
    return sorted(described(client).states)


def described(client: WithRefreshes) -> Any:
    return parse(NAME, client.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME]))


def test_the_group_is_scaled_to_one_and_back(client: WithRefreshes) -> None:
    before = described(client)
    assert group(client).shrink()
    shrunk = described(client)
    assert (shrunk.minimum, shrunk.desired) == (1, 1)
    assert shrunk.of_state("InService") == shrunk.protected == instances(client)[:1]
    assert sorted(shrunk.suspended) == sorted(PROCESSES)
    assert not group(client).shrink(), "a second time changes nothing"
    assert group(client).restore()
    assert described(client) == before
    assert not group(client).restore()


@pytest.mark.parametrize(
    "call",
    [
        "create_or_update_tags",
        "suspend_processes",
        "set_instance_protection",
        "update_auto_scaling_group",
        "enter_standby",
    ],
)
def test_a_run_that_is_killed_meanwhile_is_put_right_by_the_next_one(client: WithRefreshes, call: str) -> None:
    before = described(client)
    client.dies_after = call
    with pytest.raises(KeyboardInterrupt):
        group(client).shrink()
    client.dies_after = ""
    group(client).shrink()
    assert described(client).desired == 1
    group(client).restore()
    assert described(client) == before


@pytest.mark.parametrize(
    "call", ["resume_processes", "exit_standby", "update_auto_scaling_group", "set_instance_protection"]
)
def test_so_is_one_that_is_killed_on_the_way_back(client: WithRefreshes, call: str) -> None:
    before = described(client)
    group(client).shrink()
    client.dies_after = call
    with pytest.raises(KeyboardInterrupt):
        group(client).restore()
    client.dies_after = ""
    group(client).restore()
    assert described(client) == before


def test_another_one_may_stay_the_next_time(client: WithRefreshes) -> None:
    group(client, keep=0).shrink()
    group(client, keep=1).shrink()
    assert described(client).of_state("InService") == instances(client)[1:2]


def test_a_running_refresh_refuses_before_anything_is_changed(client: WithRefreshes) -> None:
    client.refreshes = [{"Status": "Successful"}, {"Status": "InProgress"}]
    before = described(client)
    with pytest.raises(HostError, match="an instance refresh of teleport-auth is InProgress. Wait"):
        group(client).shrink()
    assert described(client) == before
    assert TAG not in str(client.describe_tags()["Tags"])


def test_an_instance_that_nobody_knows_refuses(client: WithRefreshes) -> None:
    known = instances(client)[:2]
    with pytest.raises(HostError, match=f"has {instances(client)[2]}, which no auth host of the inventory names"):
        group(client, members=known).look()


def test_what_is_refused_besides(client: WithRefreshes) -> None:
    seen, members = described(client), instances(client)
    assert "does not have i-9" in objection(seen, Wish(NAME, "i-9", members), [])
    moving = seen._replace(states={**seen.states, members[0]: "Terminating"})
    assert f"{members[0]} is Terminating" in objection(moving, Wish(NAME, members[1], members), [])
    with pytest.raises(HostError, match="no Auto Scaling group 'other' in this region"):
        ScalingGroup(client, HERE, Wish("other", "i-1", [])).look()
