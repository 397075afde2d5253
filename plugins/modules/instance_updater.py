#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps Teleport's own updaters from changing the version of a host, or lets them go on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_updater
short_description: Pause Teleport's own updater on a host, and let it go on
version_added: 0.1.0
description:
  - Keeps C(teleport-update) (managed updates, version 2) or C(teleport-upgrade) (version 1) from changing the version
    of the host while something else is in charge of it.
  - C(teleport-update) is pinned to the version it has active, the timer of C(teleport-upgrade) is stopped. An updater
    that is not enabled, or that somebody has pinned, is left as it is.
  - What was paused is noted on the host first, and M(lockstep.teleport.instance_info) shows it, so that a later run
    puts it back when this one is killed.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  versions_dir:
    description: Folder of the version folders, where the note is kept.
    type: path
    default: /opt/teleport-versions
  state:
    description: Whether the updater is to be paused, or to go on if it was paused by this module.
    type: str
    choices: [paused, resumed]
    required: true
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Keep updaters from interfering
  lockstep.teleport.instance_updater:
    state: paused

- name: Let them go on
  lockstep.teleport.instance_updater:
    state: resumed
"""

RETURN = r"""
updater:
  description: The updater as it is now, as in M(lockstep.teleport.instance_info). Null when there is none.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import shield, updater
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError


def main() -> None:
    """Translate between Ansible and the updater."""
    module = AnsibleModule(
        argument_spec={
            "versions_dir": {"type": "path", "default": "/opt/teleport-versions"},
            "state": {"type": "str", "choices": ["paused", "resumed"], "required": True},
        },
        supports_check_mode=True,
    )
    shield.ignore_signals()
    host = Host()
    versions_dir = module.params["versions_dir"]
    change = updater.pause if module.params["state"] == "paused" else updater.resume
    try:
        changed = change(host, versions_dir, module.check_mode)
        module.exit_json(changed=changed, updater=updater.facts(host, versions_dir))
    except (HostError, OSError) as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
