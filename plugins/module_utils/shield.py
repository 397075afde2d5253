# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Getting to the end even when the connection that started the work is lost.

When Ansible reaches a host through the Teleport it restarts, its session lies in the unit's control group and dies with
it. So the work moves into a scope of its own first, and signals of a dying session are ignored.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import service
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE)
#: What ``systemd-run --scope`` calls, for a process that runs already (systemd's D-Bus interface, StartTransientUnit).
_START_SCOPE = (
    "busctl",
    "call",
    "org.freedesktop.systemd1",
    "/org/freedesktop/systemd1",
    "org.freedesktop.systemd1.Manager",
    "StartTransientUnit",
    "ssa(sv)a(sa(sv))",
)


def ignore_signals() -> None:
    """Let nothing but SIGKILL end this process. Programs that it starts get the usual behaviour back."""
    for number in _SIGNALS:
        # A handler and not SIG_IGN: what is ignored stays ignored in programs started from here.
        signal.signal(number, _ignore)


def _ignore(_number: int, _frame: Any) -> None:
    """Do nothing."""


def is_inside(host: Host, control_group: str) -> bool:
    """Whether this process dies when a unit with this control group is stopped."""
    return bool(control_group) and service.is_member(host, "self", control_group)


def leave(host: Host, unit: str, always: bool = False) -> bool:
    """Move this process out of the unit's control group, if it lies there; say whether it was moved.

    :param always: move it wherever it lies: into whatever a session dies with.
    :raises HostError: when systemd does not do it; stopping the unit would kill this process half-way.
    """
    group = service.show(host, unit).control_group
    pid = str(os.getpid())
    own = f"lockstep-upgrade-{pid}-"
    if not is_inside(host, group) and (not always or _has_scope(host, own)):
        return False
    name = f"{own}{int(host.wall())}.scope"
    done = host.run([*_START_SCOPE, name, "fail", "1", "PIDs", "au", "1", pid, "0"])
    if done.status != 0 or not host.wait_until(lambda: _has_scope(host, own), 5):
        raise HostError(
            f"this session ends with {unit}, so restarting it would end the upgrade half-way, and systemd did not "
            f"give it a scope of its own: {done.text[:300] or 'no output'}. Nothing was stopped. Reach the host "
            "another way."
        )
    return True


def _has_scope(host: Host, prefix: str) -> bool:
    return any(os.path.basename(group).startswith(prefix) for group in service.control_groups(host, "self"))
