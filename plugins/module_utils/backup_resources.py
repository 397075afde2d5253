# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``tctl`` prints of a whole cluster, kept beside its backend: to read, and for a new start from nothing.

It is no way back. Real 4.1 to 8.3 print users, CAs and connectors only, neither roles nor tokens nor nodes, and a
``teleport start --bootstrap`` with it begins a new backend.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backup import RESOURCES_PART
from ansible_collections.lockstep.teleport.plugins.module_utils.cluster_query import tctl_of
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import TctlError, UnknownToTctl
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

#: The first version whose ``tctl get`` knows ``all`` (Teleport CHANGELOG 4.1, #2480).
_SINCE = Version.parse("4.1.0-0")

_SECONDS = 120.0


def read_resources(host: Host, instance: Mapping[str, Any], version: str) -> Dict[str, bytes]:
    """Return the file to keep with a backup, by name; nothing where this *version* of ``tctl`` cannot print it.

    The Auth Service has to serve. Raises :class:`BackupError` when it does not answer.
    """
    if not _knows_all(version):
        return {}
    try:
        tctl = tctl_of(host, instance, _SECONDS)
        # Secrets are printed without the option too up to 8.3; asked for by name they come from every version.
        printed = tctl.text(["get", "all", "--with-secrets"])
    except UnknownToTctl:
        return {}
    except TctlError as error:
        raise BackupError(
            f"{error} The backup is to hold what tctl prints; set teleport_backup_resources to false to do without."
        ) from error
    return {RESOURCES_PART: printed.encode()}


def _knows_all(version: str) -> bool:
    try:
        return Version.parse(version) >= _SINCE
    except VersionError:
        return False
