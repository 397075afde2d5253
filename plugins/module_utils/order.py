# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade of one instance is asked for, checked before anything is looked at."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    artifact,
    installation,
    liveness,
    release,
    service,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.means import choice_of
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_spec import BackupSpec, spec_from_instance
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.upgrade_decision import Wish
from ansible_collections.lockstep.teleport.plugins.module_utils.version import (
    COMMUNITY,
    ENTERPRISE,
    FIPS,
    Version,
    VersionError,
)

DEFAULT_VERSIONS_DIR = "/opt/teleport-versions"

_SHA256_RE = re.compile(r"[0-9a-fA-F]{64}")
_ARCHITECTURE_RE = re.compile(r"[a-z0-9_]{1,32}")
_SERVICES = frozenset(("auth", "proxy", "agent", "client"))
_NEEDED = ("services", "unit", "config", "architecture", "bin_dir")


@dataclass(frozen=True)
class Order:
    """What is asked for. *instance* is what ``instance_info`` returned; times are in seconds.

    :param backup: ``directory``, and optionally ``cluster`` and ``keep``; None for no backup.
    :param stop_on_failure: leave the instance stopped when the new version does not run.
    :param allow_downgrade: the wanted version may be older than what is there.
    :param config_edit: ``before``, ``after`` and ``lines`` of the plan's change of the configuration, or None.
    :param detached: the session that asks ends with the instance, even if that does not show.
    """

    instance: Mapping[str, Any]
    release: release.Release
    layout: installation.Layout
    keep: int = 2
    expect_version: Optional[str] = None
    ready_timeout: float = 300.0
    stable_for: float = 5.0
    stop_timeout: float = 330.0
    backup: Optional[Mapping[str, Any]] = None
    stop_on_failure: bool = False
    allow_downgrade: bool = False
    detached: bool = False
    config_edit: Optional[Mapping[str, Any]] = None

    @property
    def client(self) -> bool:
        """Whether there are only client tools."""
        return list(self.instance["services"]) == ["client"]

    @property
    def unit(self) -> str:
        """Name of the unit."""
        return service.unit_name(str(self.instance["unit"]["name"]))

    @property
    def config(self) -> Mapping[str, Any]:
        """The instance's configuration, as far as it is known."""
        found: Mapping[str, Any] = self.instance["config"]
        return found

    @property
    def wish(self) -> Wish:
        """The part that decides."""
        return Wish(self.release.version, self.release.folder, self.client, self.expect_version, self.allow_downgrade)

    def goal(self, version: str) -> liveness.Goal:
        """What runs when the instance is at *version*."""
        return goal(self.instance, version)

    def backup_spec(self, version: str, host: Host) -> BackupSpec:
        """Whose backup is taken, and where. *version* wrote the data; *instance* may be from before an earlier hop.

        :raises BackupError: when what is asked for cannot work.
        """
        wanted = self.backup or {}
        return spec_from_instance(
            self.instance, str(wanted.get("directory")), wanted.get("cluster"), version, host, choice_of(wanted)
        )


def goal(instance: Mapping[str, Any], version: str) -> liveness.Goal:
    """What runs when an instance is at *version*."""
    config = instance["config"]
    return liveness.Goal(
        unit=service.unit_name(str(instance["unit"]["name"])),
        version=version,
        diag_addr=config.get("diag_addr"),
        data_dir=config.get("data_dir"),
        listeners=_listeners(instance),
        web=config.get("proxy_web_addr") if "proxy" in instance["services"] else None,
    )


def _listeners(instance: Mapping[str, Any]) -> Tuple[str, ...]:
    """Addresses that have to accept connections once an instance is up."""
    config, services = instance["config"], instance["services"]
    pairs = (("auth", "auth_listen_addr"), ("proxy", "proxy_web_addr"))
    return tuple(str(config[key]) for name, key in pairs if name in services and config.get(key))


