# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a table that a restored one does not have, read from the one and given to the other.

Which those are: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CreateBackup.html#RestoreBackup
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_client import Aws, DynamoError

Wait = Callable[[Callable[[], bool], float], bool]

ACTIVE = "ACTIVE"
PAY_PER_REQUEST = "PAY_PER_REQUEST"

#: Tags of this name are AWS' own and can be set by nobody else.
_AWS_TAGS = "aws:"
#: Tags of this name are ours and say where a table comes from.
OWN_TAGS = "lockstep.teleport:"

_SETTLE_SECONDS = 600.0
_SCALED = "dynamodb:table:"


class Settings(NamedTuple):
    """What a table was set to. JSON-safe; ``None`` for what could not be seen.

    ``key_schema`` is the only one that a restored table brings along and that is compared, not set.
    """

    key_schema: List[Dict[str, str]]
    indexes: List[str]
    billing_mode: str
    capacity: Dict[str, int]
    stream: Optional[str]
    ttl: Optional[str]
    point_in_time: bool
    deletion_protection: Optional[bool]
    tags: Dict[str, str]
    scaling: List[Dict[str, Any]]

    def as_dict(self) -> Dict[str, Any]:
        """As it stands in a manifest."""
        return dict(self._asdict())


def read(aws: Aws, name: str) -> Settings:
    """Return the settings of the table *name*. Raises :class:`DynamoError`."""
    table = aws.table("describe_table", TableName=name)["Table"]
    capacity = table.get("ProvisionedThroughput") or {}
    stream = table.get("StreamSpecification") or {}
    mode = (table.get("BillingModeSummary") or {}).get("BillingMode") or "PROVISIONED"
    can_protect = aws.knows("UpdateTable", "DeletionProtectionEnabled")
    return Settings(
        key_schema=sorted(table["KeySchema"], key=lambda key: str(key["AttributeName"])),
        indexes=sorted(index["IndexName"] for index in table.get("GlobalSecondaryIndexes") or []),
        billing_mode=mode,
        capacity={} if mode == PAY_PER_REQUEST else _units(capacity),
        stream=stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        ttl=_ttl(aws, name),
        point_in_time=_point_in_time(aws, name),
        deletion_protection=bool(table.get("DeletionProtectionEnabled")) if can_protect else None,
        tags={key: value for key, value in tags(aws, table["TableArn"]).items() if not key.startswith(OWN_TAGS)},
        scaling=[] if mode == PAY_PER_REQUEST else _scaling(aws, name),
    )


def shortcomings(wanted: Settings, found: Settings) -> List[str]:
    """Return the names of the settings in which *found* is not as *wanted*, in the order in which they are set.

    Capacity under automatic scaling is a moving target, and left to it.
    """
    own = wanted._replace(capacity={}) if wanted.scaling else wanted
    other = found._replace(capacity={}) if wanted.scaling else found
    if wanted.deletion_protection is None:
        other = other._replace(deletion_protection=None)
    return [name for name in Settings._fields if getattr(own, name) != getattr(other, name)]


def apply(aws: Aws, name: str, wanted: Settings, wait: Wait) -> None:
    """Give the table *name* the settings it lacks. Killed at any point, a second call does the rest."""
    steps: Dict[str, Callable[[Aws, str, Settings], Any]] = {
        "tags": _set_tags,
        "billing_mode": _set_billing,
        "capacity": _set_billing,
        "stream": _set_stream,
        "ttl": _set_ttl,
        "deletion_protection": _set_protection,
        "scaling": _set_scaling,
    }
    for setting in shortcomings(wanted, read(aws, name)):
        if setting in steps:
            steps[setting](aws, name, wanted)
            await_active(aws, name, wait)
    if wanted.point_in_time and not _point_in_time(aws, name):
        _set_point_in_time(aws, name, wait)
    left = shortcomings(wanted, read(aws, name))
    if left:
        raise BackupError(
            f"{name}: the restored table differs from the original in {', '.join(left)}, though that was set. Compare "
            "the two, and restore again."
        )


def await_active(aws: Aws, name: str, wait: Wait) -> None:
    """Wait until the table and its indexes can be used and changed. Raises :class:`BackupError` when that lasts."""

    def active() -> bool:
        table = aws.table("describe_table", TableName=name)["Table"]
        states = [table["TableStatus"], *(index["IndexStatus"] for index in table.get("GlobalSecondaryIndexes") or [])]
        return all(state == ACTIVE for state in states)

    # A restore takes minutes to hours; as long as AWS says that it goes on, there is nothing to give up for.
    while not wait(active, _SETTLE_SECONDS):
        status = aws.table("describe_table", TableName=name)["Table"]["TableStatus"]
        if status not in ("CREATING", "UPDATING"):
            raise BackupError(f"{name}: the table is {status}, not {ACTIVE}. Ask AWS why, then run again.")


def _units(capacity: Mapping[str, Any]) -> Dict[str, int]:
    return {"read": int(capacity.get("ReadCapacityUnits") or 0), "write": int(capacity.get("WriteCapacityUnits") or 0)}


