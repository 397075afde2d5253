# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away table of DynamoDB, restored from a backup beside the cluster's, and deleted again."""

from __future__ import annotations

import contextlib
import functools
from typing import Any, Dict, Iterator, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_client import Aws, when_missing
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.dynamodb_table import Wait, await_active

_GONE_SECONDS = 600.0


@contextlib.contextmanager
def scratch_table(aws: Aws, name: str, backup: str, wait: Wait) -> Iterator[None]:
    """Have the table *name* restored from the backup with the ARN *backup* for as long as the block runs.

    One that a killed drill left of the same backup is used and deleted; any other table of that name is left alone.
    Raises :class:`BackupError`.
    """
    found = _described(aws, name)
    if found is None:
        aws.table("restore_table_from_backup", TargetTableName=name, BackupArn=backup)
    elif (found.get("RestoreSummary") or {}).get("SourceBackupArn") != backup:
        raise BackupError(f"{name}: there is a table of this name that no drill made. Look what it is, and remove it.")
    try:
        await_active(aws, name, wait)
        yield
    finally:
        _remove(aws, name, wait)


def _remove(aws: Aws, name: str, wait: Wait) -> None:
    when_missing(functools.partial(aws.table, "delete_table", TableName=name))
    if not wait(lambda: _described(aws, name) is None, _GONE_SECONDS):
        raise BackupError(f"{name}: AWS has not deleted this table of a restore drill yet. See that it goes.")


def _described(aws: Aws, name: str) -> Optional[Dict[str, Any]]:
    found = when_missing(functools.partial(aws.table, "describe_table", TableName=name))
    return None if found is None else found["Table"]
