# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a lab after a run by what its hosts, clusters and witnesses say, never by what the run printed.

Fails, with every reason, unless each host runs the expected version from a unit that is neither held nor masked, each
cluster still has its users, trust is online, and no witness saw a rule broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "double"))

import witness
from labkit import podman
from labkit.errors import LabError
from labkit.record import Lab, load_lab
from labkit.records import USERS, first_auth, trusted
from labkit.settings import Settings, read_settings
from labkit.topology import Host

Excuse = Callable[[str, witness.Event], bool]

#: The first line that Teleport lets auth servers of the line before share a backend with.
FIRST_ROLLING = 17
WITNESS = "/var/log/teleport-witness.jsonl"
#: What runs (not what is installed), the state of the unit, and marks of unfinished work.
LOOK = (
    'pid=$(systemctl show teleport -P MainPID); [ "$pid" = 0 ] && echo stopped || /proc/$pid/exe version; '
    "systemctl show teleport -P UnitFileState; "
    "ls /etc/systemd/system/teleport.service.d/lockstep-hold.conf "
    "/opt/teleport-versions/.transaction* 2>/dev/null; true"
)


def main(argv: list[str]) -> int:
    """Judge; the exit status is 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="judge.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", required=True, help="what every host must run")
    parser.add_argument("--expect", action="append", default=[], metavar="HOST=X.Y.Z", help="what one host must run")
    parser.add_argument(
        "--migration-failed",
        action="store_true",
        help="a migration was made to fail: its damage is no fault when the records are back",
    )
    parser.add_argument(
        "--rolling",
        action="store_true",
        help=f"the auth group was rolled through: two lines on one backend are no fault from {FIRST_ROLLING} on",
    )
    arguments = parser.parse_args(argv)
    expected = dict(pair.split("=", 1) for pair in arguments.expect)
    settings = read_settings()
    try:
        lab = load_lab(settings)
        faults = [*_hosts(settings, lab, arguments.version, expected), *_clusters(settings, lab)]
        faults += _witnesses(settings, lab, _excuses(arguments))
    except LabError as error:
        faults = [str(error)]
    for fault in faults:
        print(f"judge: {fault}", file=sys.stderr)
    print(f"{len(faults)} faults")
    return 1 if faults else 0


def _hosts(settings: Settings, lab: Lab, version: str, expected: dict[str, str]) -> Iterator[str]:
    for host in lab.topology.hosts:
        if host.services:
            look = _service if host.runs_teleport else _tools
            yield from look(settings, host, expected.get(host.name, version))


def _service(settings: Settings, host: Host, version: str) -> Iterator[str]:
    lines = podman.execute(settings, host.name, ["sh", "-c", LOOK]).stdout.decode().splitlines()
    if f"v{version} " not in lines[0] + " ":
        yield f"{host.name} runs {lines[0]}, expected is {version}"
    if lines[1] != "enabled":
        yield f"{host.name}: its unit is {lines[1]}"
    yield from (f"{host.name}: {mark} was left behind" for mark in lines[2:])


def _tools(settings: Settings, host: Host, version: str) -> Iterator[str]:
    said = podman.execute(settings, host.name, ["tsh", "version"]).stdout.decode()
    if f"v{version} " not in said:
        yield f"{host.name} has {said.strip()}, expected is {version}"


def _clusters(settings: Settings, lab: Lab) -> Iterator[str]:
    for cluster in lab.topology.clusters.values():
        auth = first_auth(lab, cluster)
        users = podman.execute(settings, auth.name, ["timeout", "30", "tctl", "users", "ls"]).stdout.decode()
        yield from (f"{cluster.name}: user {user} is gone" for user in USERS if user not in users)
        if cluster.root and not trusted(settings, lab, cluster):
            yield f"{cluster.name}: its root {cluster.root} does not see it online"


def _excuses(arguments: argparse.Namespace) -> list[Excuse]:
    chosen = ((arguments.migration_failed, _is_made), (arguments.rolling, _is_rolled))
    return [excuse for is_given, excuse in chosen if is_given]


def _witnesses(settings: Settings, lab: Lab, excuses: list[Excuse]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for host in lab.topology.hosts:
            if host.runs_teleport:
                files.append(Path(folder) / f"{host.name}.jsonl")
                files[-1].write_bytes(podman.execute(settings, host.name, ["cat", WITNESS]).stdout)
        report = witness.judge(witness.read(files))
    for kind, events in report.violations.items():
        yield from (f"{kind}: {event}" for event in events if not any(excuse(kind, event) for excuse in excuses))


def _is_made(_kind: str, event: witness.Event) -> bool:
    return event.get("reason") == "failed migration"


def _is_rolled(kind: str, event: witness.Event) -> bool:
    return kind == "overlaps" and max(int(auth["version"].split(".")[0]) for auth in event["auths"]) >= FIRST_ROLLING


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
