# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing harm to hosts, and undoing it: pulled cables, blocked peers, full disks, power cuts, reboots."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
    namespace = _network_namespaces(settings, [host])[host]
    if peer is None:
        run(["ip", "link", "set", _outer_names()[_peer_index(namespace)], "down"])
        return
    address = lab.address(peer)
    for chain, option in (("INPUT", "-s"), ("OUTPUT", "-d")):
        text([*_enter(namespace), "iptables", "-A", chain, option, address, "-j", "DROP"])


def heal(settings: Settings, host: str) -> None:
    """Undo every cut of a host."""
    heal_all(settings, [host])


def heal_all(settings: Settings, hosts: Sequence[str]) -> None:
    """Undo every cut of several hosts, which have to be running."""
    namespaces = _network_namespaces(settings, hosts)
    outer = _outer_names()
    for namespace in namespaces.values():
        text([*_enter(namespace), "iptables", "-F"])
        run(["ip", "link", "set", outer[_peer_index(namespace)], "up"])


def fill(settings: Settings, host: str, folder: str) -> None:
    """Put a disk of one MiB where a folder is, so that whoever writes there finds it full."""
    podman.execute(settings, host, ["mkdir", "-p", folder])
    # From outside: the hosts themselves may not mount.
    text([*_enter_mounts(settings, host), "mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", folder])


def seal(settings: Settings, host: str, folder: str) -> None:
    """Turn a folder of a host read-only, as a kernel does with a file system that it found damaged; it stays so."""
    podman.execute(settings, host, ["mkdir", "-p", folder])
    enter = _enter_mounts(settings, host)
    text([*enter, "mount", "--bind", folder, folder])
    text([*enter, "mount", "-o", "remount,bind,ro", folder])


def empty(settings: Settings, host: str, folder: str) -> None:
    """Take the disk of :func:`fill` away again."""
    text([*_enter_mounts(settings, host), "umount", folder])


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


def _network_namespaces(settings: Settings, hosts: Sequence[str]) -> dict[str, str]:
    """The path of each host's network namespace. Raises LabError for a host that is not running."""
    containers = [settings.container(host) for host in hosts]
    command = ["podman", "inspect", "--format", "{{.NetworkSettings.SandboxKey}}", *containers]
    # The lines of hosts that are off are empty, and the last ones would be lost with strip().
    paths = run(command, env=podman.podman_env(settings)).stdout.decode().split("\n")
    found = dict(zip(hosts, paths, strict=False))
    for host, path in found.items():
        if not path:
            raise LabError(f"{host}: is not running, so it has no network to cut or heal; run `lab.py start {host}`")
    return found


def _enter(namespace: str) -> list[str]:
    return ["nsenter", f"--net={namespace}"]


def _enter_mounts(settings: Settings, host: str) -> list[str]:
    inspect = ["podman", "inspect", "--format", "{{.State.Pid}}", settings.container(host)]
    return ["nsenter", f"--target={text(inspect, env=podman.podman_env(settings)).strip()}", "--mount"]


def _peer_index(namespace: str) -> int:
    """The number that this machine's end of a host's cable has among this machine's interfaces."""
    inner = _links(text([*_enter(namespace), "ip", "-j", "link", "show", INTERFACE]))
    return int(inner[0]["link_index"])


def _outer_names() -> dict[int, str]:
    return {int(link["ifindex"]): str(link["ifname"]) for link in _links(text(["ip", "-j", "link", "show"]))}


def _links(output: str) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = json.loads(output)
    return links
