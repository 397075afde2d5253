# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWS Auto Scaling group of auth servers, scaled to one of them and back.

The others go to *standby*: the group lowers its size and neither replaces nor ends them, so that they can be upgraded
where they are. How the group was is kept in a tag of it, where whoever comes next finds it. Calls and states: Amazon
EC2 Auto Scaling API reference, ``EnterStandby``, ``SuspendProcesses``, "Lifecycle states".
"""

from __future__ import annotations

import importlib
import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

TAG = "lockstep-teleport-auth-group"
#: What could start, end or replace an instance. Standby itself needs the last two.
PROCESSES = (
    "AZRebalance",
    "AddToLoadBalancer",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Launch",
    "Terminate",
)
_OF_STANDBY = PROCESSES[-2:]
_REFRESHING = ("Pending", "InProgress", "Cancelling", "Baking", "RollbackInProgress")
_IN_SERVICE = "InService"
_STANDBY = "Standby"


class Wish(NamedTuple):
    """Which group, the instance that stays, all that may be in it, and how many seconds a change may take."""

    name: str
    keep: str
    members: Sequence[str]
    timeout: float = 300.0


#: What the tag says of the group as it was.
_BEFORE = {"min": int, "desired": int, "suspended": list, "protected": bool, "keep": str}


class Group(NamedTuple):
    """The group as AWS describes it. *before* is how it was before it was scaled to one, None when it was not."""

    minimum: int
    desired: int
    states: Dict[str, str]
    protected: Sequence[str]
    suspended: Sequence[str]
    before: Optional[Dict[str, Any]]

    def of_state(self, state: str) -> List[str]:
        """Return the instances in a lifecycle state."""
        return sorted(instance for instance, own in self.states.items() if own == state)


def _before(tag: str) -> Dict[str, Any]:
    """Read the tag; whoever may tag the group may have written it."""
    found = foreign_file.parse_json(tag.encode("utf-8", "replace"))
    if not isinstance(found, dict) or {key: type(value) for key, value in found.items()} != _BEFORE:
        raise ValueError("it has other keys or values")
    return found


def parse(name: str, answer: Dict[str, Any]) -> Group:
    """Read what ``DescribeAutoScalingGroups`` answers.

    :raises HostError: when there is no such group, or its tag is not what this collection writes.
    """
    if not answer["AutoScalingGroups"]:
        raise HostError(
            f"There is no Auto Scaling group {name!r} in this region. Correct teleport_asg_name or the region."
        )
    one = answer["AutoScalingGroups"][0]
    kept = [tag["Value"] for tag in one.get("Tags", []) if tag["Key"] == TAG]
    try:
        before = _before(kept[0]) if kept else None
    except ValueError as problem:
        raise HostError(
            f"The tag {TAG} of {name} is not what was written there: {kept[0]!r}. Put the group right and remove it."
        ) from problem
    return Group(
        one["MinSize"],
        one["DesiredCapacity"],
        {instance["InstanceId"]: instance["LifecycleState"] for instance in one["Instances"]},
        sorted(instance["InstanceId"] for instance in one["Instances"] if instance.get("ProtectedFromScaleIn")),
        sorted(process["ProcessName"] for process in one.get("SuspendedProcesses", [])),
        before,
    )


def objection(group: Group, wish: Wish, refreshes: Sequence[Dict[str, Any]]) -> str:
    """Say why the group cannot be scaled to one; empty when it can."""
    running = [refresh for refresh in refreshes if refresh.get("Status") in _REFRESHING]
    strangers = sorted(set(group.states) - set(wish.members))
    if running:
        return f"an instance refresh of {wish.name} is {running[0]['Status']}. Wait until it has ended, or cancel it"
    if strangers:
        told = ", ".join(strangers)
        return f"{wish.name} has {told}, which no auth host of the inventory names in teleport_asg_instance_id"
    if wish.keep not in group.states:
        return f"{wish.name} does not have {wish.keep}, the auth server that is to stay"
    passing = {one: state for one, state in group.states.items() if state not in (_IN_SERVICE, _STANDBY)}
    if passing:
        told = ", ".join(f"{one} is {state}" for one, state in sorted(passing.items()))
        return f"{wish.name} is changing ({told}). Wait until it has come to rest"
    return ""


def connect(region: Optional[str]) -> Any:
    """Return boto3's client for Auto Scaling, with the rights of the environment.

    :raises HostError: when there is no boto3, or the environment names no region.
    """
    try:
        return importlib.import_module("boto3").client("autoscaling", region_name=region)
    except ImportError as problem:
        raise HostError(
            "boto3 is missing where AWS is asked, on the controller: install it for Ansible's Python."
        ) from problem
    except problems() as problem:
        raise HostError(f"AWS cannot be asked: {problem} Name teleport_aws_region, or set AWS_REGION.") from problem


def problems() -> Tuple[Any, ...]:
    """Return what boto3 raises when AWS refuses a call, or the way to it."""
    exceptions = importlib.import_module("botocore.exceptions")
    return exceptions.BotoCoreError, exceptions.ClientError


class ScalingGroup:
    """One group, through a client of boto3."""

    def __init__(self, client: Any, host: Host, wish: Wish) -> None:
        self._client = client
        self._host = host
        self._wish = wish
        self._named = {"AutoScalingGroupName": wish.name}

    def look(self) -> Group:
        """Return the group as it is.

        :raises HostError: when it cannot be scaled to one.
        """
        group = self.described()
        told = objection(group, self._wish, self._refreshes())
        if told:
            raise HostError(f"The auth group cannot be scaled to one: {told}.")
        return group

    def shrink(self) -> bool:
        """Scale to the one that stays; say whether anything had to be done."""
        group = self.look()
        leaving = [one for one in group.of_state(_IN_SERVICE) if one != self._wish.keep]
        if group.before is not None and not leaving and set(PROCESSES) <= set(group.suspended):
            return False
        if group.before is None:
            self._remember(group)
        self._processes("suspend", [name for name in PROCESSES if name not in _OF_STANDBY])
        self._client.set_instance_protection(InstanceIds=[self._wish.keep], ProtectedFromScaleIn=True, **self._named)
        if group.minimum > 1:
            self._client.update_auto_scaling_group(MinSize=1, **self._named)
        if self._wish.keep in group.of_state(_STANDBY):
            self._return([self._wish.keep])
        if leaving:
            self._client.enter_standby(InstanceIds=leaving, ShouldDecrementDesiredCapacity=True, **self._named)
            self._await(lambda now: set(leaving) <= set(now.of_state(_STANDBY)), "go to standby", leaving)
        self._processes("suspend", _OF_STANDBY)
        return True

    def restore(self) -> bool:
        """Give the group the size and the processes it had; say whether anything had to be done."""
        group = self.described()
        if group.before is None:
            return False
        kept = group.before["suspended"]
        returning = group.of_state(_STANDBY)
        self._processes("resume", [name for name in _OF_STANDBY if name not in kept])
        if returning:
            self._return(returning)
        self._client.update_auto_scaling_group(MinSize=group.before["min"], **self._named)
        if not group.before["protected"]:
            self._client.set_instance_protection(
                InstanceIds=[group.before["keep"]], ProtectedFromScaleIn=False, **self._named
            )
        self._processes("resume", [name for name in PROCESSES if name not in kept])
        self._client.delete_tags(Tags=[self._tag("")])
        return True

    def described(self) -> Group:
        """Return the group as it is, whatever it is."""
        answer = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[self._wish.name])
        return parse(self._wish.name, answer)

    def _refreshes(self) -> List[Dict[str, Any]]:
        return list(self._client.describe_instance_refreshes(MaxRecords=10, **self._named)["InstanceRefreshes"])

    def _remember(self, group: Group) -> None:
        before = {
            "min": group.minimum,
            "desired": group.desired,
            "suspended": [name for name in group.suspended if name in PROCESSES],
            "protected": self._wish.keep in group.protected,
            "keep": self._wish.keep,
        }
        value = json.dumps(before, separators=(",", ":"))
        self._client.create_or_update_tags(Tags=[{**self._tag(value), "PropagateAtLaunch": False}])

    def _tag(self, value: str) -> Dict[str, Any]:
        return {"ResourceId": self._wish.name, "ResourceType": "auto-scaling-group", "Key": TAG, "Value": value}

    def _processes(self, action: str, names: Sequence[str]) -> None:
        if names:
            getattr(self._client, action + "_processes")(ScalingProcesses=list(names), **self._named)

    def _return(self, instances: Sequence[str]) -> None:
        self._client.exit_standby(InstanceIds=list(instances), **self._named)
        self._await(lambda now: set(instances) <= set(now.of_state(_IN_SERVICE)), "return to service", instances)

    def _await(self, reached: Callable[[Group], bool], what: str, instances: Sequence[str]) -> None:
        if not self._host.wait_until(lambda: reached(self.described()), self._wish.timeout, 2.0):
            raise HostError(
                f"{', '.join(instances)} did not {what} within {self._wish.timeout:g} s. The next run goes on then."
            )
