#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds a backup and reads it for the controller; the action plugin of the same name brings it there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_fetch
short_description: Bring a backup of a Teleport cluster to the controller
version_added: 0.1.0
description:
  - Compares every file of a backup with its manifest on the host, copies the backup to the controller, compares there
    again, and only then gives it its name. All of it is readable by its owner alone.
  - An attempt that is cut off leaves nothing that passes for a backup, and the next one goes on where it ended.
  - Encrypted backups are copied as they are, so neither the connection nor the controller sees what is in them.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.attributes.action
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  directory:
    description: Folder on the host that holds the backups of all clusters.
    type: path
    default: /var/lib/teleport-backups
  cluster:
    description: Name of the cluster. Required unless O(path) is given.
    type: str
  path:
    description: Folder of the backup. The newest one of the cluster below O(directory) by default.
    type: path
  version:
    description: With O(path) not given, the version of Teleport that the backup has to be of.
    type: str
  dest:
    description: Folder on the controller that receives the backups of all clusters. Required.
    type: path
  keep:
    description: Number of backups of the cluster to keep on the controller, the newest ones. V(0) keeps all.
    type: int
    default: 0
  piece:
    description: Part of the backup to read. The action plugin sets this.
    type: dict
    suboptions:
      path:
        description: File to read.
        type: path
        required: true
      offset:
        description: Where to begin, in bytes.
        type: int
        required: true
      size:
        description: How much to read, in bytes.
        type: int
        required: true
seealso:
  - module: lockstep.teleport.backend_backup
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Keep a copy of the newest backup on the controller
  lockstep.teleport.backend_fetch:
    cluster: example.com
    dest: /srv/teleport-backups
    keep: 10
"""

RETURN = r"""
path:
  description: Folder of the backup on the host.
  returned: success
  type: str
dest:
  description: Folder of the backup on the controller.
  returned: success
  type: str
  sample: /srv/teleport-backups/example.com/20261122T201500Z-17.7.20.age
manifest:
  description: What the backup holds, without secrets.
  returned: success
  type: dict
removed:
  description: Older backups that were removed on the controller.
  returned: success
  type: list
  elements: str
"""

import base64
import os
from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_manifest, backup_module
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_store import plainly


def run(parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the manifest of the backup that is meant, or a piece of one of its parts."""
    with plainly():
        if parameters["piece"]:
            return {"changed": False, "content": _piece(**parameters["piece"])}
        if not (parameters["path"] or parameters["cluster"]):
            raise BackupError("neither path nor cluster is given; name one of them.")
        path = backup_module.chosen_path(parameters).rstrip("/")
        manifest = backup_manifest.read(path, parameters["cluster"])
        backup_manifest.check_parts(path, manifest)
    return {"changed": False, "path": os.path.realpath(path), "manifest": manifest}


def _piece(path: str, offset: int, size: int) -> str:
    with open(path, "rb") as handle:
        handle.seek(offset)
        return base64.b64encode(handle.read(size)).decode()


def main() -> None:
    """Translate between Ansible and the backup."""
    piece = {
        "path": {"type": "path", "required": True},
        "offset": {"type": "int", "required": True},
        "size": {"type": "int", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            **backup_module.PLACE_ARGUMENTS,
            "cluster": {"type": "str"},
            "dest": {"type": "path"},
            "keep": {"type": "int", "default": 0},
            "piece": {"type": "dict", "options": piece},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params)
    except BackupError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()
