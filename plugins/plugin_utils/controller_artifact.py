# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release tarballs that lie on the controller: which one a host needs, and whether it is the real one.

*arguments* are those of a task: ``artifact_url``, ``instance``, ``version``, ``edition``, ``checksum``, ``checksums``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact, durable, installation
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY, Version, VersionError

_URL_RE = re.compile(r"[a-z][a-z0-9+.-]*://")
_FILE_SCHEME = "file://"
#: It becomes part of a file name on the controller, and a host said it.
_ARCHITECTURE_RE = re.compile(r"[a-z0-9_]{1,32}")


def path_of(arguments: Mapping[str, Any], unless_kept: bool = False) -> str:
    """Return where the artefact lies; empty when hosts fetch it themselves, or the module will complain.

    *unless_kept* returns nothing for a version that the host was observed to have. Raises ``ValueError`` for an
    instance that nobody observed.
    """
    base = str(arguments.get("artifact_url") or "")
    instance = arguments.get("instance")
    if not base or not isinstance(instance, Mapping) or instance.get("install_method") == installation.PACKAGE:
        return ""
    if base.startswith(_FILE_SCHEME):
        base = base[len(_FILE_SCHEME) :]
    elif _URL_RE.match(base):
        return ""
    edition = str(arguments.get("edition") or instance.get("edition") or COMMUNITY)
    try:
        version = str(Version.parse(arguments.get("version")))
    except VersionError:
        return ""
    architecture = str(instance.get("architecture"))
    if not _ARCHITECTURE_RE.fullmatch(architecture):
        raise ValueError("instance.architecture is not what instance_info returns; nothing was installed.")
    name = artifact.artifact_name(version, edition, architecture)
    folder = installation.folder_name(version, edition)
    if unless_kept and folder in (instance.get("kept_versions") or []):
        return ""
    return os.path.join(os.path.expanduser(base), name)


def describe(path: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``artifact_size`` (bytes) and ``checksum`` (SHA-256 in hex) of an artefact, which is not read.

    Raises ``ValueError`` when it, or its checksum, is missing or unusable.
    """
    if not os.path.isfile(path):
        raise ValueError(f"{path}: there is no such file on the controller. Put the artefact there.")
    return {"artifact_size": os.path.getsize(path), "checksum": _checksum(path, arguments)}


def verified(path: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `describe` does once the artefact was read. Raises ``ValueError`` also for one that is another."""
    described = describe(path, arguments)
    found = durable.hash_file(path).sha256
    if found != described["checksum"].lower():
        raise ValueError(f"{path}: the SHA-256 is {found}, wanted is {described['checksum']}.")
    return described


def _checksum(path: str, arguments: Mapping[str, Any]) -> str:
    if arguments.get("checksum"):
        return str(arguments["checksum"])
    name = os.path.basename(path)
    pinned = _pinned(name, arguments)
    if pinned:
        return pinned
    advice = "Put the artefact's checksum there, or set checksum."
    try:
        with open(path + ".sha256", encoding="utf-8", errors="replace") as source:
            return artifact.parse_checksum(source.read(4096), name)
    except OSError as problem:
        raise ValueError(f"{path}.sha256: {problem.strerror}. {advice}") from None
    except ValueError as problem:
        raise ValueError(f"{path}.sha256: {problem}. {advice}") from None


def _pinned(name: str, arguments: Mapping[str, Any]) -> str:
    version = str(Version.parse(arguments.get("version")))
    try:
        return artifact.pinned(
            arguments.get("checksums") or {}, name, version, str(arguments["instance"].get("architecture"))
        )
    except ValueError as problem:
        raise ValueError(f"{problem}. Nothing was installed.") from None
