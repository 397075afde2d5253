#!/usr/bin/python
# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypts the backups of a cluster that still lie on a host in plain."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backend_seal
short_description: Encrypt the backups of a Teleport cluster that lie on a host
version_added: 0.1.0
description:
  - Encrypts every backup of the cluster that is not encrypted yet, reads the result back, and removes the plain one.
  - The backup that an upgrade takes stays plain until its hop is through, because going back needs it at once. This
    module comes after the gate.
  - Killed at any point, a second run finishes the work; until then the backup is there in one of its two forms.
extends_documentation_fragment:
  - lockstep.teleport.attributes
  - lockstep.teleport.attributes.linux
  - lockstep.teleport.backup_encryption
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  directory:
    description: Folder that holds the backups of all clusters of this host.
    type: path
    default: /var/lib/teleport-backups
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  encryption:
    required: true
seealso:
  - module: lockstep.teleport.backend_backup
author:
  - Lockstep maintainers (@lockstep)
"""

EXAMPLES = r"""
- name: Leave no backup in plain
  lockstep.teleport.backend_seal:
    cluster: example.com
    encryption:
      method: gnupg
      recipients:
        - 9F1C2A7B3D4E5F60718293A4B5C6D7E8F9012345
"""

RETURN = r"""
sealed:
  description: Folders of the backups that were encrypted.
  returned: success
  type: list
  elements: str
  sample: [/var/lib/teleport-backups/example.com/20261122T201500Z-17.7.20.age]
"""

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_module, backup_seal, backup_store
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import Cipher, encryption_of
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host


def run(host: Host, parameters: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Return the module's result."""
    cipher = Cipher(host, encryption_of(parameters["encryption"]))
    seal = backup_store.would_seal if check_mode else backup_store.seal_backups
    sealed = seal(parameters["directory"], parameters["cluster"], cipher)
    before = [backup_seal.plain_path(path) for path in sealed]
    diff = {"before": {"backups": before}, "after": {"backups": sealed}}
    return {"changed": bool(sealed), "sealed": sealed, "diff": diff}


def main() -> None:
    """Translate between Ansible and the sealing."""
    module = AnsibleModule(
        argument_spec={
            "directory": backup_module.PLACE_ARGUMENTS["directory"],
            "cluster": {"type": "str", "required": True},
            "encryption": {**backup_module.ENCRYPTION_ARGUMENTS["encryption"], "required": True},
        },
        supports_check_mode=True,
    )
    try:
        result = run(Host(), module.params, module.check_mode)
    except BackupError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()
