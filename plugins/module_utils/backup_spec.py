# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose backup is meant: which Auth Service of which cluster, and where its backups lie on this host."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import NO_CHOICE, Choice, Means
from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import DEFAULT_DATA_DIR
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class BackupSpec:
    """Whose backup is meant, and where it lies.

    ``directory`` is the root of all backups on this host, ``cluster`` a name that can be a folder's. ``version`` and
    ``edition`` are those of the Teleport that wrote the data. ``storage`` is ``teleport.storage`` as
    :func:`~.backends.registry.open_backend` takes it. Backends that are saved by programs need ``host``; ``choice`` is
    how the user wants the backend saved, ``program`` Teleport's own.
    """

    directory: str
    cluster: str
    version: str
    edition: str
    storage: Mapping[str, Any]
    data_dir: str
    config_path: str
    unit_path: Optional[str] = None
    host: Optional[Host] = None
    choice: Choice = NO_CHOICE
    program: str = "teleport"

    @property
    def means(self) -> Means:
        """What the backend may use of this host."""
        return Means(
            self.host,
            self.config_path,
            self.program,
            self.cluster,
            self.version,
            self.choice,
            os.path.basename(self.unit_path or ""),
            self.storage.get("places") or {},
        )

    @property
    def home(self) -> str:
        """The folder that holds all backups of the cluster."""
        return os.path.join(self.directory, self.cluster)

    @property
    def proc(self) -> str:
        """The folder in which an Auth Service keeps its own identity and the last version it ran."""
        return os.path.join(self.data_dir, "proc")


def spec_from_instance(
    instance: Mapping[str, Any],
    directory: str,
    cluster: Optional[str] = None,
    version: Optional[str] = None,
    host: Optional[Host] = None,
    choice: Choice = NO_CHOICE,
) -> BackupSpec:
    """Build the spec from what ``instance_info`` returned. Raises :class:`BackupError` when something is missing.

    *version* is what wrote the data as far as is known now; an observation from before an upgrade names an older one.
    *host* runs the programs that some backends are saved by; *choice* is how the user wants the backend saved.
    """
    config = config_of(instance)
    name = cluster or instance.get("cluster") or config.get("cluster_name") or "main"
    check_cluster_name(str(name))
    if not os.path.isabs(directory):
        raise BackupError(f"backup directory {directory!r} is not an absolute path.")
    return BackupSpec(
        directory=directory,
        cluster=str(name),
        version=str(version or instance.get("running_version") or instance.get("version") or "unknown"),
        edition=str(instance.get("edition") or COMMUNITY),
        storage=config.get("storage") or {},
        data_dir=str(config.get("data_dir") or DEFAULT_DATA_DIR),
        config_path=str(config["path"]),
        unit_path=(instance.get("unit") or {}).get("fragment_path"),
        host=host,
        choice=choice,
        program=os.path.join(str(instance.get("bin_dir") or ""), "teleport"),
    )


def config_of(instance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what ``instance_info`` said of ``teleport.yaml``. Raises :class:`BackupError` for anything else."""
    config = instance.get("config")
    if not isinstance(config, dict) or not os.path.isabs(str(config.get("path") or "")):
        raise BackupError(
            "instance names no teleport.yaml; give what lockstep.teleport.instance_info returned as 'instance'."
        )
    return config


def check_cluster_name(name: str) -> None:
    """Raise :class:`BackupError` for the name of a cluster that cannot be a folder's."""
    if not _FILE_NAME.fullmatch(name):
        raise BackupError(f"cluster {name!r} cannot name a folder; allowed are letters, digits, '.', '_' and '-'.")
