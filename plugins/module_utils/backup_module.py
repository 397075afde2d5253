# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules about backups share: from options to a spec, and what of the observation is asked anew."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import installation, process, service
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import (
    CHOICE_ARGUMENTS,
    choice_of,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import (
    AGE,
    SUFFIXES,
    Cipher,
    encryption_of,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_spec import (
    BackupSpec,
    check_cluster_name,
    spec_from_instance,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_store import newest_backup
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

#: Unit states in which a process of the unit may be alive.
_ALIVE = ("active", "activating", "deactivating", "reloading")

#: Where the roles have backups, too.
_DIRECTORY: Dict[str, Any] = {"type": "path", "default": "/var/lib/teleport-backups"}

ENCRYPTION_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "encryption": {
        "type": "dict",
        "options": {
            "method": {"type": "str", "choices": list(SUFFIXES), "default": AGE},
            "recipients": {"type": "list", "elements": "str"},
            "identity_file": {"type": "path"},
            "home": {"type": "path"},
        },
    },
}

#: Which backup is meant, for modules that need no Auth Service.
PLACE_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "directory": _DIRECTORY,
    "cluster": {"type": "str", "required": True},
    "path": {"type": "path"},
    "version": {"type": "str"},
}

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "instance": {"type": "dict", "required": True},
    "directory": _DIRECTORY,
    "cluster": {"type": "str"},
    **CHOICE_ARGUMENTS,
    **ENCRYPTION_ARGUMENTS,
}


def spec_of(parameters: Mapping[str, Any], host: Host, version: Optional[str] = None) -> BackupSpec:
    """Return the spec that a module's options describe; *version* is what wrote the data, where that matters."""
    return spec_from_instance(
        parameters["instance"],
        parameters["directory"],
        parameters["cluster"],
        version,
        host,
        choice_of(parameters),
    )


def cipher_of(parameters: Mapping[str, Any], host: Host) -> Optional[Cipher]:
    """Return what encrypts and decrypts, None when backups are plain."""
    options = parameters.get("encryption")
    return Cipher(host, encryption_of(options)) if options else None


def is_serving(host: Host, instance: Mapping[str, Any]) -> bool:
    """Return whether the instance's unit has, or may have, a process now. Asks systemd, not the observation."""
    name = (instance.get("unit") or {}).get("name")
    return bool(name) and service.show(host, str(name)).active_state in _ALIVE


def home_of(parameters: Mapping[str, Any]) -> str:
    """Return the folder that holds all backups of ``cluster``. Raises :class:`BackupError` for a name that cannot."""
    check_cluster_name(str(parameters["cluster"]))
    return os.path.join(str(parameters["directory"]), str(parameters["cluster"]))


def chosen_path(parameters: Mapping[str, Any]) -> str:
    """Return the folder that ``path`` names, else the newest backup of ``cluster``, of ``version`` when given."""
    if parameters["path"]:
        return str(parameters["path"])
    return newest_backup(parameters["directory"], parameters["cluster"], parameters["version"])


def version_now(host: Host, instance: Mapping[str, Any]) -> str:
    """Return the version that runs now, else the one that is installed. Asks the program, not the observation.

    An observation made before an upgrade names the version before it, and the version decides where the data lie:
    before 4.0 in other files, before 4.3 under other keys of etcd. Raises :class:`BackupError` when it cannot be told.
    """
    name = (instance.get("unit") or {}).get("name")
    pid = service.show(host, str(name)).main_pid if name else 0
    layout = installation.Layout(str(instance.get("versions_dir") or ""), str(instance.get("bin_dir") or ""))
    path = process.executable_link(host, pid) if pid else layout.program()
    answer = process.ask_version(host, path)
    if answer.output is None:
        raise BackupError(
            f"the version that wrote the data cannot be told: {answer.error}. A backup is of no use without it; put "
            "Teleport back in place, or name the right bin_dir."
        )
    return str(answer.output.release)
