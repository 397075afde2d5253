# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backend may use of the host it runs on, and what its user chose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Union

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Completed, Host

Command = Union[str, List[str]]

AUTO = "auto"
CLONE = "clone"
METHODS = (AUTO, CLONE)

DEFAULT_COMMAND_SECONDS = 3600.0

#: Options of modules that `choice_of` reads.
CHOICE_ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "method": {"type": "str", "choices": list(METHODS), "default": AUTO},
    "command": {"type": "raw"},
    "restore_command": {"type": "raw"},
    "verify_command": {"type": "raw"},
    "command_timeout": {"type": "float", "default": DEFAULT_COMMAND_SECONDS},
}


class Choice(NamedTuple):
    """How the user wants the backend saved. The commands are lists of arguments, or a line for the shell."""

    method: str = AUTO
    backup: Optional[Command] = None
    restore: Optional[Command] = None
    verify: Optional[Command] = None
    seconds: float = DEFAULT_COMMAND_SECONDS


#: What holds when the user chose nothing.
NO_CHOICE = Choice()


@dataclass(frozen=True)
class Means:
    """The host's commands, its ``teleport.yaml``, and the user's choice.

    ``config_path`` is where secrets are read, because facts hold none; ``places`` are the bytes at which some of its
    values begin. ``unit`` is the name of the instance's unit. ``program`` is Teleport's own program. ``scratch_table``
    allows a drill to make a table where that costs money.
    """

    host: Optional[Host] = None
    config_path: str = ""
    program: str = "teleport"
    cluster: str = ""
    version: str = ""
    choice: Choice = NO_CHOICE
    unit: str = ""
    places: Mapping[str, int] = field(default_factory=dict)
    scratch_table: bool = False

    def run(
        self,
        arguments: List[str],
        seconds: float,
        environment: Optional[Mapping[str, str]] = None,
        data: Optional[str] = None,
    ) -> Completed:
        """Run a command as it is written, with more *environment* and with *data* as its input."""
        if self.host is None:
            raise BackupError(f"{arguments[0]} cannot be run here: no host was given.")
        host = replace(self.host, environment={**self.host.environment, **(environment or {})})
        return host.run(arguments, seconds, data)


#: For backends that need nothing of the host.
NONE = Means()


def choice_of(options: Mapping[str, Any]) -> Choice:
    """Read the user's choice from the options of a module. Raises :class:`BackupError` for one that cannot work."""
    found = Choice(
        method=str(options.get("method") or AUTO),
        backup=_command(options, "command"),
        restore=_command(options, "restore_command"),
        verify=_command(options, "verify_command"),
        seconds=float(options.get("command_timeout") or DEFAULT_COMMAND_SECONDS),
    )
    if found.method not in METHODS:
        raise BackupError(f"the backup method is {found.method!r}; allowed are {', '.join(METHODS)}.")
    if (found.backup is None) != (found.restore is None):
        raise BackupError(
            "of teleport_backup_command and teleport_restore_command only one is set. A backup without a way to put it "
            "back is none: set both."
        )
    return found


def _command(options: Mapping[str, Any], name: str) -> Optional[Command]:
    value = options.get(name)
    if value is None or value in ("", []):
        return None
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        return [str(item) for item in value]
    raise BackupError(f"{name} is {value!r}; allowed are a list of arguments, or one line for the shell.")