def _ttl(aws: Aws, name: str) -> Optional[str]:
    found = aws.table("describe_time_to_live", TableName=name)["TimeToLiveDescription"]
    on = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return str(found["AttributeName"]) if on and found.get("AttributeName") else None


def _point_in_time(aws: Aws, name: str) -> bool:
    found = aws.table("describe_continuous_backups", TableName=name)["ContinuousBackupsDescription"]
    return (found.get("PointInTimeRecoveryDescription") or {}).get("PointInTimeRecoveryStatus") == "ENABLED"


def tags(aws: Aws, arn: str) -> Dict[str, str]:
    """Return the tags of the table *arn* that are not AWS' own."""
    found = [tag for page in aws.pages("list_tags_of_resource", "Tags", ResourceArn=arn) for tag in page]
    return {tag["Key"]: tag["Value"] for tag in found if not tag["Key"].startswith(_AWS_TAGS)}


def add_tags(aws: Aws, arn: str, wanted: Mapping[str, str]) -> None:
    """Set tags of the table *arn*; others stay."""
    aws.table("tag_resource", ResourceArn=arn, Tags=[{"Key": key, "Value": wanted[key]} for key in sorted(wanted)])


def _scaling(aws: Aws, name: str) -> List[Dict[str, Any]]:
    """Return the scaling of reads and writes of the table, without what is bound to its name."""
    of_table = {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{name}"}
    targets = aws.scaling("describe_scalable_targets", ServiceNamespace="dynamodb", ResourceIds=[f"table/{name}"])
    policies = aws.scaling("describe_scaling_policies", **of_table)["ScalingPolicies"]
    found = []
    for target in targets["ScalableTargets"]:
        dimension = target["ScalableDimension"]
        if dimension.startswith(_SCALED):
            rules = [_policy(policy) for policy in policies if policy["ScalableDimension"] == dimension]
            bounds = {"min": int(target["MinCapacity"]), "max": int(target["MaxCapacity"])}
            found.append({"dimension": dimension, **bounds, "policies": sorted(rules, key=str)})
    return sorted(found, key=lambda one: str(one["dimension"]))


def _policy(policy: Mapping[str, Any]) -> Dict[str, Any]:
    tracking = policy.get("TargetTrackingScalingPolicyConfiguration") or {}
    return {
        "metric": (tracking.get("PredefinedMetricSpecification") or {}).get("PredefinedMetricType"),
        "target": float(tracking.get("TargetValue") or 0),
    }


def _set_tags(aws: Aws, name: str, wanted: Settings) -> None:
    arn = aws.table("describe_table", TableName=name)["Table"]["TableArn"]
    add_tags(aws, arn, wanted.tags)


def _set_billing(aws: Aws, name: str, wanted: Settings) -> None:
    units = {"ReadCapacityUnits": wanted.capacity.get("read", 0), "WriteCapacityUnits": wanted.capacity.get("write", 0)}
    capacity = {} if wanted.billing_mode == PAY_PER_REQUEST else {"ProvisionedThroughput": units}
    aws.table("update_table", TableName=name, BillingMode=wanted.billing_mode, **capacity)


def _set_stream(aws: Aws, name: str, wanted: Settings) -> None:
    on = {"StreamEnabled": True, "StreamViewType": wanted.stream}
    aws.table("update_table", TableName=name, StreamSpecification=on if wanted.stream else {"StreamEnabled": False})


def _set_ttl(aws: Aws, name: str, wanted: Settings) -> None:
    if wanted.ttl:
        on = {"Enabled": True, "AttributeName": wanted.ttl}
        aws.table("update_time_to_live", TableName=name, TimeToLiveSpecification=on)


def _set_protection(aws: Aws, name: str, wanted: Settings) -> None:
    aws.table("update_table", TableName=name, DeletionProtectionEnabled=bool(wanted.deletion_protection))


def _set_point_in_time(aws: Aws, name: str, wait: Wait) -> None:
    def accepted() -> bool:
        on = {"PointInTimeRecoveryEnabled": True}
        try:
            aws.table("update_continuous_backups", TableName=name, PointInTimeRecoverySpecification=on)
        except DynamoError as error:
            # A new table says so for a while.
            if error.code != "ContinuousBackupsUnavailableException":
                raise
            return False
        return True

    if not wait(accepted, _SETTLE_SECONDS):
        raise BackupError(f"{name}: AWS does not accept point-in-time recovery for the restored table yet. Run again.")


def _set_scaling(aws: Aws, name: str, wanted: Settings) -> None:
    for one in wanted.scaling:
        what = "read" if "Read" in one["dimension"] else "write"
        place = {
            "ServiceNamespace": "dynamodb",
            "ResourceId": f"table/{name}",
            "ScalableDimension": one["dimension"],
        }
        aws.scaling("register_scalable_target", **place, MinCapacity=one["min"], MaxCapacity=one["max"])
        for policy in one["policies"]:
            aws.scaling(
                "put_scaling_policy",
                **place,
                # Teleport's own name for it, so that it finds and changes this one instead of adding another.
                PolicyName=f"table/{name}-{what}-target-tracking-scaling-policy",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "PredefinedMetricSpecification": {"PredefinedMetricType": policy["metric"]},
                    "TargetValue": policy["target"],
                },
            )
