# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealed backups: the same parts, each encrypted, and a manifest that lists both what was saved and what lies there.

The manifest itself stays readable, so that backups can be listed, chosen, checked for damage and thinned out where no
private key is. It holds no secret.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_manifest, durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, Part, written_part
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import SUFFIXES, Cipher


def is_sealed(manifest: Mapping[str, Any]) -> bool:
    """Return whether the parts of a backup are encrypted."""
    return bool(manifest.get("sealed"))


def seal(folder: str, manifest: Mapping[str, Any], target: str, cipher: Cipher) -> Dict[str, Any]:
    """Encrypt the verified backup in *folder* into the new folder *target* and return the new manifest.

    What was written is on disk and was read back when this returns. Raises :class:`BackupError`.
    """
    tools = cipher.tools()
    durable.private_folder(target)
    stored: List[Part] = []
    for part in backup_manifest.parts(manifest).values():
        name = part.name + cipher.encryption.suffix
        place = os.path.join(target, name)
        durable.private_folder(os.path.dirname(place))
        cipher.encrypt(os.path.join(folder, part.name), place)
        stored.append(written_part(target, name, part.name))
    sealed = {
        "method": cipher.encryption.method,
        "recipients": list(cipher.encryption.recipients),
        "parts": [part.as_dict() for part in stored],
    }
    document = {**manifest, "tools": {**manifest["tools"], **tools}, "sealed": sealed}
    written_manifest = backup_manifest.write(target, document)
    durable.sync_tree(target)
    backup_manifest.check_parts(target, written_manifest)
    return written_manifest


def unseal(folder: str, manifest: Mapping[str, Any], target: str, cipher: Optional[Cipher]) -> Dict[str, Any]:
    """Decrypt the sealed backup in *folder* into the new private folder *target*, as the backup it was made from.

    Returns its manifest; nothing has been compared with it yet. Raises :class:`BackupError`.
    """
    method = manifest["sealed"]["method"]
    if cipher is None or cipher.encryption.method != method:
        raise BackupError(
            f"{folder}: is encrypted with {method} for {', '.join(manifest['sealed']['recipients'])}. Set "
            f"teleport_backup_encryption with that method, and for age the identity_file of one of them."
        )
    durable.private_folder(target)
    for part in backup_manifest.stored_parts(manifest).values():
        place = os.path.join(target, part.source)
        durable.private_folder(os.path.dirname(place))
        cipher.decrypt(os.path.join(folder, part.name), place)
    return backup_manifest.write(target, {key: value for key, value in manifest.items() if key != "sealed"})


def sealed_path(path: str, cipher: Cipher) -> str:
    """Return where the sealed form of the backup in *path* lies."""
    return path + cipher.encryption.suffix


def plain_path(path: str) -> str:
    """Return where the backup was, or would be, before it was sealed into *path*."""
    return next((path[: -len(suffix)] for suffix in SUFFIXES.values() if path.endswith(suffix)), path)
