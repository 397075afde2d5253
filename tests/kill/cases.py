# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dies where: the rows of the matrix. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

#: ansible-playbook and all it runs is killed when a task starts.
TASK = "controller killed"
#: ansible-playbook is killed while a module is at a point; the module goes on alone.
ORPHAN = "controller killed inside"
#: The module's process is killed at a point.
DIE = "module killed"
#: The host loses its power at a point, and has it back at once.
POWER = "power cut"
#: The host loses its power at a point, and has it back when the run has ended.
OFF = "power off"

_HARDEST_FIRST = (OFF, POWER, ORPHAN, TASK, DIE)

Points = Iterable[tuple[str, tuple[str, ...]]]

_VERSIONS = "instance_upgrade: rename /opt/teleport-versions"
_CURRENT = f"{_VERSIONS}/current"
_NOTE = f"{_VERSIONS}/.transaction.json"
_DONE = "instance_upgrade: remove /opt/teleport-versions/.transaction.json #1"
_STOP = "instance_upgrade: systemctl stop #1"
_START = "instance_upgrade: systemctl start #1"
_BACKUPS = "instance_upgrade: rename /var/lib/teleport-backups/main.example"
_SAVING = f"{_BACKUPS}/.partial-*-16.5.12/manifest.json #1"
_SAVED = f"{_BACKUPS}/*-16.5.12 #1"
_LOCKED = "cluster_lock: rename /var/lib/lockstep-teleport/main.example-92ce9d37.json #1"
_HOLD = "/etc/systemd/system/teleport.service.d"

#: Points that only the auth server that migrates comes through, or at which it has most to lose, in their order.
PRIMARY = (
    (_LOCKED, (DIE, POWER)),
    ("backend_backup: rename /var/lib/teleport-backups/main.example/.partial-*-16.5.12/etcd.jsonl #1", (DIE, POWER)),
    (f"{_VERSIONS}/16.5.12 #1", (DIE,)),
    ("instance_upgrade: rename /usr/local/bin/teleport #1", (DIE,)),
    (f"{_VERSIONS}/17.7.20 #1", (POWER,)),
    (f"{_NOTE} #1", (POWER,)),
    (_STOP, (DIE, ORPHAN)),
    (f"{_NOTE} #2", (POWER,)),
    (_SAVING, (POWER, OFF)),
    (_SAVED, (DIE,)),
    (f"{_NOTE} #3", (POWER,)),
    (f"{_CURRENT} #2", (DIE,)),
    (_START, (DIE, POWER, ORPHAN)),
    ("instance_upgrade: symlink /opt/teleport-versions/previous.lockstep-* #1", (POWER,)),
    (_DONE, (POWER,)),
    (f"{_VERSIONS}/.result.json #1", (POWER,)),
)
#: The same of its peers.
PEER = (
    (f"instance_hold: rename {_HOLD}/lockstep-hold.conf #1", (POWER,)),
    ("instance_hold: systemctl daemon-reload #1", (DIE,)),
    ("instance_hold: systemctl stop #1", (DIE, POWER, ORPHAN, OFF)),
    (f"{_CURRENT} #2", (POWER,)),
    (f"instance_upgrade: remove {_HOLD}/lockstep-hold.conf #1", (DIE, POWER)),
    (_START, (POWER,)),
)
#: Of the others a few: a proxy or an agent is upgraded as an auth server is, and holds no data.
OTHERS = {
    "proxy1": ((f"{_CURRENT} #2", (POWER,)),),
    "agent1": ((_STOP, (OFF,)), (f"{_CURRENT} #2", (DIE,)), (_START, (ORPHAN,))),
}
#: The way back from a migration that fails.
FAILING = {"faults": [{"versions": ["17.7.20"], "fail_migration": True}]}
BACK = (
    (f"{_NOTE} #4", (POWER,)),
    ("instance_upgrade: systemctl stop #2", (DIE,)),
    (f"{_CURRENT} #3", (POWER,)),
    ("instance_upgrade: systemctl start #2", (DIE, POWER, ORPHAN)),
    (_DONE, (POWER,)),
)
#: Tasks that change nothing on any host of the cluster: the boundary after one is the boundary before it.
IDLE = (
    "add_host",
    "assert",
    "cluster_gate",
    "cluster_info",
    "copy",
    "debug",
    "fail",
    "group_by",
    "include_role",
    "include_tasks",
    "instance_info",
    "meta",
    "set_fact",
    "upgrade_plan",
    "validate_argument_spec",
    "wait_for",
)


class Case(NamedTuple):
    """One row: who dies (``how``), on which host, at which point or at the start of which task.

    :param knobs: settings of the double in the run that is killed; the run after it has none.
    """

    how: str
    host: str
    point: str
    task: int = 0
    knobs: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        """As the matrix shows it."""
        way = ", on the way back" if self.knobs else ""
        return f"{self.how} | {self.host} | {self.point}{way}"


def from_tasks(tasks: Iterable[Mapping[str, Any]]) -> Iterator[Case]:
    """A case for each boundary of *tasks*, one for boundaries between which no host is touched."""
    touched = True
    for task in tasks:
        if touched:
            name = task["name"].rpartition(" : ")[2]
            yield Case(TASK, "controller", f"before task {task['number']}: {name}", task["number"])
        touched = task["action"].rpartition(".")[2] not in IDLE


def from_points() -> Iterator[Case]:
    """A case for each point of interest and each death that has an outcome of its own there."""
    rows: dict[str, Points] = {"auth1": PRIMARY, "auth2": PEER, **OTHERS}
    for host, points in rows.items():
        for point, ways in points:
            yield from (Case(how, host, point) for how in ways)
    for point, ways in BACK:
        yield from (Case(how, "auth1", point, knobs=FAILING) for how in ways)


def all_cases(tasks: Iterable[Mapping[str, Any]]) -> list[Case]:
    """Every row of the matrix, the hardest deaths first: whoever runs out of time has seen most then."""
    return sorted([*from_points(), *from_tasks(tasks)], key=lambda case: _HARDEST_FIRST.index(case.how))


#: The rows that stand for the others when there is no time for all, the most telling first.
FIRST = (
    Case(POWER, "auth1", _START),
    Case(ORPHAN, "auth1", _STOP),
    Case(DIE, "auth2", f"instance_upgrade: remove {_HOLD}/lockstep-hold.conf #1"),
    Case(POWER, "auth1", f"{_CURRENT} #3", knobs=FAILING),
    Case(DIE, "agent1", f"{_CURRENT} #2"),
    Case(OFF, "auth2", "instance_hold: systemctl stop #1"),
)
