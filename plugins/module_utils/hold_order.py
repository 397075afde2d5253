# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holding and releasing an instance on request: observe, decide, do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    hold,
    installation,
    journal,
    liveness,
    process,
    service,
    shield,
)
from ansible_collections.lockstep.teleport.plugins.module_utils import order as orders
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError


@dataclass(frozen=True)
class HoldOrder:
    """What is asked for. *instance* is what ``instance_info`` returned; times are in seconds."""

    instance: Mapping[str, Any]
    held: bool
    start: bool = False
    stop_timeout: float = 330.0
    ready_timeout: float = 300.0
    stable_for: float = 5.0

    @property
    def unit(self) -> str:
        """Name of the unit."""
        return service.unit_name(str(self.instance["unit"]["name"]))

    @property
    def hold(self) -> hold.Hold:
        """What is held: the port counts only where an Auth Service runs."""
        is_auth = "auth" in self.instance["services"]
        return hold.Hold(self.unit, self.instance["config"].get("auth_listen_addr") if is_auth else None)


def order_from(parameters: Mapping[str, Any]) -> HoldOrder:
    """Turn the parameters of ``instance_hold`` into an order.

    :raises HostError: when the instance cannot be held.
    """
    instance = parameters["instance"]
    orders.check_instance(instance)
    if list(instance["services"]) == ["client"]:
        raise HostError("this host has client tools only; there is no instance to hold or to release.")
    times = {name: parameters[name] for name in ("stop_timeout", "ready_timeout", "stable_for")}
    return HoldOrder(instance, parameters["state"] == "held", parameters["start"], **times)


def apply(host: Host, order: HoldOrder, check_mode: bool) -> Dict[str, Any]:
    """Hold or release the instance.

    :raises HostError: when it is not proven to be down, or does not come up; ``details['begun']`` tells whether
        anything was touched.
    """
    unit = service.show(host, order.unit)
    if not unit.exists:
        raise HostError(f"there is no usable unit {order.unit} ({unit.load_state}); nothing was held or released.")
    if order.held and shield.is_inside(host, unit.control_group):
        raise HostError(
            f"this session runs inside {order.unit}: stopping it would cut the way to this host, and nobody could "
            "start it again. Nothing was stopped. Reach the host another way than through the Teleport on it."
        )
    missing = to_hold(host, order) if order.held else to_release(host, order, unit)
    if missing and not check_mode:
        _change(host, order)
    return {
        "changed": bool(missing),
        "held": hold.is_held(host, order.unit),
        "missing": missing,
        "unit": service.show(host, order.unit).facts(),
        "diff": _diff(order, unit, missing),
    }


def to_hold(host: Host, order: HoldOrder) -> List[str]:
    """What is missing from a hold."""
    return hold.shortcomings(host, order.hold)


def to_release(host: Host, order: HoldOrder, unit: service.Unit) -> List[str]:
    """What is missing from a release."""
    missing = [f"{hold.hold_file(host, order.unit)} is there"] if hold.is_held(host, order.unit) else []
    if order.start and not (unit.active_state == "active" and unit.main_pid):
        missing.append(f"the unit is {unit.active_state}")
    return missing


def _change(host: Host, order: HoldOrder) -> None:
    """Hold or release, with the lock of an upgrade: whoever observes waits for the end, should the controller die."""
    layout = _layout(order)
    installation.make_versions_dir(layout)
    with journal.alone(layout.versions_dir):
        try:
            if order.held:
                hold.enforce(host, order.hold, order.stop_timeout)
            else:
                _release(host, order)
        except (HostError, OSError) as problem:
            raise HostError(str(problem), begun=True) from problem


def _release(host: Host, order: HoldOrder) -> None:
    if hold.is_held(host, order.unit):
        hold.lift(host, order.unit)
    if order.start:
        goal = orders.goal(order.instance, _installed(host, order))
        liveness.start(host, goal, order.ready_timeout, order.stable_for)


def _installed(host: Host, order: HoldOrder) -> str:
    answer = process.ask_version(host, _layout(order).program())
    if answer.output is None:
        raise HostError(f"the installed version cannot be told: {answer.error}")
    return str(answer.output.release)


def _layout(order: HoldOrder) -> installation.Layout:
    versions_dir = order.instance.get("versions_dir") or orders.DEFAULT_VERSIONS_DIR
    return installation.Layout(str(versions_dir), str(order.instance["bin_dir"]))


def _diff(order: HoldOrder, unit: service.Unit, missing: List[str]) -> Dict[str, str]:
    before = f"state: {unit.active_state}\n"
    if not missing:
        return {"before": before, "after": before}
    wanted = "held, stopped" if order.held else "released, running" if order.start else "released"
    return {"before": before, "after": f"state: {wanted}\n"}
