#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores a backup into a scratch place and proves that it opens."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_drill
short_description: Prove that a backup of a Teleport cluster can be restored
version_added: 0.1.0
description:
  - Restores a backup into a new folder of its own beside the backups, opens what came of it, and removes the folder.
  - SQLite is restored, opened for writing, and every page and row checked. etcd is restored into a throw-away etcd
    where that program is installed, DynamoDB into a scratch table when O(scratch_table=true). What was proven, and what
    could not be, is returned in sentences.
  - Touches neither the cluster, its backend, its unit nor its files, so it runs on any host that has the backup, while
    the cluster serves. Teleport itself is not started on the restored data, because it would dial the cluster.
  - Encrypted backups need the private key on the host.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.backup_encryption
attributes:
  check_mode:
    support: full
    details:
      - Leaves nothing behind, so it does the same in check mode.
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
options:
  directory:
    description: Folder that holds the backups of all clusters of this host.
    type: path
    default: /var/lib/teleport-backups
  cluster:
    description: Name of the cluster. A backup of another one is refused.
    type: str
    required: true
  path:
    description: Folder of the backup. The newest one of the cluster below O(directory) by default.
    type: path
  version:
    description: With O(path) not given, the version of Teleport that the backup has to be of.
    type: str
  scratch_table:
    description:
      - Whether AWS may restore a backup of DynamoDB into a table of its own, which is read and then deleted. AWS
        charges for the restore, and the host needs the right C(dynamodb:DeleteTable) for such tables.
      - Without it AWS is only asked for the backup.
    type: bool
    default: false
seealso:
  - module: lockstep.teleport.backend_backup
  - module: lockstep.teleport.backend_restore
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Prove that the newest backup can be restored
  lockstep.teleport.backend_drill:
    cluster: example.com
    directory: /srv/backups/teleport
"""

RETURN = r"""
path:
  description: Folder of the backup.
  returned: success
  type: str
manifest:
  description: What the backup holds, without secrets.
  returned: success
  type: dict
restored:
  description: Whether the backend was put somewhere else and opened there. Otherwise its files were only read back.
  returned: success
  type: bool
proven:
  description: What was done, and thereby proven.
  returned: success
  type: list
  elements: str
counts:
  description: Number of records found, by kind.
  returned: success
  type: dict
age_seconds:
  description: Age of the backup. What was written since would be lost by restoring it.
  returned: success
  type: float
seconds:
  description: How long the drill took.
  returned: success
  type: float
"""

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_drill, backup_module
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host


def run(host: Host, parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the module's result."""
    path = backup_module.chosen_path(parameters)
    home = backup_module.home_of(parameters)
    cipher = backup_module.cipher_of(parameters, host)
    outcome = backup_drill.drill(path, parameters["cluster"], home, host, cipher, bool(parameters.get("scratch_table")))
    age = backup_drill.age_seconds(outcome.manifest, host.wall())
    return {"changed": False, "path": path, "age_seconds": round(age, 1), **outcome._asdict()}


def main() -> None:
    """Translate between Ansible and the drill."""
    module = AnsibleModule(
        argument_spec={
            **backup_module.PLACE_ARGUMENTS,
            "scratch_table": {"type": "bool", "default": False},
            **backup_module.ENCRYPTION_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        result = run(Host(), module.params)
    except BackupError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()
