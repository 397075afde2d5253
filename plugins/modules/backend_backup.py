#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a backup of an Auth Service, or rehearses one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_backup
short_description: Back up a Teleport Auth Service and read the backup back
version_added: 0.1.0
description:
  - Saves the backend, the process state, the configuration and the files it names into one folder, verifies it by
    reading it back, and only then gives it its name.
  - Backends of type C(sqlite), C(dir), C(etcd), C(postgresql) and C(dynamodb) are supported. For others the module
    fails and says what to do.
  - A DynamoDB table is saved by an on-demand backup of AWS, made and looked at with boto3 and the rights of the host.
    The actions it needs are C(dynamodb:CreateBackup), C(DeleteBackup), C(DescribeBackup), C(DescribeContinuousBackups),
    C(DescribeTable), C(DescribeTimeToLive), C(ListBackups), C(ListTagsOfResource), C(RestoreTableFromBackup), C(Scan),
    and C(application-autoscaling:DescribeScalableTargets) and C(DescribeScalingPolicies) for tables that are scaled.
  - While the Auth Service serves, SQLite is copied with its online backup and etcd is read at one revision. A stopped
    SQLite database is copied as it is, which takes little longer than C(cp).
  - The folder is C(<directory>/<cluster>/<UTC time>-<version>), readable by root alone. It holds private keys. The
    version is that of the running process, else of the installed program, at the time of the backup.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.backup_choice
  - lockstep.teleport.backup_encryption
attributes:
  check_mode:
    support: full
    details:
      - Finds the backend, asks for its size and compares that with the free space.
  diff_mode:
    support: full
  idempotent:
    support: none
    details:
      - Every run with O(state=present) takes a new backup. With O(state=rehearse) nothing stays behind.
options:
  instance:
    description: The Auth Service, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  directory:
    description: Folder that receives the backups of all clusters of this host.
    type: path
    default: /var/lib/teleport-backups
  cluster:
    description: Name of the cluster. What the instance says of itself by default, else V(main).
    type: str
  state:
    description:
      - With V(present) a backup is taken and kept.
      - With V(rehearse) a backup is taken, verified and thrown away, to find out beforehand what could go wrong.
    type: str
    choices: [present, rehearse]
    default: present
  keep:
    description: Number of backups of the cluster to keep, the newest ones. V(0) keeps all. Evidence of failures stays.
    type: int
    default: 5
  resources:
    description:
      - Also save what C(tctl get all --with-secrets) prints, when the Auth Service serves and is of 4.1 or newer. That
        is a help for reading and for a new start from nothing, not a way back.
    type: bool
    default: true
seealso:
  - module: lockstep.teleport.backend_restore
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Find out whether a backup would work
  lockstep.teleport.backend_backup:
    instance: "{{ observed.instance }}"
    state: rehearse

- name: Take a backup
  lockstep.teleport.backend_backup:
    instance: "{{ observed.instance }}"
    directory: /srv/backups/teleport
    keep: 10

- name: Take one that only the holder of a key can read
  lockstep.teleport.backend_backup:
    instance: "{{ observed.instance }}"
    encryption:
      method: age
      recipients:
        - age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg
"""

RETURN = r"""
path:
  description: Folder of the backup.
  returned: when a backup was taken
  type: str
  sample: /var/lib/teleport-backups/example.com/20261122T201500Z-17.7.20
manifest:
  description: What the backup holds, without secrets.
  returned: when not in check mode
  type: dict
serving:
  description: Whether the Auth Service was running.
  returned: success
  type: bool
bytes_needed:
  description: Free space that a backup needs.
  returned: success
  type: int
bytes_free:
  description: Free space where backups go.
  returned: success
  type: int
seconds:
  description: How long it took.
  returned: when not in check mode
  type: float
removed:
  description: Older backups that were removed.
  returned: when a backup was taken
  type: list
  elements: str
"""

import time
from typing import Any, Dict, List, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, backup_module, durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_resources import read_resources
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError


def run(host: Host, parameters: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Return the module's result."""
    spec = backup_module.spec_of(parameters, host, backup_module.version_now(host, parameters["instance"]))
    serving = backup_module.is_serving(host, parameters["instance"])
    before = [one.path for one in backup.list_backups(spec.directory, spec.cluster)]
    keeps = parameters["state"] == "present"
    needed, free = backup.space_needed(spec), durable.free_bytes(spec.home)
    result: Dict[str, Any] = {"serving": serving, "bytes_needed": needed, "bytes_free": free, "changed": keeps}
    cipher = backup_module.cipher_of(parameters, host)
    if check_mode:
        if cipher:
            cipher.tools()
        backup.check(spec, serving and keeps)
        return {**result, "diff": _diff(before, [*before, "(a new backup)"] if keeps else before)}
    began = time.monotonic()
    wanted = parameters["resources"] and serving
    extra = read_resources(host, parameters["instance"], spec.version) if wanted else {}
    if keeps:
        taken = backup.take_backup(spec, serving, extra=extra, cipher=cipher)
        result.update(path=taken.path, manifest=taken.manifest, removed=backup.prune_backups(spec, parameters["keep"]))
    else:
        result.update(manifest=backup.rehearse_backup(spec, serving, extra=extra, cipher=cipher))
    after = [one.path for one in backup.list_backups(spec.directory, spec.cluster)]
    return {**result, "seconds": round(time.monotonic() - began, 3), "diff": _diff(before, after)}


def _diff(before: List[str], after: List[str]) -> Dict[str, Any]:
    return {"before": {"backups": sorted(before)}, "after": {"backups": sorted(after)}}


def main() -> None:
    """Translate between Ansible and the backup."""
    module = AnsibleModule(
        argument_spec={
            **backup_module.ARGUMENTS,
            "state": {"type": "str", "choices": ["present", "rehearse"], "default": "present"},
            "keep": {"type": "int", "default": 5},
            "resources": {"type": "bool", "default": True},
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
