# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing harm to hosts, and undoing it: pulled cables, blocked peers, power cuts, reboots."""

from __future__ import annotations

import json
from typing import Any

from . import podman
from .errors import LabError
from .hosts import wait_booted
from .record import Lab
from .settings import Settings
from .shell import run, text

INTERFACE = "eth0"


def cut(settings: Settings, lab: Lab, host: str, peer: str | None) -> None:
    """Take a host off the network (as if its cable were pulled), or make it deaf to one peer and mute towards it.

    Everybody else, Ansible included, still reaches a host that is cut off from a peer only.
    """
    if peer is None:
        run(["ip", "link", "set", _outer_interface(settings, host), "down"])
        return
    address = lab.address(peer)
    for chain, option in (("INPUT", "-s"), ("OUTPUT", "-d")):
        _in_network_of(settings, host, ["iptables", "-A", chain, option, address, "-j", "DROP"])


def heal(settings: Settings, host: str) -> None:
    """Undo every cut of a host."""
    run(["ip", "link", "set", _outer_interface(settings, host), "up"])
    _in_network_of(settings, host, ["iptables", "-F"])


def kill(settings: Settings, host: str) -> None:
    """Cut a host's power: every process dies at once, the disk stays as it is."""
    run(["podman", "kill", "--signal", "KILL", settings.container(host)], env=podman.podman_env(settings))


def start(settings: Settings, lab: Lab, host: str) -> None:
    """Switch a host on; returns when it has booted."""
    run(["podman", "start", settings.container(host)], env=podman.podman_env(settings))
    wait_booted(settings, lab, host)


def reboot(settings: Settings, lab: Lab, host: str) -> None:
    """Shut a host down in order and start it again; returns when it has booted."""
    command = ["podman", "stop", "--time", podman.STOP_SECONDS, settings.container(host)]
    run(command, env=podman.podman_env(settings))
    start(settings, lab, host)


def _in_network_of(settings: Settings, host: str, command: list[str]) -> str:
    return text(["nsenter", f"--net={_network_namespace(settings, host)}", *command])


def _network_namespace(settings: Settings, host: str) -> str:
    form = "{{.NetworkSettings.SandboxKey}}"
    path = text(["podman", "inspect", "--format", form, settings.container(host)], env=podman.podman_env(settings))
    if not path:
        raise LabError(f"{host}: is not running, so it has no network to cut or heal; run `lab.py start {host}`")
    return path


def _outer_interface(settings: Settings, host: str) -> str:
    """This machine's end of a host's cable."""
    inner = _links(_in_network_of(settings, host, ["ip", "-j", "link", "show", INTERFACE]))
    peer = inner[0]["link_index"]
    for link in _links(text(["ip", "-j", "link", "show"])):
        if link["ifindex"] == peer:
            return str(link["ifname"])
    raise LabError(f"{host}: no interface with index {peer} on this machine")


def _links(output: str) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = json.loads(output)
    return links
