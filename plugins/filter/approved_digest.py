# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest of a plan that was approved as a file."""

from __future__ import annotations

DOCUMENTATION = r"""
name: approved_digest
short_description: The digest of an approved plan, read from its file
version_added: 0.1.0
author:
  - Lockstep maintainers (@lockstep)
description:
  - Reads a plan as the plan playbook wrote it, as data and nothing else, and makes sure that its digest is that of its
    content. A file that was changed after it was planned is refused, because whoever approved it may have read
    something else than what its digest stands for.
options:
  _input:
    description: Path of the JSON file on the controller.
    type: path
    required: true
seealso:
  - plugin: lockstep.teleport.upgrade_plan
    plugin_type: module
"""

EXAMPLES = r"""
- name: Refuse a plan that is not the approved one
  ansible.builtin.assert:
    that: plan_outcome.plan.digest == '/srv/approved/teleport-plan.json' | lockstep.teleport.approved_digest
"""

RETURN = r"""
_value:
  description: The digest, 64 hexadecimal digits.
  type: str
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.plugin_utils import approval


def approved_digest(path: object) -> str:
    """Return the digest of the plan in a file.

    :raises AnsibleFilterError: when it is no plan, or was changed.
    """
    try:
        return approval.approved_digest(str(path))
    except approval.ApprovalError as error:
        raise AnsibleFilterError(f"lockstep.teleport.approved_digest: {error}") from error


class FilterModule:
    """Hands the filter to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file by name."""
        return {"approved_digest": approved_digest}
