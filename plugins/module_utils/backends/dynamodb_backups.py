# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On-demand backups at AWS: made, found again, judged and deleted."""

from __future__ import annotations

import functools
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_client import Aws, Table, when_missing
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_table import Wait

AVAILABLE = "AVAILABLE"

_SETTLE_SECONDS = 3600.0


def create(table: Table, name: str, wait: Wait) -> str:
    """Back *table* up under *name*, wait until AWS has done so, and return the ARN. Raises :class:`BackupError`."""
    made = table.aws.table("create_backup", TableName=table.name, BackupName=name)["BackupDetails"]
    arn = str(made["BackupArn"])
    _settle(table.aws, arn, wait)
    return arn


def delete(table: Table, name: str, arn: Optional[str], wait: Wait) -> None:
    """Delete a backup; without *arn*, which a killed run did not learn, those of this *name*. None is fine."""
    for found in [arn] if arn else _named(table, name):
        _settle(table.aws, found, wait)
        when_missing(functools.partial(table.aws.table, "delete_backup", BackupArn=found))


def check(aws: Aws, table: Mapping[str, str], arn: str, name: str) -> None:
    """Raise :class:`BackupError` unless AWS still has the backup *arn* of *table*, whole and under its *name*."""
    if not arn.startswith(table["arn"] + "/backup/"):
        raise BackupError(f"{arn}: is no backup of {table['arn']}, which the manifest says. Use another backup.")
    found = _details(aws, arn)
    status = found.get("BackupStatus") or "DELETED"
    if status != AVAILABLE:
        raise BackupError(f"{arn}: AWS calls this backup {status}. It cannot be restored; use another backup.")
    if found["BackupName"] != name:
        raise BackupError(f"{arn}: is called {found['BackupName']!r}, not {name!r}. Use another backup.")


def read_note(path: str) -> Dict[str, Any]:
    """Return which backups were made: their ``name``, and in ``backups`` the ARN by table, ``None`` where not known.

    Raises :class:`BackupError` for a file that does not say so.
    """
    try:
        with open(path, "rb") as handle:
            note: Dict[str, Any] = foreign_file.parse_json(handle.read())
        return {"name": note["name"], "backups": dict(note["backups"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{path}: does not say which backup of AWS it belongs to ({error}).") from error


def _named(table: Table, name: str) -> List[str]:
    pages = table.aws.pages("list_backups", "BackupSummaries", TableName=table.name)
    return [str(one["BackupArn"]) for page in pages for one in page if one["BackupName"] == name]


def _settle(aws: Aws, arn: str, wait: Wait) -> None:
    if not wait(lambda: _details(aws, arn).get("BackupStatus") != "CREATING", _SETTLE_SECONDS):
        raise BackupError(
            f"{arn}: AWS has not finished the backup within {_SETTLE_SECONDS:g} s. Look there, run again."
        )


def _details(aws: Aws, arn: str) -> Dict[str, Any]:
    answer = when_missing(functools.partial(aws.table, "describe_backup", BackupArn=arn)) or {}
    found: Dict[str, Any] = answer.get("BackupDescription", {}).get("BackupDetails") or {}
    return found
