# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan that somebody approved, read from a file that may have been tampered with since. It is data, no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import digest_of

#: Bytes; the plan of a hundred thousand hosts over four hops has some 80 MB.
LARGEST = 256 << 20


class ApprovalError(ValueError):
    """A file is no plan that can have been approved. The message says why."""


def approved_digest(path: str) -> str:
    """Return the digest of the plan in the file *path*.

    :raises ApprovalError: when it cannot be read, is no plan, or says another digest than its content has: whoever read
        it has then approved something else than the digest stands for.
    """
    try:
        content = foreign_file.read(str(Path(path)), LARGEST + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise ApprovalError(f"{path}: {reason}. Name the JSON file of the approved plan.") from None
    if len(content) > LARGEST:
        raise ApprovalError(f"{path}: is larger than {LARGEST} bytes, so it is no plan.")
    try:
        return parse_approved(content)
    except ApprovalError as problem:
        raise ApprovalError(f"{path}: {problem}") from None


def parse_approved(content: bytes) -> str:
    """Return the digest of the plan that *content* is, as JSON.

    :raises ApprovalError: when it is none, or was changed since it was written.
    """
    try:
        plan: Any = foreign_file.parse_json(content)
    except ValueError as problem:
        raise ApprovalError(f"is no JSON ({problem}). Name the JSON file of the approved plan.") from None
    if not isinstance(plan, Mapping) or not isinstance(plan.get("digest"), str) or "stages" not in plan:
        raise ApprovalError("is no plan. Name the JSON file that the plan playbook wrote.")
    try:
        found = digest_of(plan)
    except (ValueError, TypeError, RecursionError):
        found = ""
    if found != plan["digest"]:
        shown = json.dumps(plan["digest"][:64])
        raise ApprovalError(
            f"was changed after it was planned: it says the digest {shown}, its content has {found or 'none'}. "
            "Plan and approve anew."
        )
    return found
