# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a backend is saved and put back, for the modules that do either."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the options of a user's choice."""

    DOCUMENTATION = r"""
options:
  method:
    description:
      - With V(auto) the collection saves the backend by the means that fit its kind.
      - With V(clone) it runs C(teleport backend clone) into a SQLite file and back, where the installed version has it.
    type: str
    choices: [auto, clone]
    default: auto
  command:
    description:
      - The user's own command that saves the backend, for kinds that the collection cannot save, or instead of its way.
        Needs O(restore_command) too.
      - A list is run as it is, without a shell. A string is run by C(/bin/sh -c).
      - It runs on the host of the Auth Service, as the user of the module, with these environment variables.
        C(LOCKSTEP_ACTION) is V(backup), or V(preserve) when the state found before a restore is to be kept as evidence.
        C(LOCKSTEP_FOLDER) is an empty folder to write to. C(LOCKSTEP_CLUSTER), C(LOCKSTEP_VERSION),
        C(LOCKSTEP_STORAGE_TYPE) and C(LOCKSTEP_CONFIG), the path of C(teleport.yaml), say what is saved.
        C(LOCKSTEP_SERVING) is V(yes) while Auth Services may write, else V(no).
      - Its files, and what it prints to standard output, become parts of the backup. It has failed when it does not
        exit with 0 in time, or when it leaves neither files nor output.
    type: raw
  restore_command:
    description:
      - The user's own command that makes the backend what O(command) saved, run in the same way with
        C(LOCKSTEP_ACTION=restore). C(LOCKSTEP_FOLDER) holds what was saved, with the output in C(output.txt), and must
        not be changed. It must be able to finish its work when it was killed and is run again.
    type: raw
  verify_command:
    description:
      - The user's own command that exits with 0 when what O(command) saved is sound, run in the same way with
        C(LOCKSTEP_ACTION=verify) after a backup and before a restore.
    type: raw
  command_timeout:
    description: Seconds each of the user's commands may take.
    type: float
    default: 3600
"""
