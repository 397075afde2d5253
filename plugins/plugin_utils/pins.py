# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For which versions the digests of artefacts are pinned (``teleport_artifact_checksums``). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact, installation
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY

#: How these are installed is checked by whoever signs the packages.
_OTHER_METHODS = (installation.PACKAGE, installation.MANAGED_UPDATES)
_IN_NAME_RE = re.compile(r"-v(.+)-linux-")


def pinned_versions(checksums: object, seen: Mapping[str, Any] | None) -> list[str] | None:
    """Return the versions that a host would find a usable digest for; None where it needs none.

    *checksums* are the pins that hold for the host, *seen* is what ``instance_info`` said of it.
    """
    if (
        not checksums
        or not isinstance(checksums, Mapping)
        or seen is None
        or seen.get("install_method") in _OTHER_METHODS
    ):
        return None
    edition, architecture = str(seen.get("edition") or COMMUNITY), str(seen.get("architecture"))
    versions = sorted({_version_of(str(key)) for key in checksums})
    return [version for version in versions if _is_pinned(checksums, version, edition, architecture)]


def _version_of(key: str) -> str:
    named = _IN_NAME_RE.search(key)
    return named.group(1) if named else key.removeprefix("v")


def _is_pinned(checksums: Mapping[str, Any], version: str, edition: str, architecture: str) -> bool:
    name = artifact.artifact_name(version, edition, architecture)
    try:
        return bool(artifact.pinned(checksums, name, version, architecture))
    except ValueError:
        return False
