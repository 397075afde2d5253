#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps an instance stopped, or lets it go again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_hold
short_description: Keep a Teleport instance stopped, provably
version_added: 0.1.0
description:
  - Stops an instance and keeps it from being started by anyone, a reboot included, until it is released.
  - The hold is a drop-in of the unit with a condition that is never true.
  - Success means that the unit is inactive, no process of it is left, and its Auth Service's port refuses connections.
    The cluster's own list of Auth Services proves nothing, it names the dead for ten minutes.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  instance:
    description: The instance, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  state:
    description: Whether to hold the instance or to release it.
    type: str
    choices: [held, released]
    required: true
  start:
    description:
      - Start the instance after it was released, and wait until it is ready. Ignored for O(state=held).
    type: bool
    default: false
  stop_timeout:
    description: Seconds to wait for the instance to stop before it is killed.
    type: float
    default: 330
  ready_timeout:
    description: Seconds to wait for the instance to be ready.
    type: float
    default: 300
  stable_for:
    description: Seconds for which the same process has to stay ready.
    type: float
    default: 5
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Observe the instance
  lockstep.teleport.instance_info:
  register: observed

- name: Take an Auth Service out while another one migrates the backend
  lockstep.teleport.instance_hold:
    instance: "{{ observed.instance }}"
    state: held

- name: Let it run again
  lockstep.teleport.instance_hold:
    instance: "{{ observed.instance }}"
    state: released
    start: true
"""

RETURN = r"""
held:
  description: Whether the hold lies on the instance now.
  returned: success
  type: bool
unit:
  description: What systemd says of the unit now.
  returned: success
  type: dict
missing:
  description: What was, or in check mode is, still to be done.
  returned: success
  type: list
  elements: str
evidence:
  description: End of the unit's log, readiness, unit and versions at the moment of the failure, without secrets.
  returned: failure
  type: dict
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import evidence, shield
from ansible_collections.lockstep.teleport.plugins.module_utils.hold_order import HoldOrder, apply, order_from
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError


def perform(host: Host, order: HoldOrder, check_mode: bool) -> Dict[str, Any]:
    """Hold or release; a failure becomes a result with ``failed`` and the evidence."""
    began = host.wall()
    try:
        return apply(host, order, check_mode)
    except (HostError, OSError) as problem:
        found = evidence.collect(host, order.instance, began)
        begun = bool(getattr(problem, "details", {}).get("begun"))
        return {"failed": True, "changed": begun, "msg": str(problem), "evidence": found}


def main() -> None:
    """Translate between Ansible and the hold."""
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "dict", "required": True},
            "state": {"type": "str", "choices": ["held", "released"], "required": True},
            "start": {"type": "bool", "default": False},
            "stop_timeout": {"type": "float", "default": 330},
            "ready_timeout": {"type": "float", "default": 300},
            "stable_for": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    try:
        order = order_from(module.params)
    except HostError as problem:
        module.fail_json(msg=str(problem))
    # Half a hold would be the worst: an instance that is down, and nobody knows why.
    shield.ignore_signals()
    result = perform(Host(), order, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
