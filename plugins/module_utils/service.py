# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd unit: what systemd says about it, and asking systemd to change that.

No answer of ``systemctl start|stop|restart`` is taken for a proof: it returns 0 for a unit that dies a moment later,
and for one it had to kill (see `liveness` for the proofs).
"""

from __future__ import annotations

import os
import re
import shlex
from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.host import CANNOT_EXECUTE, NOT_FOUND, Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.timed_command import TIMED_OUT

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "MainPID",
    "NRestarts",
    "Result",
    "ExecMainStartTimestamp",
    "FragmentPath",
    "Type",
    "ControlGroup",
    "NeedDaemonReload",
    "ExecStart",
)

_EXEC_RE = re.compile(r"\{ path=(?P<path>.*?) ; argv\[\]=(?P<argv>.*?) ; ignore_errors=")
_UNIT_RE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@\\-]*\.service")
_LONGEST_UNIT_NAME = 255
#: Neither the digits of other scripts, which int() does not all read, nor more of them than it takes.
_NUMBER_RE = re.compile(r"[0-9]{1,18}")
_NOT_SYSTEMD = ("not been booted with systemd", "Failed to connect to bus", "Failed to get D-Bus connection")
# A line of /proc/PID/cgroup is "number:controllers:path"; systemd's own tree is the unified one or the one named so.
_CGROUP_FIELDS = 3
_SYSTEMD_TREES = ("", "name=systemd")
_ENABLED = ("enabled", "enabled-runtime", "alias", "generated")


class Unit(NamedTuple):
    """What ``systemctl show`` says of a unit, in systemd's own words. Numbers it does not know are 0 or None."""

    name: str
    load_state: str
    active_state: str
    sub_state: str
    unit_file_state: str
    main_pid: int
    n_restarts: Optional[int]
    result: str
    started_at: Optional[str]
    fragment_path: Optional[str]
    type: str
    control_group: str
    needs_reload: bool
    exec_path: Optional[str]
    arguments: List[str]

    @property
    def exists(self) -> bool:
        """Whether there is anything systemd could start."""
        return self.load_state == "loaded"

    @property
    def active(self) -> bool:
        """Whether systemd regards it as up, or is bringing it up or down."""
        return self.active_state not in ("inactive", "failed", "")

    @property
    def enabled(self) -> bool:
        """Whether the next boot starts it."""
        return self.unit_file_state in _ENABLED

    def facts(self) -> Dict[str, Any]:
        """The part that a result shows. The arguments are not in it: a join token may stand there."""
        hidden = ("control_group", "needs_reload", "exec_path", "arguments")
        return {name: value for name, value in self._asdict().items() if name not in hidden}


def unit_name(service: str) -> str:
    """Complete a service's name as systemctl does.

    :raises HostError: for what systemd allows in no name (systemd.unit(5)), or what systemctl would take for an option.
    """
    name = service if service.endswith(".service") else service + ".service"
    if len(name) > _LONGEST_UNIT_NAME or not _UNIT_RE.fullmatch(name):
        raise HostError(
            f"service {service[:_LONGEST_UNIT_NAME]!r} can name no unit; allowed are letters, digits and :_.@\\- "
            "after a letter or digit."
        )
    return name


def parse_unit(name: str, text: str) -> Unit:
    """Read the ``Key=value`` lines of ``systemctl show``. Keys that an old systemd does not print count as empty."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    execution = _EXEC_RE.search(found.get("ExecStart", ""))
    restarts = found.get("NRestarts", "")
    pid = found.get("MainPID", "")
    return Unit(
        name=name,
        load_state=found.get("LoadState", ""),
        active_state=found.get("ActiveState", ""),
        sub_state=found.get("SubState", ""),
        unit_file_state=found.get("UnitFileState", ""),
        main_pid=_number(pid) or 0,
        n_restarts=_number(restarts),
        result=found.get("Result", ""),
        started_at=found.get("ExecMainStartTimestamp") or None,
        fragment_path=found.get("FragmentPath") or None,
        type=found.get("Type", ""),
        control_group=found.get("ControlGroup", ""),
        needs_reload=found.get("NeedDaemonReload") == "yes",
        exec_path=execution.group("path") if execution else None,
        arguments=_split(execution.group("argv")) if execution else [],
    )


def _number(text: str) -> Optional[int]:
    return int(text) if _NUMBER_RE.fullmatch(text) else None


def _split(command_line: str) -> List[str]:
    try:
        return shlex.split(command_line)
    except ValueError:
        return command_line.split()


def show(host: Host, name: str) -> Unit:
    """Ask systemd about a unit.

    :raises HostError: when systemd does not answer; ``details['not_systemd']`` tells whether it is there at all.
    """
    done = host.run(["systemctl", "show", name, "--no-pager", "--property=" + ",".join(PROPERTIES)])
    if done.status == TIMED_OUT:
        raise HostError(f"systemctl show {name} did not answer in time; systemd of this host hangs", not_systemd=False)
    if done.status != 0:
        absent = done.status in (CANNOT_EXECUTE, NOT_FOUND) or any(sign in done.text for sign in _NOT_SYSTEMD)
        raise HostError(
            "systemctl show {} failed with status {}: {}".format(name, done.status, done.text or "no output"),
            not_systemd=absent,
        )
    return parse_unit(name, done.output)


def ask(host: Host, verb: str, name: str) -> None:
    """Have systemd queue a job (``start``, ``stop``); do not wait for it, and trust nothing it answers."""
    host.run(["systemctl", "--no-ask-password", "--no-block", verb, name], seconds=30)


def reset_failed(host: Host, name: str) -> None:
    """Make systemd forget failures and its start limit. Harmless for a unit that has not failed."""
    host.run(["systemctl", "reset-failed", name])


def daemon_reload(host: Host) -> None:
    """Have systemd read the unit files again.

    :raises HostError: when it cannot; going on would start the unit as it was before.
    """
    done = host.run(["systemctl", "daemon-reload"], seconds=90)
    if done.status != 0:
        raise HostError("systemctl daemon-reload failed: {}".format(done.text or "no output"))


def kill(host: Host, name: str) -> None:
    """Send SIGKILL to every process of the unit."""
    host.run(["systemctl", "kill", "--signal=SIGKILL", name])


def control_group_pids(host: Host, control_group: str) -> List[int]:
    """List the processes in a unit's control group, those in groups below it included.

    The processes are asked, not the control group's own files: where those are mounted differs between cgroup v1, v2,
    both at once, and containers, while a process names its group in the same words as systemd.
    """
    if not control_group:
        return []
    pids = [int(name) for name in os.listdir(host.proc) if name.isdigit()]
    return sorted(pid for pid in pids if is_member(host, str(pid), control_group))


def is_member(host: Host, process: str, control_group: str) -> bool:
    """Whether a process (its number, or ``self``) lies in a control group or below it."""
    groups = control_groups(host, process)
    return any(group == control_group or group.startswith(control_group + "/") for group in groups)


def control_groups(host: Host, process: str) -> List[str]:
    """Return the control groups of a process (its number, or ``self``) in systemd's own tree; none when it ended."""
    try:
        with open(os.path.join(host.proc, process, "cgroup"), encoding="utf-8", errors="replace") as source:
            entries = [line.rstrip("\n").split(":", 2) for line in source]
    except OSError:
        return []
    return [entry[2] for entry in entries if len(entry) == _CGROUP_FIELDS and entry[1] in _SYSTEMD_TREES]
