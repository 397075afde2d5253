# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down about a lab that is up, and read again by every later command."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import LabError
from .settings import Settings
from .topology import Topology, parse_topology

FIRST_ADDRESS = 11


@dataclass(frozen=True)
class Lab:
    """A topology on a subnet: the address of each host, and the gateway (this machine as the hosts see it)."""

    topology: Topology
    subnet: str
    gateway: str
    addresses: dict[str, str]

    def address(self, host: str) -> str:
        """The address of a host. Raises LabError when the lab has no such host."""
        return self.addresses[self.topology.host(host).name]


def plan_lab(topology: Topology, subnet: str) -> Lab:
    """The addresses that the hosts of a topology get in a subnet, in the topology's order.

    Raises LabError when the subnet is too small or not one.
    """
    try:
        network = ipaddress.ip_network(subnet)
    except ValueError as error:
        raise LabError(f"subnet '{subnet}': {error}; allowed is an IPv4 network like 10.231.7.0/24") from error
    if network.version != 4 or network.num_addresses < FIRST_ADDRESS + len(topology.hosts) + 1:
        raise LabError(f"subnet '{subnet}': allowed is an IPv4 network with room for the hosts, like 10.231.7.0/24")
    base = network.network_address
    addresses = {host.name: str(base + FIRST_ADDRESS + index) for index, host in enumerate(topology.hosts)}
    return Lab(topology, subnet, str(base + 1), addresses)


def save_lab(settings: Settings, data: Mapping[str, Any], name: str, overrides: Sequence[str], subnet: str) -> None:
    """Remember what `up` was asked for."""
    record = {"name": name, "topology": data, "overrides": list(overrides), "subnet": subnet}
    settings.lab_file.parent.mkdir(parents=True, exist_ok=True)
    settings.lab_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def load_lab(settings: Settings) -> Lab:
    """The lab that is up. Raises LabError when there is none."""
    record = _read(settings.lab_file, settings.name)
    topology = parse_topology(record["name"], record["topology"], record["overrides"])
    return plan_lab(topology, record["subnet"])


def change_lab(settings: Settings, overrides: Sequence[str], knobs: Mapping[str, Any] | None) -> Lab:
    """Change what the next deployment of the running lab installs, where something is given; returns the lab then."""
    record = _read(settings.lab_file, settings.name)
    data = with_knobs(record["topology"], knobs)
    versions = overrides or record["overrides"]
    parse_topology(record["name"], data, versions)
    save_lab(settings, data, record["name"], versions, record["subnet"])
    return load_lab(settings)


def with_knobs(data: Mapping[str, Any], knobs: Mapping[str, Any] | None) -> dict[str, Any]:
    """A topology's data with its knobs replaced, unless there are none to replace them with."""
    return dict(data) if knobs is None else {**data, "knobs": dict(knobs)}


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LabError(f"lab '{name}' is not up (no {path}); run `lab.py up TOPOLOGY`") from error
    return record
