# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table holds, as one digest per item: enough to tell whether another table holds the same."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, Part, written_part

PART = "dynamodb-items.jsonl"

Item = Mapping[str, Mapping[str, Any]]


class Seen(NamedTuple):
    """One item: the digest of all of it, and when DynamoDB may remove it, in seconds since the epoch."""

    digest: str
    expires: Optional[float]


Census = Dict[str, Seen]


def take(items: Iterable[Item], keys: Sequence[str], ttl: Optional[str]) -> Census:
    """Return a census of *items* as the API types them, by the digest of their *keys*; *ttl* names the expiry."""
    found: Census = {}
    for item in items:
        found[_digest({key: item[key] for key in keys})] = Seen(_digest(item), _expiry(item, ttl))
    return found


def difference(saved: Census, found: Census, now: float) -> Optional[str]:
    """Return how *found* differs from *saved*, ``None`` when it does not. What has expired may be there or not."""
    lost = sum(seen.expires is None or seen.expires > now for key, seen in saved.items() if key not in found)
    changed = sum(seen.digest != saved[key].digest for key, seen in found.items() if key in saved)
    added = sum(key not in saved for key in found)
    if not (lost or changed or added):
        return None
    return f"{lost} items are missing, {changed} differ, {added} are new"


def lasting_digest(census: Census) -> str:
    """Return one digest over all items that never expire."""
    lasting = sorted(seen.digest for seen in census.values() if seen.expires is None)
    return hashlib.sha256("\n".join(lasting).encode()).hexdigest()


def write(folder: str, census: Census, source: str) -> Part:
    """Write *census* into *folder*, ordered, one item a line."""
    path = os.path.join(folder, PART)
    with durable.replacing(path) as writer:
        for key, seen in sorted(census.items()):
            writer.write((json.dumps([key, seen.digest, seen.expires]) + "\n").encode())
    return written_part(folder, PART, source)


def read(folder: str) -> Census:
    """Read what :func:`write` wrote. Raises :class:`BackupError` for anything else."""
    path = os.path.join(folder, PART)
    try:
        with open(path, "rb") as handle:
            rows = [foreign_file.parse_json(line) for line in handle]
        return {str(key): Seen(str(digest), expires) for key, digest, expires in rows}
    except (OSError, ValueError, TypeError) as error:
        raise BackupError(f"{path}: is not the list of items that belongs to the backup ({error}).") from error


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """The API's sets and binary values, which JSON does not have."""
    if isinstance(value, (bytes, bytearray)):
        return b64encode(bytes(value)).decode()
    return sorted(value)


def _expiry(item: Item, ttl: Optional[str]) -> Optional[float]:
    number = (item.get(ttl) or {}).get("N") if ttl else None
    try:
        return float(number) if number is not None else None
    except ValueError:
        return None
