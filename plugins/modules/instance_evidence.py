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
  description:
    - Has C(journal), the last lines of the unit's log, C(readiness), C(unit) and C(versions).
    - What cannot be had is said in its place. Empty where there are client tools alone.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import evidence
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host


def main() -> None:
    """Translate between Ansible and the evidence."""
    module = AnsibleModule(argument_spec={"instance": {"type": "dict", "required": True}}, supports_check_mode=True)
    found = evidence.collect(Host(), module.params["instance"], 0.0)
    module.exit_json(changed=False, evidence=found)


if __name__ == "__main__":
    main()
