#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a backup of an Auth Service back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_restore
short_description: Put a backup of a Teleport Auth Service back
version_added: 0.1.0
description:
  - Makes the backend and the process state of an Auth Service what they were when a backup was taken, and compares
    both with the backup afterwards.
  - Refuses while the unit runs, and when the backup does not verify or is not of this cluster, backend or host.
  - What is found before is kept in C(failed-<UTC time>) beside the backups. A run that was killed is finished by
    the next one.
  - All Auth Services of the cluster have to be stopped. This module can only see the one on its host.
  - The unit and the binaries are not touched, and of the configuration only C(storage.table_name), when the backend is
    DynamoDB. AWS restores into another table, which gets tags, expiry, stream, billing, automatic scaling, deletion
    protection and point-in-time recovery of the first. That one stays as it is.
  - Beside the actions of M(lockstep.teleport.backend_backup) a restore of a DynamoDB table needs
    C(dynamodb:BatchWriteItem), C(DeleteItem), C(GetItem), C(PutItem), C(Query), C(TagResource),
    C(UpdateContinuousBackups), C(UpdateItem), C(UpdateTable), C(UpdateTimeToLive), and for tables that are scaled
    C(application-autoscaling:RegisterScalableTarget) and C(PutScalingPolicy).
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.backup_choice
  - lockstep.teleport.backup_encryption
attributes:
  check_mode:
    support: full
    details:
      - Verifies the backup and compares it with what is there.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  instance:
    description: The Auth Service, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  path:
    description: Folder of the backup. The newest one of the cluster below O(directory) by default.
    type: path
  directory:
    description: Folder that holds the backups of all clusters of this host.
    type: path
    default: /var/lib/teleport-backups
  cluster:
    description: Name of the cluster. What the instance says of itself by default, else V(main).
    type: str
  version:
    description: With O(path) not given, the version of Teleport that the backup has to be of.
    type: str
seealso:
  - module: lockstep.teleport.backend_backup
  - module: lockstep.teleport.backend_follow
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Put the newest backup of 16.5.13 back
  lockstep.teleport.backend_restore:
    instance: "{{ observed.instance }}"
    version: 16.5.13
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
evidence:
  description: Folder with the state found before. Null when nothing had to be changed.
  returned: success
  type: str
config_change:
  description:
    - What was changed in C(teleport.yaml) of this host, with C(key), C(old) and C(new). It belongs into the file of
      every other Auth Service of the cluster before any of them starts, see M(lockstep.teleport.backend_follow).
    - Null when the backend lies where it lay, as it does with every backend but DynamoDB.
  returned: success
  type: dict
"""

from typing import Any, Dict, List, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, backup_module, config_place
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError


def run(host: Host, parameters: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Return the module's result."""
    spec = backup_module.spec_of(parameters, host)
    if backup_module.is_serving(host, parameters["instance"]):
        name = parameters["instance"]["unit"]["name"]
        raise BackupError(f"{name} is running. Stop it, and all other Auth Services of {spec.cluster}, first.")
    path = parameters["path"] or backup.choose_backup(spec, parameters["version"])
    cipher = backup_module.cipher_of(parameters, host)
    if check_mode:
        restored = backup.preview_restore(path, spec, cipher)
    else:
        restored = backup.restore_backup(path, spec, cipher=cipher)
    return {
        "changed": restored.changed,
        "path": path,
        "manifest": restored.manifest,
        "evidence": restored.evidence,
        "config_change": restored.config_change.as_dict() if restored.config_change else None,
        "diff": _diff(restored, path, spec.config_path),
    }


def _diff(restored: backup.Restored, path: str, config_path: str) -> List[Dict[str, Any]]:
    after = {"state": f"as saved in {path}"}
    before = {"state": f"differs, kept in {restored.evidence or 'failed-…'}"} if restored.changed else after
    change = restored.config_change
    of_config = [config_place.diff(config_path, change.old, change.new, change.key)] if change else []
    return [{"before": before, "after": after}, *of_config]


def main() -> None:
    """Translate between Ansible and the restore."""
    module = AnsibleModule(
        argument_spec={
            **backup_module.ARGUMENTS,
            "path": {"type": "path"},
            "version": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(Host(), module.params, module.check_mode)
    except (BackupError, HostError) as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()
