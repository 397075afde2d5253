#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scales an AWS Auto Scaling group of auth servers to one, and back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scaling_group
short_description: Scale an AWS Auto Scaling group of auth servers to one, and back
version_added: 0.1.0
description:
  - Scales a group to one chosen instance and keeps Auto Scaling from starting, ending or replacing any. The other
    instances go to standby, so they are there afterwards, and can be upgraded meanwhile.
  - How the group was (smallest size, suspended processes, protection) is kept in its tag
    C(lockstep-teleport-auth-group) until it is restored.
  - Runs where it has access to AWS, usually on the controller, with the credentials of the environment.
requirements:
  - boto3
extends_documentation_fragment:
  - lockstep.teleport.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description: Name of the group.
    type: str
    required: true
  keep:
    description: Id of the instance that stays.
    type: str
    required: true
  members:
    description:
      - Ids of all instances that are known. A group that has others is refused, because nobody would see them stop.
    type: list
    elements: str
    required: true
  state:
    description:
      - With V(shrunk) the group has one instance in service. It is refused while an instance refresh runs.
      - With V(restored) it is as it was before. A group that was not scaled to one is left alone.
      - With V(query) nothing is changed, and the module fails when the group could not be scaled to one.
    type: str
    choices: [shrunk, restored, query]
    required: true
  region:
    description: The region; that of the environment by default.
    type: str
  timeout:
    description: Seconds in which instances have to go to standby or return.
    type: float
    default: 300
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Scale to one
  lockstep.teleport.scaling_group:
    name: teleport-auth
    keep: i-0a1b2c3d4e5f60718
    members: [i-0a1b2c3d4e5f60718, i-0a1b2c3d4e5f60719]
    state: shrunk
  delegate_to: localhost
"""

RETURN = r"""
group:
  description:
    - The group as it is now. Has C(minimum), C(desired), C(states) by instance, C(protected) instances, C(suspended)
      processes, and C(before), how it was before it was scaled to one, null when it was not.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.scaling_group import (
    ScalingGroup,
    Wish,
    connect,
    problems,
)


def perform(group: ScalingGroup, state: str, check_mode: bool) -> bool:
    """Bring the group into a state and say whether that was, or in check mode would be, a change."""
    if state == "query":
        group.look()
        return False
    if check_mode:
        return group.look().before is None if state == "shrunk" else group.described().before is not None
    return group.shrink() if state == "shrunk" else group.restore()


def main() -> None:
    """Translate between Ansible and AWS."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "keep": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["shrunk", "restored", "query"], "required": True},
            "region": {"type": "str"},
            "timeout": {"type": "float", "default": 300},
        },
        supports_check_mode=True,
    )
    wish = Wish(module.params["name"], module.params["keep"], module.params["members"], module.params["timeout"])
    try:
        group = ScalingGroup(connect(module.params["region"]), Host(), wish)
        changed = perform(group, module.params["state"], module.check_mode)
        found = group.described()
    except HostError as problem:
        module.fail_json(msg=str(problem))
    except problems() as problem:
        module.fail_json(msg=f"AWS refuses to work on the Auto Scaling group {wish.name}: {problem}")
    module.exit_json(changed=changed, group=dict(found._asdict()))


if __name__ == "__main__":
    main()
