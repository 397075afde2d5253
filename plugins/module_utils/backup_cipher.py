# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypting and decrypting files with ``age`` or GnuPG, by their own programs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import CANNOT_EXECUTE, NOT_FOUND, Host

AGE = "age"
GNUPG = "gnupg"

#: What the name of an encrypted file, and of a backup made of them, ends with.
SUFFIXES = {AGE: ".age", GNUPG: ".gpg"}
_PROGRAMS = {AGE: "age", GNUPG: "gpg"}

# Both programs encrypt some hundred megabytes a second; a disk that is this slow has other troubles.
_SECONDS = 4 * 3600.0
_SHOWN = 300

#: ``age1…`` of age itself, and the two kinds of SSH keys it takes (https://age-encryption.org/v1).
_AGE_RECIPIENT = re.compile(r"age1[0-9a-z]{20,}|(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/=]+( .*)?")
#: A fingerprint. Shorter key ids can be forged, and names are not unique in a keyring.
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")


@dataclass(frozen=True)
class Encryption:
    """How backups are encrypted: the program, and who can read them.

    ``identity_file`` (age) is a file on the host with the private key, needed to read a backup only. ``home`` is the
    keyring of GnuPG, root's own by default.
    """

    method: str
    recipients: Tuple[str, ...] = ()
    identity_file: str = ""
    home: str = ""

    @property
    def suffix(self) -> str:
        """What names of encrypted files end with."""
        return SUFFIXES[self.method]


def encryption_of(options: Mapping[str, Any]) -> Encryption:
    """Read the option ``encryption`` of a module. Raises :class:`BackupError` for what cannot work."""
    method = str(options.get("method") or AGE)
    if method not in SUFFIXES:
        raise BackupError(f"encryption.method is {method!r}; allowed are {', '.join(SUFFIXES)}.")
    recipients = tuple(str(recipient).strip() for recipient in options.get("recipients") or [])
    pattern, what = (
        (_AGE_RECIPIENT, "'age1…' or an SSH public key") if method == AGE else (_FINGERPRINT, "a whole fingerprint")
    )
    bad = next((recipient for recipient in recipients if not pattern.fullmatch(recipient)), None)
    if bad is not None:
        raise BackupError(f"encryption.recipients holds {bad!r}; for {method} allowed is {what}.")
    return Encryption(method, recipients, str(options.get("identity_file") or ""), str(options.get("home") or ""))


class Cipher:
    """Turns files into encrypted files and back."""

    def __init__(self, host: Host, encryption: Encryption) -> None:
        """Take the host whose programs are used."""
        self._host = host
        self.encryption = encryption

    def encrypt(self, source: str, target: str) -> None:
        """Write *source* encrypted to *target*. Raises :class:`BackupError`."""
        if not self.encryption.recipients:
            raise BackupError("encryption.recipients is empty; name those who may read the backups.")
        if self.encryption.method == AGE:
            options = [word for recipient in self.encryption.recipients for word in ("--recipient", recipient)]
            command = ["age", "--encrypt", *options, "--output", target, source]
        else:
            # The user named the keys by fingerprint, so the web of trust has nothing to add.
            options = [word for recipient in self.encryption.recipients for word in ("--recipient", recipient)]
            command = [*self._gpg(), "--trust-model", "always", *options, "--output", target, "--encrypt", source]
        self._run(command, f"{source}: cannot be encrypted")
        os.chmod(target, durable.PRIVATE_FILE)

    def decrypt(self, source: str, target: str) -> None:
        """Write the content of the encrypted *source* to *target*. Raises :class:`BackupError`."""
        if self.encryption.method == AGE:
            if not self.encryption.identity_file:
                raise BackupError(
                    f"{source}: is encrypted with age. Set encryption.identity_file to the private key on this host."
                )
            command = ["age", "--decrypt", "--identity", self.encryption.identity_file, "--output", target, source]
        else:
            command = [*self._gpg(), "--output", target, "--decrypt", source]
        self._run(command, f"{source}: cannot be decrypted")
        os.chmod(target, durable.PRIVATE_FILE)

    def tools(self) -> Dict[str, str]:
        """Return the version of the program. Raises :class:`BackupError` when it is not there."""
        program = _PROGRAMS[self.encryption.method]
        found = self._run([program, "--version"], "backups cannot be encrypted")
        match = re.search(r"\d+(\.\d+)+", found)
        return {program: match.group() if match else found.strip()[:_SHOWN]}

    def _gpg(self) -> List[str]:
        home = ["--homedir", self.encryption.home] if self.encryption.home else []
        return ["gpg", *home, "--batch", "--no-tty", "--quiet"]

    def _run(self, command: List[str], what: str) -> str:
        done = self._host.run(command, _SECONDS)
        if done.status == 0:
            return done.output
        said = done.text[:_SHOWN].replace("\n", " ") or f"{command[0]} ended with status {done.status}"
        if done.status in (CANNOT_EXECUTE, NOT_FOUND):
            said = f"{command[0]} is not installed ({said})"
        raise BackupError(f"{what}: {said}. Check the package {command[0]}, its keys and teleport_backup_encryption.")
