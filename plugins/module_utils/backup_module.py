# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two backup modules share: from a module's options to a spec, and whether the unit serves."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ansible_collections.lockstep.teleport.plugins.module_utils import service
from ansible_collections.lockstep.teleport.plugins.module_utils.backup import BackupSpec, spec_from_instance
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

#: Unit states in which a process of the unit may be alive.
_ALIVE = ("active", "activating", "deactivating", "reloading")

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "instance": {"type": "dict", "required": True},
    "directory": {"type": "path", "default": "/var/backups/teleport"},
    "cluster": {"type": "str"},
}


def spec_of(parameters: Mapping[str, Any]) -> BackupSpec:
    """Return the spec that a module's options describe."""
    return spec_from_instance(parameters["instance"], parameters["directory"], parameters["cluster"])


def is_serving(host: Host, instance: Mapping[str, Any]) -> bool:
    """Return whether the instance's unit has, or may have, a process now. Asks systemd, not the observation."""
    name = (instance.get("unit") or {}).get("name")
    return bool(name) and service.show(host, str(name)).active_state in _ALIVE
