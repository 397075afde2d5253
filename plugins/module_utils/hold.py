# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping an instance stopped, whoever tries to start it, a reboot included.

A drop-in gives the unit a condition that can never be true, so systemd skips every start. Unlike a mask it works for
units in ``/etc``, and leaves no doubt whose it is.
"""

from __future__ import annotations

import contextlib
import os
from typing import List, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, liveness, readiness, service
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

_FILE = "lockstep-hold.conf"
_CONTENT = """# Made by lockstep.teleport while the cluster is upgraded: this instance must not run now.
# It is released by module instance_hold with state=released, or by removing this file and systemctl daemon-reload.
[Unit]
ConditionPathExists=!/
"""
#: Seconds for a port to be closed after its process has gone.
_PORT_CLOSES = 5.0


class Hold(NamedTuple):
    """What is held: the unit, and the address of its Auth Service, whose silence is part of the proof."""

    unit: str
    auth_address: Optional[str] = None


def hold_file(host: Host, unit: str) -> str:
    """Path of the drop-in that holds a unit."""
    return os.path.join(host.units, unit + ".d", _FILE)


def is_held(host: Host, unit: str) -> bool:
    """Whether the hold lies on this host."""
    return os.path.exists(hold_file(host, unit))


def put(host: Host, unit: str) -> None:
    """Forbid systemd every start of the unit, from now on and after a reboot."""
    path = hold_file(host, unit)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    durable.write_file(path, _CONTENT.encode())
    # systemd warns about unit files that others cannot read.
    os.chmod(path, 0o644)
    service.daemon_reload(host)


def lift(host: Host, unit: str) -> None:
    """Allow starts again. Starts nothing."""
    path = hold_file(host, unit)
    durable.sweep(f"{path}.part-")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(path))
    service.daemon_reload(host)


def shortcomings(host: Host, hold: Hold) -> List[str]:
    """Say what is missing from a hold: empty when the instance is held, down and silent."""
    found = []
    if not is_held(host, hold.unit):
        found.append(f"{hold_file(host, hold.unit)} is missing")
    unit = service.show(host, hold.unit)
    if unit.active or unit.main_pid:
        found.append("the unit is {} with main process {}".format(unit.active_state, unit.main_pid or "none"))
    left = service.control_group_pids(host, unit.control_group)
    if left:
        found.append("processes are left in its control group: {}".format(", ".join(map(str, left))))
    if hold.auth_address and readiness.accepts(hold.auth_address, readiness.AUTH_PORT):
        found.append(f"something still accepts connections on {hold.auth_address}")
    return found


def enforce(host: Host, hold: Hold, stop_timeout: float) -> None:
    """Hold and stop an instance, and prove it. The hold comes first, so that nothing can start it again in between.

    :raises HostError: when the instance is not proven to be down. The hold stays then: an instance that is down by
        accident does less harm than a second Auth Service on a migrated backend.
    """
    if not is_held(host, hold.unit):
        put(host, hold.unit)
    liveness.stop(host, hold.unit, stop_timeout)
    missing: List[str] = []

    def is_silent() -> bool:
        missing[:] = shortcomings(host, hold)
        return not missing

    if not host.wait_until(is_silent, _PORT_CLOSES):
        raise HostError(
            "{} was stopped and is held, but is not proven to be down: {}. Find what runs there outside the unit, "
            "end it, and run again.".format(hold.unit, "; ".join(missing))
        )
