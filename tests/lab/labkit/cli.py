# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the lab."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import artifacts, faults, hosts, moto, podman
from .deploy import deploy, reset
from .digest import compare, digest_hosts
from .errors import LabError
from .image import ensure_images
from .locking import only_one
from .record import Lab, change_lab, load_lab, save_lab, with_knobs
from .settings import Settings, read_settings
from .shell import run
from .topology import parse_topology, read_topology

MACHINE_PACKAGES = (
    "podman",
    "runc",
    "netavark",
    "iptables",
    "mmdebstrap",
    "openssh-client",
    "openssl",
    "iproute2",
    "util-linux",
    # The double is compiled.
    "gcc",
    "libpython3-dev",
    "python3-yaml",
)


# One process at a time may do these to a lab.
EXCLUSIVE = ("up", "deploy", "reset", "down")


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the exit status. Problems go to stderr as one message."""
    arguments = _parser().parse_args(argv)
    try:
        settings = read_settings()
        if arguments.command in EXCLUSIVE:
            with only_one(settings.lock, f"lab '{settings.name}'"):
                return COMMANDS[arguments.command](settings, arguments)
        return COMMANDS[arguments.command](settings, arguments)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab.py", description="Real hosts for tests; see tests/lab/README.md")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="install what this machine needs (apt)")
    commands.add_parser("image", help="make the hosts' images, or load them from the cache")
    up = commands.add_parser("up", help="boot the hosts of a topology and deploy Teleport on them")
    up.add_argument("topology", help="a name below topologies/ or a path to a .json file")
    up.add_argument("--bare", action="store_true", help="hosts only, nothing on them")
    for name, text in (("deploy", "deploy Teleport on the bare hosts"), ("reset", "wipe the hosts and deploy afresh")):
        commands.add_parser(name, help=text)
    for name in ("up", "deploy", "reset"):
        commands.choices[name].add_argument(
            "--version",
            action="append",
            default=[],
            metavar="[HOST=|CLUSTER=]X.Y.Z",
            help="instead of the topology's versions",
        )
        commands.choices[name].add_argument("--knobs", type=_json_object, help="settings of the double, a JSON object")
    commands.add_parser("down", help="remove everything the lab started")
    commands.add_parser("status", help="the hosts, their addresses and Teleport's state on them")
    execute = commands.add_parser("exec", help="run a command on a host, past its network")
    execute.add_argument("host")
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD")
    cut = commands.add_parser("cut", help="pull a host's network cable, or block one peer only")
    cut.add_argument("host")
    cut.add_argument("peer", nargs="?")
    for name, text in (
        ("heal", "undo all cuts of a host"),
        ("kill", "cut a host's power"),
        ("start", "switch a host on"),
        ("reboot", "shut a host down and start it again"),
    ):
        commands.add_parser(name, help=text).add_argument("host")
    for name, words in (
        ("fill", "let a folder of a host be a full disk"),
        ("seal", "let a folder of a host be read-only until the lab is removed"),
        ("empty", "undo a fill"),
    ):
        disk = commands.add_parser(name, help=words)
        disk.add_argument("host")
        disk.add_argument("folder")
    digest = commands.add_parser(
        "snapshot-digest", help="JSON of all files and unit states that must not change in check mode"
    )
    digest.add_argument("hosts", nargs="*", metavar="HOST")
    digest.add_argument("--out", type=Path, help="file to write instead of stdout")
    diff = commands.add_parser("digest-diff", help="differences of two digests; status 1 when there are any")
    diff.add_argument("before", type=Path)
    diff.add_argument("after", type=Path)
    return parser


def _json_object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError(f"a {type(found).__name__}, not an object")
    return found


def _install(_settings: Settings, _arguments: argparse.Namespace) -> int:
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    if os.geteuid() != 0:
        raise LabError("install needs root; run it with sudo")
    run(["apt-get", "update"], env=env, timeout=300)
    run(["apt-get", "install", "-y", "--no-install-recommends", *MACHINE_PACKAGES], env=env, timeout=600)
    return 0


def _image(settings: Settings, _arguments: argparse.Namespace) -> int:
    podman.check_machine()
    built = ensure_images(settings, podman.prepare(settings))
    print(f"{built.base}\n{built.services}")
    return 0


def _up(settings: Settings, arguments: argparse.Namespace) -> int:
    data = with_knobs(read_topology(arguments.topology), arguments.knobs)
    name = Path(arguments.topology).stem
    topology = parse_topology(name, data, arguments.version)
    hosts.check_free(settings)
    started = time.monotonic()
    try:
        lab = hosts.boot(settings, topology)
    except LabError:
        hosts.tear_down(settings)
        raise
    save_lab(settings, data, name, arguments.version, lab.subnet)
    hosts.write_ansible_files(settings, lab, artifacts.serve(settings, lab.gateway))
    seconds = time.monotonic() - started
    print(f"lab '{settings.name}': {len(lab.addresses)} hosts up in {seconds:.1f} s, state in {settings.state}")
    return 0 if arguments.bare else _deploy_on(settings, lab)


def _deploy(settings: Settings, arguments: argparse.Namespace) -> int:
    return _deploy_on(settings, change_lab(settings, arguments.version, arguments.knobs))


def _deploy_on(settings: Settings, lab: Lab) -> int:
    started = time.monotonic()
    deploy(settings, lab)
    print(f"deployed and ready in {time.monotonic() - started:.1f} s")
    return 0


def _reset(settings: Settings, arguments: argparse.Namespace) -> int:
    lab = change_lab(settings, arguments.version, arguments.knobs)
    started = time.monotonic()
    reset(settings, lab)
    print(f"reset and ready in {time.monotonic() - started:.1f} s")
    return 0


def _down(settings: Settings, _arguments: argparse.Namespace) -> int:
    artifacts.stop_serving(settings)
    moto.stop(settings)
    removed = hosts.tear_down(settings)
    print(f"lab '{settings.name}': {len(removed)} hosts removed")
    return 0


def _status(settings: Settings, _arguments: argparse.Namespace) -> int:
    lab = load_lab(settings)
    states = podman.states(settings)
    for host in lab.topology.hosts:
        state = states.get(host.name, "gone")
        unit = _unit_state(settings, host.name) if state.startswith("Up") and host.runs_teleport else "-"
        runs = "+".join(host.services or host.extras)
        print(f"{host.name:12} {lab.address(host.name):15} {host.cluster or '-':16} {runs:18} {unit:10} {state}")
    return 0


def _unit_state(settings: Settings, host: str) -> str:
    return podman.execute(settings, host, ["systemctl", "is-active", "teleport"], check=False).stdout.decode().strip()


def _exec(settings: Settings, arguments: argparse.Namespace) -> int:
    load_lab(settings).topology.host(arguments.host)
    command = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not command:
        raise LabError("exec: no command given; write `lab.py exec HOST -- CMD ARG…`")
    prefix = ["podman", "exec", "--interactive", settings.container(arguments.host)]
    return subprocess.run(
        [*prefix, *command], env={**os.environ, **podman.podman_env(settings)}, check=False
    ).returncode


def _fault(settings: Settings, arguments: argparse.Namespace) -> int:
    lab = load_lab(settings)
    host = lab.topology.host(arguments.host).name
    match arguments.command:
        case "cut":
            faults.cut(settings, lab, host, arguments.peer)
        case "heal":
            faults.heal(settings, host)
        case "kill":
            faults.kill(settings, host)
        case "start":
            faults.start(settings, lab, host)
        case "reboot":
            faults.reboot(settings, lab, host)
        case "fill":
            faults.fill(settings, host, arguments.folder)
        case "seal":
            faults.seal(settings, host, arguments.folder)
        case "empty":
            faults.empty(settings, host, arguments.folder)
        case other:
            raise LabError(f"unknown fault '{other}'")
    return 0


def _digest(settings: Settings, arguments: argparse.Namespace) -> int:
    lab = load_lab(settings)
    names = [lab.topology.host(name).name for name in arguments.hosts] or list(lab.addresses)
    content = json.dumps(digest_hosts(settings, names), indent=1, sort_keys=True) + "\n"
    if arguments.out:
        arguments.out.write_text(content, encoding="utf-8")
    else:
        sys.stdout.write(content)
    return 0


def _digest_diff(_settings: Settings, arguments: argparse.Namespace) -> int:
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (arguments.before, arguments.after))
    differences = compare(before, after)
    for line in differences:
        print(line)
    return 1 if differences else 0


COMMANDS = {
    "install": _install,
    "image": _image,
    "up": _up,
    "deploy": _deploy,
    "reset": _reset,
    "down": _down,
    "status": _status,
    "exec": _exec,
    "cut": _fault,
    "heal": _fault,
    "kill": _fault,
    "start": _fault,
    "reboot": _fault,
    "fill": _fault,
    "seal": _fault,
    "empty": _fault,
    "snapshot-digest": _digest,
    "digest-diff": _digest_diff,
}
