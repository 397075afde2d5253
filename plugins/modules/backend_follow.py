#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points an Auth Service at the table that its cluster was restored to."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_follow
short_description: Point a Teleport Auth Service at the table its cluster was restored to
version_added: 0.1.0
description:
  - A DynamoDB backup is restored into another table, so C(storage.table_name) has to change in C(teleport.yaml) of
    every Auth Service of the cluster before any of them starts. M(lockstep.teleport.backend_restore) and
    M(lockstep.teleport.instance_upgrade) change the file on the host they run on, and this module does on the others.
  - Of all tables that the Auth Services of a cluster name, the one restored last counts. A run that was interrupted
    between two hosts is finished by the next.
  - Only the name is replaced. Every other byte, owner, mode and attributes of the file stay.
  - Refuses to change the file of an Auth Service that runs, and tables that have nothing to do with each other.
  - Does nothing where the backend is not DynamoDB.
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
    description: The Auth Service, as M(lockstep.teleport.instance_info) returned it.
    type: dict
    required: true
  tables:
    description: The tables that the other Auth Services of the cluster use.
    type: list
    elements: str
    required: true
seealso:
  - module: lockstep.teleport.backend_restore
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Put the backup back on the first Auth Service
  lockstep.teleport.backend_restore:
    instance: "{{ observed.instance }}"
  register: restored
  when: inventory_hostname == groups.auth[0]

- name: Use the restored table on all of them
  lockstep.teleport.backend_follow:
    instance: "{{ observed.instance }}"
    tables: ["{{ hostvars[groups.auth[0]].restored.config_change.new }}"]
  when: hostvars[groups.auth[0]].restored.config_change
"""

RETURN = r"""
table:
  description: The table in use. Null where the backend is not DynamoDB.
  returned: success
  type: str
config_change:
  description: What was changed in C(teleport.yaml), with C(key), C(old) and C(new). Null when nothing was.
  returned: success
  type: dict
"""

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_module, backup_spec, config_place
from ansible_collections.lockstep.teleport.plugins.module_utils.backends import dynamodb, dynamodb_names
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, ConfigChange
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

_KEY = "table_name"


def run(host: Host, parameters: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Return the module's result."""
    config = backup_spec.config_of(parameters["instance"])
    storage, path = config.get("storage") or {}, str(config["path"])
    if storage.get("type") != dynamodb.DynamoBackend.kind:
        return {"changed": False, "table": None, "config_change": None}
    place = config_place.place_of(path, storage, _KEY)
    change = ConfigChange(_KEY, config_place.read(place), "")
    change = change._replace(new=dynamodb_names.agreed_table([change.old, *parameters["tables"]]))
    changed = change.new != change.old
    if changed and backup_module.is_serving(host, parameters["instance"]):
        raise BackupError(
            f"{path}: this Auth Service runs on {change.old}, others of its cluster on {change.new}: the cluster is "
            "split. Stop this one, then run again."
        )
    if changed and not check_mode:
        config_place.replace(place, change.old, change.new)
    return {
        "changed": changed,
        "table": change.new,
        "config_change": change.as_dict() if changed else None,
        "diff": config_place.diff(path, change.old, change.new, _KEY),
    }


def main() -> None:
    """Translate between Ansible and the file."""
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "dict", "required": True},
            "tables": {"type": "list", "elements": "str", "required": True},
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
