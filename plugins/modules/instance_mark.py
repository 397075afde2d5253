#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks a host while something around its instance is to be put back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_mark
short_description: Mark a host while something around its instance is to be put back
version_added: 0.1.0
description:
  - Leaves a mark on the host that M(lockstep.teleport.instance_info) finds. A plan has a step for a marked host, even
    at the target, so that a run that was killed between taking a proxy out of its load balancer and putting it back is
    finished by the next one.
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
  name:
    description:
      - V(drained) for a proxy that is out of its load balancer, V(auth_group) for an auth group that is left to the run
        by what manages it otherwise.
    type: str
    choices: [drained, auth_group]
    required: true
  state:
    description: Whether the mark is to be there.
    type: str
    choices: [present, absent]
    default: present
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Remember that the proxy is out of its load balancer
  lockstep.teleport.instance_mark:
    instance: "{{ observed.instance }}"
    name: drained
"""

RETURN = r"""
marks:
  description: The marks on the host now.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import marks


def main() -> None:
    """Translate between Ansible and the marks."""
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "dict", "required": True},
            "name": {"type": "str", "choices": list(marks.NAMES), "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    folder, name = module.params["instance"].get("versions_dir"), module.params["name"]
    if not folder:
        module.fail_json(msg="instance lacks versions_dir; give it what lockstep.teleport.instance_info returned.")
    before = sorted(marks.found(folder))
    wanted = module.params["state"] == "present"
    if wanted != (name in before) and not module.check_mode:
        try:
            (marks.put if wanted else marks.remove)(folder, name)
        except OSError as problem:
            module.fail_json(msg=f"The mark {name} in {folder} cannot be changed: {problem}")
    after = sorted({*before, name} if wanted else {*before} - {name})
    diff = {"before": {"marks": before}, "after": {"marks": after}}
    module.exit_json(changed=after != before, marks=after, diff=diff)


if __name__ == "__main__":
    main()
