# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of all modules that write or read encrypted backups."""

from __future__ import annotations


class ModuleDocFragment:
    """Must say what ``backup_module.ENCRYPTION_ARGUMENTS`` does."""

    DOCUMENTATION = r"""
options:
  encryption:
    description:
      - How backups are encrypted. Each file of a backup is encrypted by itself; the manifest, which holds no secret, is
        not, so that backups can be listed, checked for damage and thinned out without a private key.
      - The program has to be installed on the host.
    type: dict
    suboptions:
      method:
        description: Program that encrypts, C(age) or C(gpg).
        type: str
        choices: [age, gnupg]
        default: age
      recipients:
        description:
          - Who can read the backups. For V(age) C(age1…) or an SSH public key, for V(gnupg) the whole fingerprint of a
            key in the keyring.
        type: list
        elements: str
      identity_file:
        description: File on the host with the private key for V(age). Only needed where a backup is read.
        type: path
      home:
        description: Keyring of GnuPG. That of the user who runs the module by default.
        type: path
"""
