# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the hosts of a lab up and down, without anything of Teleport on them."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from . import identities, podman
from .errors import LabError
from .image import Images, ensure_images
from .inventory import ansible_cfg, control_path_dir, environment, inventory
from .parallel import on_each
from .record import Lab, plan_lab
from .settings import Settings
from .shell import run
from .topology import Host, Topology
from .waiting import wait_until

BOOT_SECONDS = 120.0
BANNER = b"SSH-"


def check_free(settings: Settings) -> None:
    """Raise LabError when this machine cannot run a lab, or runs one of this name already."""
    podman.check_machine()
    podman.prepare(settings)
    if podman.containers(settings):
        raise LabError(f"lab '{settings.name}' has hosts already; run `lab.py down` first or choose another LAB_NAME")


def boot(settings: Settings, topology: Topology) -> Lab:
    """Create network, keys and hosts; returns when systemd of every host is up and its sshd answers.

    Raises LabError when a host does not come up in two minutes; what was created till then is left to tear_down.
    """
    env = podman.prepare(settings)
    built = ensure_images(settings, env)
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    lab = plan_lab(topology, podman.create_network(settings))
    identities.ssh_identities(settings.state, lab.addresses)
    on_each(lambda host: _start(settings, lab, host, built), topology.hosts, workers=3)
    on_each(lambda host: wait_booted(settings, lab, host.name), topology.hosts, workers=16)
    hosts_file = _hosts_file(lab).encode()
    on_each(
        lambda host: podman.execute(settings, host.name, ["sh", "-c", "cat > /etc/hosts"], stdin=hosts_file),
        topology.hosts,
    )
    return lab


def write_ansible_files(settings: Settings, lab: Lab, artifact_url: str) -> None:
    """Write inventories, ansible.cfg and env.sh for the lab into its state directory."""
    files = {
        "inventory.yml": inventory(lab, settings, "root", artifact_url),
        "inventory-sudo.yml": inventory(lab, settings, "ops", artifact_url),
        "ansible.cfg": ansible_cfg(settings.state),
        "env.sh": environment(settings.state, artifact_url),
    }
    Path(control_path_dir(settings.name)).mkdir(mode=0o700, exist_ok=True)
    for name, content in files.items():
        (settings.state / name).write_text(content, encoding="utf-8")


def tear_down(settings: Settings) -> list[str]:
    """Remove hosts, network, ssh's open connections and all files of this lab; returns the removed containers."""
    podman.prepare(settings)
    removed = podman.remove_all(settings)
    controls = Path(control_path_dir(settings.name))
    if controls.is_dir():
        for control in controls.iterdir():
            run(["ssh", "-o", f"ControlPath={control}", "-O", "exit", "none"], check=False, timeout=10)
        shutil.rmtree(controls, ignore_errors=True)
    shutil.rmtree(settings.state, ignore_errors=True)
    return removed


def wait_booted(settings: Settings, lab: Lab, host: str) -> None:
    """Return when sshd of a host answers and its systemd has started everything.

    Raises LabError naming the units that failed, or the time that was waited.
    """
    wait_until(lambda: answers_ssh(lab.address(host)), BOOT_SECONDS, f"{host}: sshd at {lab.address(host)}")
    state = podman.execute(
        settings, host, ["systemctl", "is-system-running", "--wait"], check=False, timeout=BOOT_SECONDS
    )
    if state.stdout.strip() != b"running":
        failed = podman.execute(settings, host, ["systemctl", "--no-pager", "--failed", "--no-legend"], check=False)
        raise LabError(
            f"{host}: systemd is '{state.stdout.decode().strip()}', not 'running': {failed.stdout.decode().strip()}"
        )


def answers_ssh(address: str) -> bool:
    """Whether an ssh server shows its banner there; an open port may be a gateway answering for a host that is gone."""
    try:
        with socket.create_connection((address, 22), timeout=1.0) as connection:
            connection.settimeout(2.0)
            return connection.recv(len(BANNER)) == BANNER
    except OSError:
        return False


def _start(settings: Settings, lab: Lab, host: Host, built: Images) -> None:
    mounts = [f"{settings.state / 'hosts' / host.name}:/etc/lab:ro", f"{settings.artifacts}:/srv/artifacts:ro"]
    podman.start_host(settings, host.name, built.reference(lab.topology.image(host)), lab.address(host.name), mounts)


def _hosts_file(lab: Lab) -> str:
    lines = ["127.0.0.1 localhost"]
    lines += [f"{address} {host}" for host, address in lab.addresses.items()]
    return "\n".join(lines) + "\n"
