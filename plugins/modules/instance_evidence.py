#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks closely at an instance after something failed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_evidence
short_description: Look closely at a Teleport instance after something failed
version_added: 0.1.0
description:
  - Returns the end of the unit's log, the readiness answer, the unit, and the version that runs. Secrets are masked.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.read_only
  - lockstep.teleport.attributes.linux
options:
  instance:
    description: The instance, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Observe the instance
  lockstep.teleport.instance_info:
  register: observed

- name: Look closely
  lockstep.teleport.instance_evidence:
    instance: "{{ observed.instance }}"
"""

RETURN = r"""
evidence:
  description: Has C(journal), C(readiness), C(unit) and C(versions). Empty where there is no unit.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import evidence
from ansible_collections.lockstep.teleport.plugins.module_utils.host import from_module


def main() -> None:
    """Translate between Ansible and the evidence."""
    module = AnsibleModule(argument_spec={"instance": {"type": "dict", "required": True}}, supports_check_mode=True)
    instance = module.params["instance"]
    config = instance.get("config") or {}
    found = evidence.collect(
        from_module(module),
        (instance.get("unit") or {}).get("name"),
        0.0,
        config.get("diag_addr"),
        config.get("data_dir"),
        str(config.get("path") or ""),
    )
    module.exit_json(changed=False, evidence=found)


if __name__ == "__main__":
    main()
