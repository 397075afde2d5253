# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of a run, read from where an inventory keeps them. Pure.

Plans are made on the controller, which is in no group of the inventory, while people keep their variables where their
hosts are: in the group ``teleport``. What belongs to the run is therefore taken from the hosts. The controller's own
variables, those of ``all`` and extra variables come before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

#: What roles read on the controller.
NAMES = (
    "teleport_allow_prerelease",
    "teleport_approved_digest",
    "teleport_approved_hop",
    "teleport_approved_plan_file",
    "teleport_auth_strategy",
    "teleport_batches",
    "teleport_clusters",
    "teleport_edition",
    "teleport_evidence_dir",
    "teleport_gate_patience",
    "teleport_hop_versions",
    "teleport_pause_after_stages",
    "teleport_pause_file",
    "teleport_plan_file",
    "teleport_proxy_batches",
    "teleport_releases",
    "teleport_report_file",
    "teleport_rollback_acknowledge",
    "teleport_rollback_backup",
    "teleport_rollback_cluster",
    "teleport_rollback_plan_file",
    "teleport_rollback_report_file",
    "teleport_rollback_version",
    "teleport_rotate_ca",
    "teleport_rotate_clusters",
    "teleport_rotate_grace_period",
    "teleport_rotate_min_age",
    "teleport_rotate_patience",
    "teleport_rotate_plan_file",
    "teleport_rotate_report_file",
    "teleport_rotate_settle",
    "teleport_rotate_types",
    "teleport_rotate_until",
    "teleport_target_version",
    "teleport_waivers",
)


class Difference(NamedTuple):
    """Two hosts that say different things of one run."""

    name: str
    first: str
    other: str


def taken(
    own: Mapping[str, Any], hosts: Iterable[tuple[str, Mapping[str, Any]]]
) -> tuple[dict[str, Any], list[Difference]]:
    """Return the variables that the controller lacks and the hosts have, and those for which hosts differ.

    *own* are the controller's variables, *hosts* the names and variables of the fleet. A host without a variable has no
    opinion. Of a difference only the first is told for each variable.
    """
    open_names = [name for name in NAMES if own.get(name) is None]
    found: dict[str, tuple[str, Any]] = {}
    differences: dict[str, Difference] = {}
    for host, variables in hosts:
        for name in open_names:
            value = variables.get(name)
            if value is None:
                continue
            first, known = found.setdefault(name, (host, value))
            if known != value:
                differences.setdefault(name, Difference(name, first, host))
    return {name: value for name, (_host, value) in found.items()}, list(differences.values())
