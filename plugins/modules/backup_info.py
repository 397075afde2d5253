#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists the backups of a cluster on an auth host, and reads the one back that is asked for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List the backups of a Teleport cluster on a host, and judge one
version_added: 0.1.0
description:
  - Lists the backups that M(lockstep.teleport.backend_backup) or an upgrade took on this host, by their manifests.
  - Reads one of them back whole, and says everything that speaks against putting it back on this host.
  - Changes nothing, and may be used while the Auth Service serves.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.read_only
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.backup_choice
  - lockstep.teleport.backup_encryption
options:
  instance:
    description: The Auth Service, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  directory:
    description: Folder that holds the backups of all clusters of this host.
    type: path
    default: /var/lib/teleport-backups
  cluster:
    description: Name of the cluster. What the instance says of itself by default, else V(main).
    type: str
  path:
    description: Folder of the backup to judge.
    type: path
  name:
    description: Without O(path), name of the folder of the backup to judge, without the suffix of an encrypted one.
    type: str
  version:
    description: Without O(path) and O(name), judge the newest backup of this version of Teleport.
    type: str
  before:
    description: Without the other three, judge the newest backup of an older release line than this version is of.
    type: str
seealso:
  - module: lockstep.teleport.backend_backup
  - module: lockstep.teleport.backend_restore
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Find the backup that leads back from 16
  lockstep.teleport.backup_info:
    instance: "{{ observed.instance }}"
    before: 16.5.13
"""

RETURN = r"""
backups:
  description:
    - All backups of the cluster on this host, newest first, with C(name), C(path), C(cluster), C(version), C(edition),
      C(created), C(consistency) (V(stopped) or V(online)), C(host), C(digest), and C(kind) and C(at) of the backend.
  returned: success
  type: list
  elements: dict
chosen:
  description:
    - The backup that was asked for, with the same keys, or null when it is not there.
    - C(problems) has C(code) (V(unusable), V(foreign) or V(elsewhere)) and C(message) for each thing that speaks
      against putting it back. C(restored) tells whether everything is as it was saved already, and is null when that
      cannot be told.
  returned: success
  type: dict
"""

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_module, backup_survey
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

_WANTED = ("path", "name", "version", "before")


def run(host: Host, parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the module's result."""
    spec = backup_module.spec_of(parameters, host)
    wanted = backup_survey.Wanted(**{key: parameters[key] for key in _WANTED})
    serving = backup_module.is_serving(host, parameters["instance"])
    cipher = backup_module.cipher_of(parameters, host)
    return {"changed": False, **backup_survey.survey(spec, wanted, serving, cipher)}


def main() -> None:
    """Translate between Ansible and the survey."""
    module = AnsibleModule(
        argument_spec={
            **backup_module.ARGUMENTS,
            "path": {"type": "path"},
            "name": {"type": "str"},
            "version": {"type": "str"},
            "before": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(Host(), module.params)
    except (BackupError, HostError) as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()