def from_parameters(parameters: Mapping[str, Any]) -> Order:
    """Turn the parameters of ``instance_upgrade`` into an order.

    :raises HostError: when one of them cannot be used.
    """
    instance = parameters["instance"]
    check_instance(instance)
    layout = installation.Layout(
        parameters["versions_dir"] or instance.get("versions_dir") or DEFAULT_VERSIONS_DIR, str(instance["bin_dir"])
    )
    return Order(
        instance=instance,
        release=_release(parameters, instance),
        layout=layout,
        expect_version=parameters["expect_version"],
        backup=parameters["backup"],
        stop_on_failure=parameters["on_failure"] == "stop",
        allow_downgrade=bool(parameters.get("allow_downgrade")),
        detached=parameters["detached"],
        config_edit=_config_edit(parameters.get("config_edit")),
        **_numbers(parameters),
    )


def check_instance(instance: Mapping[str, Any]) -> None:
    """Refuse what is no result of ``instance_info``.

    :raises HostError: when something is missing.
    """
    missing = [key for key in _NEEDED if not instance.get(key)]
    if missing:
        raise HostError(
            f"instance lacks {', '.join(missing)}; give it what lockstep.teleport.instance_info returned as 'instance'."
        )
    wrong = next((name for name, is_right in _shape(instance) if not is_right), "")
    if wrong:
        raise HostError(
            f"instance.{wrong} is not what lockstep.teleport.instance_info returns; give its 'instance' as it is."
        )
    service.unit_name(instance["unit"]["name"])


def _shape(instance: Mapping[str, Any]) -> Tuple[Tuple[str, bool], ...]:
    """Name what root is going to use of an instance, and whether it can be used: it came by way of other people."""
    unit, config, services = instance["unit"], instance["config"], instance["services"]
    path = config.get("path") or "/" if isinstance(config, dict) else ""
    return (
        ("unit.name", isinstance(unit, dict) and isinstance(unit.get("name"), str)),
        ("config.path", isinstance(path, str) and os.path.isabs(path)),
        ("services", isinstance(services, list) and set(map(str, services)) <= _SERVICES),
        ("architecture", _ARCHITECTURE_RE.fullmatch(str(instance["architecture"])) is not None),
        ("bin_dir", os.path.isabs(str(instance["bin_dir"]))),
        ("edition", instance.get("edition") in (None, COMMUNITY, ENTERPRISE, FIPS)),
    )


def _release(parameters: Mapping[str, Any], instance: Mapping[str, Any]) -> release.Release:
    try:
        version = str(Version.parse(parameters["version"]))
    except VersionError as problem:
        raise HostError(f"version: {problem}") from None
    checksum = parameters["checksum"] or ""
    if checksum and not _SHA256_RE.fullmatch(checksum):
        raise HostError(f"checksum {checksum!r} is no SHA-256; allowed are 64 hexadecimal digits.")
    url, nearer = parameters["artifact_url"], parameters.get("tarball_url") or ""
    if nearer and not artifact.is_url(nearer):
        raise HostError(f"tarball_url {nearer!r} is no http(s) URL.")
    edition = parameters["edition"] or instance.get("edition") or COMMUNITY
    architecture = str(instance["architecture"])
    unpinned = ""
    try:
        name = artifact.artifact_name(version, edition, architecture)
        checksum = checksum or artifact.pinned(parameters.get("checksums") or {}, name, version, architecture)
    except ValueError as problem:
        unpinned = str(problem)
    return release.Release(
        version=version,
        edition=edition,
        architecture=architecture,
        unpinned=unpinned,
        base_url=url if artifact.is_url(url) else "",
        tarball_url=nearer,
        file=parameters["artifact_file"] or "",
        file_size=parameters["artifact_size"],
        checksum=checksum,
    )


def _config_edit(planned: Any) -> Optional[Mapping[str, Any]]:
    if not planned:
        return None
    if not all(_SHA256_RE.fullmatch(str(planned.get(key))) for key in ("before", "after")):
        raise HostError(
            "config_edit is not what stands in a plan (config_edits of a stage); before or after is missing."
        )
    return dict(planned)


def _numbers(parameters: Mapping[str, Any]) -> Dict[str, Any]:
    found = {name: parameters[name] for name in ("keep", "ready_timeout", "stable_for", "stop_timeout")}
    negative = [name for name, value in found.items() if value < 0]
    if negative:
        raise HostError(f"{', '.join(negative)} must not be negative.")
    return found
