# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DynamoDB backend: one table, saved by AWS, restored into another table.

AWS keeps the data of an on-demand backup; the folder keeps what is needed to find it and to tell whether a table holds
the same. A restored table has another name, so a restore ends with a change of ``table_name``.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import re
import time
import uuid
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import config_place, durable, unit_environment
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import (
    dynamodb_backups,
    dynamodb_client,
    dynamodb_items,
    dynamodb_names,
    dynamodb_table,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import (
    Backend,
    BackupError,
    ConfigChange,
    Drilled,
    Part,
    Saved,
    written_part,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_client import (
    Access,
    Aws,
    DynamoError,
    Table,
    when_missing,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_scratch import scratch_table
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import Means
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

PART = "dynamodb.json"

#: What an item's line in the folder takes at most, and room for the rest.
_BYTES_PER_ITEM = 180
_BYTES_BESIDE = 1 << 16

_POLL_SECONDS = 1.0
_TAKEN = ("TableAlreadyExistsException", "TableInUseException", "ResourceInUseException")
_STATE_TAG = dynamodb_table.OWN_TAGS + "restored-state"
_SOURCE_TAG = dynamodb_table.OWN_TAGS + "restored-from"

_NOTE_EVENTS = (
    "The audit events in {table} have a backup of their own ({arn}). A restore of the cluster state leaves that table "
    "alone: events are only ever added, and those of the failure are worth keeping."
)
_NOTE_SERVING = (
    "Taken while Auth was serving. AWS takes such a backup at about one second, not as one transaction over all items."
)
_NOTE_PROTECTION = (
    "boto3 before 1.26.102 cannot see deletion protection. Look yourself whether a restored table needs it."
)
_NOTE_DRILL = "Set teleport_drill_scratch_table to have it restored, which AWS charges for."
_NOTE_RECORDINGS = "Session recordings in {uri} are not part of this backup."


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


class Around(NamedTuple):
    """What surrounds the table: the cluster's name, the configuration, the way to wait, and the time.

    ``storage`` is the observed ``teleport.storage`` with the places of its values in the file at ``config_path``, or
    ``None`` where there is no such file. ``scratch`` allows a drill to have a table of its own made, which AWS charges
    for.
    """

    cluster: str = "main"
    config_path: str = ""
    storage: Optional[Mapping[str, Any]] = None
    wait: dynamodb_table.Wait = _wait
    clock: Callable[[], float] = time.time
    scratch: bool = False


AROUND = Around()


class DynamoBackend(Backend):
    """The table ``table_name``, and beside it the tables of audit events, which are saved but not switched."""

    kind = "dynamodb"
    online = True
    shared = True

    def __init__(
        self,
        table: Table,
        region: str,
        events: Sequence[Table] = (),
        recordings: Sequence[str] = (),
        around: Around = AROUND,
    ) -> None:
        self._table = table
        self._events = list(events)
        self._recordings = recordings
        self._around = around
        self._wait = around.wait
        self.location = f"{region or 'default region'}/{table.name}"

    @classmethod
    def from_storage(cls, storage: Mapping[str, Any], means: Means) -> DynamoBackend:
        """Read ``teleport.storage``. Contacts nobody; what names no table raises :class:`BackupError`."""
        observed = str(storage.get("table_name") or "")
        if not observed:
            raise BackupError("storage.table_name in teleport.yaml names no DynamoDB table.")
        access = _access(storage, means)
        places = storage if means.config_path and "places" in storage else None
        return cls(
            Table(_name_now(storage, means, observed), Aws(access)),
            str(storage.get("region") or ""),
            [_events_table(one, access) for one in dynamodb_names.events_tables(storage.get("audit_events_uri") or [])],
            storage.get("audit_sessions_uri") or (),
            Around(means.cluster, means.config_path, places, _waiting(means), scratch=means.scratch_table),
        )

    def accepts(self, saved: Mapping[str, Any]) -> bool:
        """Return whether the backup is of this table, or of the one that this table was restored for."""
        if saved["kind"] != self.kind:
            return False
        region, _slash, name = str(saved["location"]).partition("/")
        own = self.location.partition("/")[0]
        return (own, dynamodb_names.base_of(self._table.name)) == (region, dynamodb_names.base_of(name))

    def size_bytes(self) -> int:
        """Return the size of the list of items, by the number that AWS updates every six hours."""
        around = self._around
        if around.storage is not None:
            config_place.read(config_place.place_of(around.config_path, around.storage, "table_name"))
        found = when_missing(lambda: self._table.aws.table("describe_table", TableName=self._table.name))
        # A table that is gone can still be restored, and then there is nothing to list.
        items = int(found["Table"].get("ItemCount") or 0) if found else 0
        return 2 * _BYTES_PER_ITEM * items + _BYTES_BESIDE

    def save(self, folder: str, serving: bool) -> Saved:
        """Let AWS back up all tables. Without *serving* the items are read before and after, and must be the same."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._around.clock()))
        note: Dict[str, Any] = {"name": f"lockstep-{self._own_name()}-{stamp}-{uuid.uuid4().hex[:8]}", "backups": {}}
        self._sweep(os.path.dirname(folder))
        table = self._describe(self._table)
        settings = dynamodb_table.read(self._table.aws, self._table.name)
        census = self._census(self._table.name, settings)
        for one in (self._table, *self._events):
            # On disk before AWS is asked: what a killed run leaves there is found by this name.
            note["backups"][one.name] = None
            durable.write_json(_pending(folder, note["name"]), note)
            note["backups"][one.name] = dynamodb_backups.create(one, note["name"], self._wait)
        durable.write_json(os.path.join(folder, PART), note)
        details = self._details(table, settings, note, stamp, serving)
        parts = [written_part(folder, PART, self.location)]
        if not serving:
            self._refuse_if_written(census, settings)
            parts.append(dynamodb_items.write(folder, census, self.location))
        return Saved(parts, {"items": len(census)}, details)

    def verify(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Ask AWS for every backup and compare it with what was written down; read the list of items back."""
        details = saved["details"]
        note = dynamodb_backups.read_note(os.path.join(folder, PART))
        if note != {"name": details["backup_name"], "backups": _arns(details)}:
            raise BackupError(f"{folder}/{PART}: names other backups than the manifest. Use another backup.")
        dynamodb_backups.check(self._table.aws, details["table"], details["backup"]["arn"], details["backup_name"])
        for events in details["events"]:
            aws = next((one.aws for one in self._events if one.name == events["table"]["name"]), self._table.aws)
            dynamodb_backups.check(aws, events["table"], events["backup"]["arn"], details["backup_name"])
        listed = os.path.join(folder, dynamodb_items.PART)
        if os.path.exists(listed) and len(dynamodb_items.read(folder)) != saved["counts"]["items"]:
            raise BackupError(f"{listed}: does not list the {saved['counts']['items']} items of the manifest.")

    def matches(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> Optional[bool]:
        """Return whether the table in use holds exactly the saved items, and was not robbed of its settings."""
        details = saved["details"]
        if when_missing(lambda: self._table.aws.table("describe_table", TableName=self._table.name)) is None:
            return False
        if self._table.name == details["table"]["name"]:
            return dynamodb_items.PART in parts and self._same_items(self._table.name, folder, details, parts)
        found = self._restored_from(self._table.name, details)
        return bool(found) and self._is_finished(self._table.name, folder, details, parts)

    def preserve(self, folder: str) -> None:
        """Write down what table was in use, and keep the configuration. The table itself stays as it is."""
        found = when_missing(lambda: self._table.aws.table("describe_table", TableName=self._table.name))
        table = (found or {}).get("Table") or {}
        described = {key: str(table.get(key)) for key in ("TableArn", "TableId", "TableStatus", "ItemCount")}
        durable.write_json(os.path.join(folder, PART), {"table": self._table.name, "found": bool(table), **described})
        if self._around.config_path and os.path.isfile(self._around.config_path):
            durable.copy_file(
                self._around.config_path, os.path.join(folder, os.path.basename(self._around.config_path))
            )

    def restore(self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        """Restore into a table of its own, complete it, read it back, and name it in ``config_change``."""
        details = saved["details"]
        name, exists = self._target(folder, details, parts)
        aws = self._table.aws
        if not exists:
            aws.table("restore_table_from_backup", TargetTableName=name, BackupArn=details["backup"]["arn"])
        dynamodb_table.await_active(aws, name, self._wait)
        # Before its expiry is set: until then nothing vanishes from it.
        self._prove_items(name, folder, details, parts)
        wanted = _settings(details)
        dynamodb_table.apply(aws, name, wanted, self._wait)
        self._sign(name, details, wanted)
        if name != self._table.name:
            self.config_change = ConfigChange("table_name", self._table.name, name)

    def rehearse(self, saved: Mapping[str, Any]) -> None:
        """Ask for the two rights that only a restore needs, in ways that cannot change anything."""
        details, aws = saved["details"], self._table.aws
        # A table that does not exist: who may not see it is refused, everybody else is told that there is none.
        name = dynamodb_names.restored_name(details["table"]["name"], details["stamp"])
        when_missing(lambda: aws.table("describe_table", TableName=name))
        try:
            # Into a table that does exist, and which is therefore never done.
            aws.table("restore_table_from_backup", TargetTableName=self._table.name, BackupArn=details["backup"]["arn"])
        except DynamoError as error:
            if error.code not in _TAKEN:
                raise

    def settled_change(self, saved: Mapping[str, Any]) -> Optional[ConfigChange]:
        """Return that the table in use is another one than the one saved."""
        name = saved["details"]["table"]["name"]
        return ConfigChange("table_name", name, self._table.name) if self._table.name != name else None

    def planned_change(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part]
    ) -> Optional[ConfigChange]:
        """Return the table that :meth:`restore` would make or go on with, and the one that is in use."""
        name, _exists = self._target(folder, saved["details"], parts)
        return ConfigChange("table_name", self._table.name, name) if name != self._table.name else None

    def discard(self, folder: str, saved: Mapping[str, Any]) -> None:
        """Delete the backups that AWS keeps for this one."""
        details = saved["details"]
        self._delete({"name": details["backup_name"], "backups": _arns(details)})
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_pending(folder, details["backup_name"]))

    def drill(
        self, folder: str, saved: Mapping[str, Any], parts: Mapping[str, Part], scratch: str, host: Host
    ) -> Drilled:
        """Where it is allowed, restore into a table of its own and compare every item; else ask AWS for the backup."""
        if not self._around.scratch:
            drilled = super().drill(folder, saved, parts, scratch, host)
            return drilled._replace(proven=f"AWS has the backup. {drilled.proven} {_NOTE_DRILL}")
        self.verify(folder, saved)
        details = saved["details"]
        name = dynamodb_names.drill_name(details["table"]["name"], details["stamp"])
        with scratch_table(self._table.aws, name, details["backup"]["arn"], self._wait):
            self._prove_items(name, folder, details, parts)
            found = len(self._census(name, _settings(details)))
        proven = "AWS restored the backup into a scratch table, of which every item was read; the table was deleted."
        return Drilled(True, proven, {"items": found})

    def tools(self) -> Dict[str, str]:
        """Return the version of boto3."""
        return {"boto3": dynamodb_client.boto3_version()}

    def close(self) -> None:
        """Close the connections to AWS."""
        for one in (self._table, *self._events):
            one.aws.close()

    # -- saving

    def _own_name(self) -> str:
        return re.sub(r"[^A-Za-z0-9_.-]", "-", self._around.cluster)[:100] or "main"

    def _describe(self, table: Table) -> Dict[str, Any]:
        found = when_missing(lambda: table.aws.table("describe_table", TableName=table.name))
        if found is None:
            raise BackupError(
                f"{table.name}: there is no such DynamoDB table. Check table_name and region in teleport.yaml."
            )
        answer: Dict[str, Any] = found["Table"]
        return answer

    def _sweep(self, home: str) -> None:
        """Delete what runs that were killed left at AWS: every backup that was begun and that no manifest knows."""
        manifests = [_text(path) for path in glob.glob(os.path.join(glob.escape(home), "*", "manifest.json"))]
        for path in glob.glob(_pending(os.path.join(glob.escape(home), "any"), "*")):
            note = dynamodb_backups.read_note(path)
            if not any(note["name"] in manifest for manifest in manifests):
                self._delete(note)
            os.unlink(path)

    def _delete(self, note: Mapping[str, Any]) -> None:
        ways = {one.name: one for one in (self._table, *self._events)}
        for name, arn in note["backups"].items():
            # A table that a restore has replaced since is reached like the one in use now.
            dynamodb_backups.delete(ways.get(name) or Table(name, self._table.aws), note["name"], arn, self._wait)

    def _details(
        self,
        table: Mapping[str, Any],
        settings: dynamodb_table.Settings,
        note: Mapping[str, Any],
        stamp: str,
        serving: bool,
    ) -> Dict[str, Any]:
        events = [self._saved_table(one, self._describe(one), note) for one in self._events]
        notes = [_NOTE_EVENTS.format(table=one["table"]["name"], arn=one["backup"]["arn"]) for one in events]
        if self._recordings:
            notes.append(_NOTE_RECORDINGS.format(uri=", ".join(self._recordings)))
        if serving:
            notes.append(_NOTE_SERVING)
        if settings.deletion_protection is None:
            notes.append(_NOTE_PROTECTION)
        return {
            "stamp": stamp,
            "backup_name": note["name"],
            **self._saved_table(self._table, table, note),
            "settings": settings.as_dict(),
            "events": events,
            "notes": notes,
        }

    def _saved_table(self, table: Table, found: Mapping[str, Any], note: Mapping[str, Any]) -> Dict[str, Any]:
        arn = note["backups"][table.name]
        answer = table.aws.table("describe_backup", BackupArn=arn)["BackupDescription"]["BackupDetails"]
        return {
            "table": {"name": table.name, "arn": str(found["TableArn"]), "id": str(found.get("TableId") or "")},
            "backup": {"arn": arn, "size_bytes": int(answer.get("BackupSizeBytes") or 0)},
        }

    def _census(self, name: str, settings: dynamodb_table.Settings) -> dynamodb_items.Census:
        keys = [key["AttributeName"] for key in settings.key_schema]
        pages = self._table.aws.pages("scan", "Items", TableName=name, ConsistentRead=True)
        return dynamodb_items.take((item for page in pages for item in page), keys, settings.ttl)

    def _refuse_if_written(self, before: dynamodb_items.Census, settings: dynamodb_table.Settings) -> None:
        now = self._census(self._table.name, settings)
        difference = dynamodb_items.difference(before, now, self._around.clock())
        if difference:
            raise BackupError(
                f"{self._table.name}: was written to while its backup was taken ({difference}). An Auth Service is "
                "still running somewhere; stop it, also outside of the inventory."
            )

    # -- judging

    def _restored_from(self, name: str, details: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
        """Return the table *name* if it was restored from this very backup."""
        found = when_missing(lambda: self._table.aws.table("describe_table", TableName=name))
        summary = (found or {}).get("Table", {}).get("RestoreSummary") or {}
        return found if summary.get("SourceBackupArn") == details["backup"]["arn"] else None

    def _target(self, folder: str, details: Mapping[str, Any], parts: Mapping[str, Part]) -> Tuple[str, bool]:
        """Return the table to restore into, and whether an earlier call began it. One used since is left alone."""
        aws, number = self._table.aws, 0
        while True:
            number += 1
            name = dynamodb_names.restored_name(details["table"]["name"], details["stamp"], number)
            if when_missing(functools.partial(aws.table, "describe_table", TableName=name)) is None:
                return name, False
            if self._restored_from(name, details):
                dynamodb_table.await_active(aws, name, self._wait)
                if self._state_of(name) is None or self._same_items(name, folder, details, parts):
                    return name, True

    def _is_finished(self, name: str, folder: str, details: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        if dynamodb_table.shortcomings(_settings(details), dynamodb_table.read(self._table.aws, name)):
            return False
        return self._state_of(name) is not None and self._same_items(name, folder, details, parts)

    def _same_items(self, name: str, folder: str, details: Mapping[str, Any], parts: Mapping[str, Part]) -> bool:
        found = self._census(name, _settings(details))
        if dynamodb_items.PART in parts:
            return dynamodb_items.difference(dynamodb_items.read(folder), found, self._around.clock()) is None
        return self._state_of(name) == dynamodb_items.lasting_digest(found)

    # -- restoring

    def _prove_items(self, name: str, folder: str, details: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
        if dynamodb_items.PART not in parts:
            return
        found = self._census(name, _settings(details))
        difference = dynamodb_items.difference(dynamodb_items.read(folder), found, self._around.clock())
        if difference:
            raise BackupError(f"{name}: what AWS restored is not what was saved ({difference}). Use another backup.")

    def _state_of(self, name: str) -> Optional[str]:
        arn = self._table.aws.table("describe_table", TableName=name)["Table"]["TableArn"]
        return dynamodb_table.tags(self._table.aws, arn).get(_STATE_TAG)

    def _sign(self, name: str, details: Mapping[str, Any], settings: dynamodb_table.Settings) -> None:
        """Mark a table as complete, with what it held then."""
        aws = self._table.aws
        arn = aws.table("describe_table", TableName=name)["Table"]["TableArn"]
        state = dynamodb_items.lasting_digest(self._census(name, settings))
        dynamodb_table.add_tags(aws, arn, {_SOURCE_TAG: details["backup"]["arn"][:256], _STATE_TAG: state})


def _events_table(events: dynamodb_names.EventsTable, access: Access) -> Table:
    return Table(events.name, Aws(access._replace(region=events.region or access.region, endpoint=events.endpoint)))


def _waiting(means: Means) -> dynamodb_table.Wait:
    # What is waited for takes AWS seconds to hours.
    return functools.partial(means.host.wait_until, pause=_POLL_SECONDS) if means.host else _wait


def _access(storage: Mapping[str, Any], means: Means) -> Access:
    environment: Dict[str, str] = {}
    if means.host and means.unit:
        environment = unit_environment.unit_environment(means.host, means.unit, "AWS_")
    return Access(
        region=storage.get("region"),
        access_key=_written(means, "access_key"),
        secret_key=_written(means, "secret_key"),
        environment=environment,
    )


def _written(means: Means, key: str) -> Optional[str]:
    """Read what facts must not hold, or what may have changed since, from the file itself."""
    if not means.config_path or key not in means.places:
        return None
    return config_place.read(config_place.Place(means.config_path, means.places[key], key))


def _name_now(storage: Mapping[str, Any], means: Means, observed: str) -> str:
    """Return the table that the file names now: a restore since the observation has changed it."""
    name = (_written(means, "table_name") if "places" in storage else None) or observed
    if dynamodb_names.base_of(name) != dynamodb_names.base_of(observed):
        raise BackupError(f"{means.config_path}: table_name is {name!r} now, {observed!r} was observed. Run again.")
    return name


def _settings(details: Mapping[str, Any]) -> dynamodb_table.Settings:
    return dynamodb_table.Settings(**details["settings"])


def _arns(details: Mapping[str, Any]) -> Dict[str, str]:
    return {one["table"]["name"]: one["backup"]["arn"] for one in (details, *details["events"])}


def _pending(folder: str, name: str) -> str:
    """Return where it is noted, beside *folder*, that a backup of this name was begun."""
    return os.path.join(os.path.dirname(folder), f".dynamodb-{name}.json")


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read()
