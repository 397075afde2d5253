# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``tctl status`` prints, through all its generations."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import PlainError, name

IDLE = "idle"
IN_PROGRESS = "in_progress"

#: How the state of an authority reads when no rotation is going on; every other text means that one is.
_IDLE_TEXT = re.compile(r"(?:never updated|rotated |standby\b|$)")
_ROW = re.compile(r"^(?P<label>\S.*?)(?:: +| {2,}|:$)(?P<value>.*)$")
_RULE = re.compile(r"^-+(?: -+)+ *$")
_AUTHORITY = " CA"


class Status(NamedTuple):
    """What an Auth Service says of its cluster. ``version`` is None up to 4.1, which did not print it."""

    cluster: str
    version: Optional[str]
    ca_pins: List[str]
    authorities: List[Dict[str, str]]

    @property
    def rotation_in_progress(self) -> bool:
        """Whether any authority is between two keys."""
        return any(authority["rotation"] != IDLE for authority in self.authorities)


class StatusError(PlainError, ValueError):
    """The text is not what ``tctl status`` prints."""


def parse(text: str) -> Status:
    """Read the output of ``tctl status``, as text or as JSON. Raises :class:`StatusError`."""
    stripped = text.strip()
    status = _from_json(stripped) if stripped.startswith("{") else _from_text(stripped)
    if not status.cluster:
        raise StatusError(f"no cluster name in the answer {stripped[:200]!r}; expected the output of 'tctl status'")
    return status


def _from_json(text: str) -> Status:
    try:
        answer = foreign_file.parse_json(text.encode("utf-8", "replace"))
        cluster = answer["cluster"]
        authorities = [_authority_from_json(entry) for entry in answer.get("authorities") or []]
        pins = [name(pin) for pin in cluster["ca_pins"] or []]
        return Status(name(cluster["name"]), name(cluster.get("version")) or None, pins, authorities)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StatusError(f"unexpected JSON from 'tctl status': {error!r} in {text[:200]!r}") from error


def _authority_from_json(entry: Mapping[str, Any]) -> Dict[str, str]:
    rotation = entry.get("rotation") or {}
    words = [str(rotation[key]) for key in ("state", "phase", "mode") if rotation.get(key)]
    in_progress = rotation.get("state") not in (None, "", "standby")
    return _authority(str(entry["type"]), " ".join(words), in_progress)


def _from_text(text: str) -> Status:
    """Read the two-column table (2.6 to 17) or the summary with its table of keys (since 18)."""
    cluster, version = "", None
    pins: List[str] = []
    authorities: List[Dict[str, str]] = []
    lines = text.splitlines()
    for line in lines:
        match = _ROW.match(line.rstrip() + "  ") if line[:1].strip() else None
        label, value = (match.group("label"), match.group("value").strip()) if match else ("", line.strip())
        if label == "Cluster":
            cluster = name(value)
        elif label == "Version":
            version = name(value) or None
        elif label.endswith(_AUTHORITY):
            authorities.append(_authority(label[: -len(_AUTHORITY)], value, _IDLE_TEXT.match(value) is None))
        elif value.startswith("sha256:"):
            pins.append(name(value))
    return Status(cluster, version, pins, authorities + _key_table(lines))


def _key_table(lines: List[str]) -> List[Dict[str, str]]:
    """Read the table of keys. Only the first row of an authority names it; the columns are as wide as their rules."""
    rule = next((index for index, line in enumerate(lines) if _RULE.match(line)), None)
    if rule is None or not lines[rule - 1].startswith("authority"):
        return []
    columns = [match.span() for match in re.finditer("-+", lines[rule])]
    rows = [[line[start:end].strip() for start, end in columns] for line in lines[rule + 1 :]]
    return [_authority(row[0], row[1], _IDLE_TEXT.match(row[1]) is None) for row in rows if row[0]]


def _authority(kind: str, text: str, in_progress: bool) -> Dict[str, str]:
    return {
        "type": name(kind).lower().replace(" ", "_"),
        "rotation": IN_PROGRESS if in_progress else IDLE,
        "text": name(text),
    }
