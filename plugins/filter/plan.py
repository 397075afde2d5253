# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that plays take their hosts and batches from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import hosts_of, serial_sizes


def stage_hosts(plan: Any, index: Any, phase: Any) -> list[str]:
    """Return the hosts of a phase of a stage; see ``plan.hosts_of``."""
    return hosts_of(*_read(plan, index, phase))


def stage_serial(plan: Any, index: Any, phase: Any) -> list[int]:
    """Return the batch sizes of a phase of a stage; see ``plan.serial_sizes``."""
    return serial_sizes(*_read(plan, index, phase))


def _read(plan: Any, index: Any, phase: Any) -> tuple[Any, int, str]:
    try:
        number = int(index)
    except (TypeError, ValueError) as error:
        raise AnsibleFilterError(
            f"lockstep.teleport: the stage is {index!r}; allowed is its index, from 0 on"
        ) from error
    if phase not in ("auth", "proxy", "agent", "client"):
        raise AnsibleFilterError(
            f"lockstep.teleport: the phase is {phase!r}; allowed are auth, proxy, agent and client"
        )
    return plan, number, phase


class FilterModule:
    """Offers the filters to Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"stage_hosts": stage_hosts, "stage_serial": stage_serial}
