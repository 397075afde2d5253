# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as podman containers with systemd as PID 1: network, start, stop, commands inside."""

from __future__ import annotations

import json
import os
import resource
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import CompletedProcess

from .errors import LabError
from .settings import Settings
from .shell import run, tail, text

INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
# All hosts share one limit of the kernel, and every systemd takes several of them.
INOTIFY_WANTED = 8192
NOFILE_WANTED = 524288
STOP_SECONDS = "10"
REMOVE_ATTEMPTS = 3
SCRIPTS = Path(__file__).parent.parent / "onhost"


def check_machine() -> None:
    """Raise LabError when this machine cannot run a lab, saying what it lacks."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: hosts are real systems with their own network; run this with sudo")
    missing = [
        tool for tool in ("podman", "runc", "mmdebstrap", "ip", "iptables", "ssh-keygen", "openssl") if not _which(tool)
    ]
    if missing:
        raise LabError(f"not installed: {', '.join(missing)}; run `lab.py install`")


def _which(tool: str) -> bool:
    folders = [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/sbin"]
    return any(os.access(Path(folder or ".") / tool, os.X_OK) for folder in folders)


def containers_conf(nofile: int, processes: int) -> str:
    """podman's configuration for a lab, given the hard limits that a container may have.

    podman asks for more open files and processes than a restricted machine grants, and fails when it gets less.
    """
    return (
        "[engine]\n"
        'runtime = "runc"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
        "[containers]\n"
        f'default_ulimits = ["nofile={nofile}:{nofile}", "nproc={processes}:{processes}"]\n'
    )


def prepare(settings: Settings) -> dict[str, str]:
    """Write podman's configuration for this lab; returns the environment that makes podman use it.

    Raises LabError when the state directory holds anything else than a lab: it is removed with the lab.
    """
    settings.state.mkdir(parents=True, exist_ok=True)
    if not settings.containers_conf.exists() and any(settings.state.iterdir()):
        raise LabError(
            f"{settings.state}: holds files that are not a lab's; set LAB_STATE to a folder that is new or empty"
        )
    nofile = _within(resource.getrlimit(resource.RLIMIT_NOFILE)[1], NOFILE_WANTED)
    pid_max = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
    processes = _within(resource.getrlimit(resource.RLIMIT_NPROC)[1], pid_max)
    settings.containers_conf.write_text(containers_conf(nofile, processes), encoding="utf-8")
    if int(INOTIFY_INSTANCES.read_text(encoding="ascii")) < INOTIFY_WANTED:
        INOTIFY_INSTANCES.write_text(str(INOTIFY_WANTED), encoding="ascii")
    return podman_env(settings)


def podman_env(settings: Settings) -> dict[str, str]:
    return {"CONTAINERS_CONF": str(settings.containers_conf)}


def _within(limit: int, wanted: int) -> int:
    return wanted if limit == resource.RLIM_INFINITY else min(limit, wanted)


def candidate_subnets(name: str) -> Iterator[str]:
    """/24 networks for a lab, the same first choice for the same name, all within 10.231.0.0/16."""
    first = zlib.crc32(name.encode()) % 256
    for step in range(256):
        yield f"10.231.{(first + step) % 256}.0/24"


def create_network(settings: Settings) -> str:
    """A bridge of its own for this lab; returns its subnet. Raises LabError when podman cannot make one."""
    env = podman_env(settings)
    listed = json.loads(text(["podman", "network", "ls", "--format", "json"], env=env) or "[]")
    taken = {subnet.get("subnet") for network in listed for subnet in network.get("subnets") or []}
    choices = (
        [settings.subnet] if settings.subnet else [one for one in candidate_subnets(settings.name) if one not in taken]
    )
    problem = "all of 10.231.0.0/16 is taken by podman networks; run `lab.py down` in the other labs"
    for subnet in choices[:8]:
        done = run(
            ["podman", "network", "create", "--disable-dns", "--subnet", subnet, settings.network], env=env, check=False
        )
        if done.returncode == 0:
            return subnet
        problem = done.stderr.decode("utf-8", "replace").strip()
    raise LabError(f"network {settings.network}: podman cannot create a bridge: {problem}")


def start_host(settings: Settings, host: str, image: str, address: str, mounts: Sequence[str]) -> None:
    """Boot a host. ``mounts`` are podman's ``source:target:options``.

    The MAC is fixed because a restarted host with a new one is unreachable until neighbours forget the old one. Reboots
    from within need the restart policy. podman's own /var/log/journal is a small tmpfs that a reboot empties, hence the
    volume.
    """
    last = int(address.rsplit(".", 1)[1])
    third = int(address.split(".")[2])
    command = [
        "podman",
        "run",
        "--detach",
        "--name",
        settings.container(host),
        "--hostname",
        host,
        "--systemd=always",
        "--restart=always",
        "--pull=never",
        "--network",
        settings.network,
        "--ip",
        address,
        "--mac-address",
        f"02:4c:53:00:{third:02x}:{last:02x}",
        "--no-hosts",
        "--volume",
        "/var/log/journal",
    ]
    for mount in mounts:
        command += ["--volume", mount]
    run([*command, image], env=podman_env(settings))


def execute(
    settings: Settings,
    host: str,
    command: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float = 120.0,
    check: bool = True,
) -> CompletedProcess[bytes]:
    """Run a command on a host as root, past its network: it works on a host that is cut off as well.

    Raises LabError naming the host and the command when it fails (with ``check``) or takes longer than ``timeout`` s.
    """
    prefix = ["podman", "exec", "--interactive", settings.container(host)]
    label = f"{host}: {' '.join(command)}"
    return run([*prefix, *command], stdin=stdin, timeout=timeout, env=podman_env(settings), check=check, label=label)


def run_script(
    settings: Settings, host: str, name: str, arguments: Sequence[str], *, stdin: bytes = b"", timeout: float = 120.0
) -> None:
    """Run a script of ``onhost/`` on a host. Raises LabError naming both when it fails."""
    text_of_script = (SCRIPTS / name).read_text(encoding="utf-8")
    prefix = ["podman", "exec", "--interactive", settings.container(host), "sh", "-c", text_of_script, name]
    run([*prefix, *arguments], stdin=stdin, timeout=timeout, env=podman_env(settings), label=f"{host}: {name}")


def remove_all(settings: Settings) -> list[str]:
    """Remove every container and the network of this lab, in whatever state; returns the containers' names.

    podman gives up on a container that ends by itself while it is about to be killed, hence the attempts.
    Raises LabError when some are left after the last one.
    """
    env = podman_env(settings)
    names = containers(settings)
    left, problem = names, ""
    for _attempt in range(REMOVE_ATTEMPTS):
        if left:
            done = run(["podman", "rm", "--force", "--volumes", "--time", "0", *left], env=env, check=False)
            left, problem = containers(settings), tail(done.stderr)
    if left:
        raise LabError(f"cannot remove {', '.join(left)}: {problem}")
    run(["podman", "network", "rm", "--force", settings.network], env=env, check=False)
    return names


def containers(settings: Settings) -> list[str]:
    """Names of all containers of this lab, running or not."""
    prefix = settings.container("")
    listed = text(["podman", "ps", "--all", "--format", "{{.Names}}"], env=podman_env(settings))
    return sorted(name for name in listed.splitlines() if name.startswith(prefix))


def states(settings: Settings) -> dict[str, str]:
    """podman's word for the state of each host (running, exited, …)."""
    prefix = settings.container("")
    listed = text(["podman", "ps", "--all", "--format", "{{.Names}} {{.State}}"], env=podman_env(settings))
    pairs = (line.split(" ", 1) for line in listed.splitlines() if line.startswith(prefix))
    return {name[len(prefix) :]: state for name, state in pairs}
