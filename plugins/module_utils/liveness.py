# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proofs that an instance has stopped, and that it runs, at the wanted version, ready, and stays so.

Measured on real units: ``systemctl`` returns 0 for a start that dies at once and for a stop that ended in SIGKILL; a
unit in a crash loop is "active" every other moment; readiness is 200 for seconds before a draining reload makes
it 503. So the proof is the process itself, looked at over time.
"""

from __future__ import annotations

import http.client
import signal
from typing import Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import process, readiness, service
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.readiness import WebAnswer
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version, VersionError

#: Automatic restarts after which a start is given up: something that comes up late may need one or two.
RESTARTS_ALLOWED = 3
#: Seconds a unit may stay inactive after its start was asked for.
INACTIVE_ALLOWED = 15.0
#: Seconds that processes may outlive their unit before they are killed.
LEFTOVERS_ALLOWED = 5.0
#: Seconds between two looks at what comes up: each of them lengthens the outage.
_RISING_PAUSE = 0.2
#: Seconds between two looks at what is up. Another process, or a restart, shows at any later look as well.
_CALM_PAUSE = 1.0
_AFTER_KILL = 10.0
#: The first line of which every release has the state "starting"; 4.2 is "ok" from its first moment on.
_TELLS_STARTING = Version.parse("5.0.0-0")


class Goal(NamedTuple):
    """What is to run.

    :param version: what ``/proc/PID/exe version`` has to name.
    :param listeners: addresses of this host that must accept connections, looked at only where the instance has
        neither a diagnostic endpoint nor a debug socket, or says there that it is ready before it has begun.
    :param web: where a Proxy Service answers its users.
    """

    unit: str
    version: str
    diag_addr: Optional[str] = None
    data_dir: Optional[str] = None
    listeners: Tuple[str, ...] = ()
    web: Optional[str] = None


class Look(NamedTuple):
    """One look at a unit. *running* is the release behind ``/proc/PID/exe``, *numbers* are all that the process has."""

    unit: service.Unit
    running: Optional[str]
    readiness: Optional[readiness.Readiness]
    closed: Tuple[str, ...]
    web: Optional[WebAnswer] = None
    numbers: Tuple[int, ...] = ()


class Stopped(NamedTuple):
    """Proof of a stop: how systemd calls its end, whether something had to be killed, whether anything had run."""

    result: str
    killed: bool
    was_up: bool


class Running(NamedTuple):
    """Proof of a start: the process, and since when (wall clock) it was ready without a break."""

    pid: int
    ready_at: float


def shortcoming(look: Look, goal: Goal) -> str:
    """Say why an instance is not (yet) what is wanted; empty when it is. Pure."""
    unit = look.unit
    if unit.active_state != "active" or not unit.main_pid:
        return "the unit is {} ({}), Result={}".format(unit.active_state, unit.sub_state, unit.result or "unknown")
    if look.running is None:
        return f"the version of process {unit.main_pid} cannot be read"
    if look.running != goal.version:
        return f"process {unit.main_pid} runs {look.running} instead of {goal.version}"
    return _silence(look, goal)


def _silence(look: Look, goal: Goal) -> str:
    """Say what a process of the right version does not answer yet."""
    if look.readiness is not None and not look.readiness.ready:
        answer = look.readiness
        return "{} answers {}: {}".format(answer.source, answer.http_status or "nothing", answer.status)
    if look.closed:
        return "nothing listens on {}".format(", ".join(look.closed))
    return _stranger(look) or _web_trouble(look, goal)


def _stranger(look: Look) -> str:
    """Say who answers in place of the unit's process, as one that outlived it would; not all releases tell."""
    answer = look.readiness
    if answer is None or answer.pid is None or answer.pid in (look.unit.main_pid, *look.numbers):
        return ""
    return f"{answer.source} is answered by process {answer.pid} instead of {look.unit.main_pid}"


def _web_trouble(look: Look, goal: Goal) -> str:
    if look.web is None:
        return ""
    if look.web.http_status >= http.client.INTERNAL_SERVER_ERROR:
        return f"its web API at {goal.web} answers {look.web.http_status}"
    if _differ(look.web.version, goal.version):
        return f"its web API at {goal.web} is that of {look.web.version}, not of {goal.version}"
    return ""


def _differ(told: Optional[str], wanted: str) -> bool:
    """Whether two versions are of different releases. Suffixes of builds are told in one place and not in another."""
    try:
        found = Version.parse(told) if told else None
    except VersionError:
        return False
    goal = Version.parse(wanted)
    return found is not None and (found.major, found.minor, found.patch) != (goal.major, goal.minor, goal.patch)


def hopeless(unit: service.Unit, restarts: int, inactive_for: float) -> bool:
    """Whether waiting on is useless: systemd gave up, the process keeps dying, or nothing was started at all. Pure."""
    return (
        unit.active_state == "failed"
        or restarts >= RESTARTS_ALLOWED
        or (unit.active_state == "inactive" and inactive_for > INACTIVE_ALLOWED)
    )


def stop(host: Host, name: str, seconds: float) -> Stopped:
    """Stop a unit and prove that no process of it is left.

    The stop may take as long as systemd allows it (90 s unless the unit says otherwise), and a draining process needs
    5 min.

    :raises HostError: when something is still alive at the end, even after SIGKILL.
    """
    before = service.show(host, name)
    was_up = bool(before.active or before.main_pid)
    service.ask(host, "stop", name)
    watch = _StopWatch(host, name, before.control_group)
    if host.wait_until(watch.is_over, seconds):
        return Stopped(watch.result, watch.killed or watch.result == "timeout", was_up)
    service.kill(host, name)
    if host.wait_until(watch.is_over, _AFTER_KILL):
        return Stopped(watch.result, True, was_up)
    raise HostError(f"{name} could not be stopped within {seconds:g} s: {watch.state}")


class _StopWatch:
    """Looks at a unit that is going down, and ends what outlives it."""

    def __init__(self, host: Host, name: str, group: str) -> None:
        self._host = host
        self._name = name
        self._group = group
        self._inactive_since: Optional[float] = None
        self.result = ""
        self.killed = False
        self.state = ""

    def is_over(self) -> bool:
        """Whether the unit is down and its control group empty."""
        try:
            unit = service.show(self._host, self._name)
        except HostError as problem:
            self.state = str(problem)
            return False
        left = service.control_group_pids(self._host, unit.control_group or self._group)
        self.result = unit.result
        self.state = "it is {}, main process {}, processes left: {}".format(
            unit.active_state, unit.main_pid or "none", ", ".join(map(str, left)) or "none"
        )
        if unit.active or unit.main_pid:
            self._inactive_since = None
            return False
        if left:
            self._end_leftovers(left)
        return not left

    def _end_leftovers(self, left: List[int]) -> None:
        now = self._host.clock()
        if self._inactive_since is None:
            self._inactive_since = now
        if now - self._inactive_since < LEFTOVERS_ALLOWED:
            return
        self.killed = True
        for pid in left:
            try:
                self._host.kill(pid, signal.SIGKILL)
            except OSError:
                continue


def start(host: Host, goal: Goal, ready_timeout: float, stable_for: float) -> Running:
    """Start a unit, and prove that what was wanted runs, is ready and stays so for *stable_for* seconds.

    :raises HostError: when it does not within *ready_timeout*, or when it is clear earlier that it will not.
    """
    unit = service.show(host, goal.unit)
    if unit.needs_reload:
        service.daemon_reload(host)
    # Also of a unit that was stopped in good order: systemd goes on counting the starts of the version that crashed
    # before, and would refuse this one.
    service.reset_failed(host, goal.unit)
    service.ask(host, "start", goal.unit)
    return watch(host, goal, ready_timeout, stable_for)


def watch(host: Host, goal: Goal, ready_timeout: float, stable_for: float) -> Running:
    """Prove that a unit that was started is, and stays, what is wanted. Raises as `start` does."""
    watcher = _StartWatch(host, goal, stable_for)
    if not host.wait_until(watcher.is_over, ready_timeout + stable_for, watcher.pause):
        raise HostError(f"{goal.unit} was not ready within {ready_timeout:g} s: {watcher.why}")
    if watcher.proof is None:
        raise HostError(f"{goal.unit} does not come up: {watcher.why}")
    return watcher.proof


class _StartWatch:
    """Looks at a unit that is coming up. A change of process, version or readiness starts the wait for calm anew."""

    def __init__(self, host: Host, goal: Goal, stable_for: float) -> None:
        self._host = host
        self._goal = goal
        self._stable_for = stable_for
        self._begun = host.clock()
        self._versions: Dict[int, Optional[str]] = {}
        self._restarts_before: Optional[int] = None
        self._good: Optional[Tuple[int, float, float]] = None
        self.why = "systemd has not answered"
        self.proof: Optional[Running] = None

    def is_over(self) -> bool:
        """Whether the outcome is clear: `proof` is set when it is good."""
        try:
            unit = service.show(self._host, self._goal.unit)
        except HostError as problem:
            self.why = str(problem)
            return False
        self.why = shortcoming(self._look(unit), self._goal)
        if self.why:
            self._good = None
            return self._is_hopeless(unit)
        self.why = "it was not ready for long enough without a break"
        return self._is_calm(unit.main_pid)

    def pause(self) -> float:
        """Seconds until the next look; the last one falls on the end of the calm."""
        if self._good is None:
            return _RISING_PAUSE
        left = self._stable_for - (self._host.clock() - self._good[1])
        return min(_CALM_PAUSE, max(left, 0.0))

    def _is_hopeless(self, unit: service.Unit) -> bool:
        restarts = self._restarts(unit)
        if restarts >= RESTARTS_ALLOWED:
            self.why += f"; it was restarted {restarts} times"
        return hopeless(unit, restarts, self._host.clock() - self._begun)

    def _restarts(self, unit: service.Unit) -> int:
        if unit.n_restarts is None:
            # systemd before 235 does not count: a new process each time is the same thing.
            return max(0, len(self._versions) - 1)
        if self._restarts_before is None or unit.n_restarts < self._restarts_before:
            self._restarts_before = unit.n_restarts
        return unit.n_restarts - self._restarts_before

    def _is_calm(self, pid: int) -> bool:
        now = self._host.clock()
        if self._good is None or self._good[0] != pid:
            self._good = (pid, now, self._host.wall())
        if now - self._good[1] < self._stable_for:
            return False
        self.proof = Running(pid, self._good[2])
        return True

    def _look(self, unit: service.Unit) -> Look:
        running = self._version(unit.main_pid) if unit.main_pid else None
        if running != self._goal.version:
            return Look(unit, running, None, ())
        answer = readiness.probe(self._goal.diag_addr, self._goal.data_dir)
        # What calls itself ready before it has begun says nothing by it.
        told = answer is not None and Version.parse(self._goal.version) >= _TELLS_STARTING
        closed = () if told else tuple(one for one in self._goal.listeners if not readiness.accepts(one))
        # Asked last: of what is not ready the answer says nothing new.
        asked = self._goal.web and not closed and (answer is None or answer.ready)
        web = readiness.web_ping(str(self._goal.web)) if asked else None
        return Look(unit, running, answer, closed, web, process.numbers(self._host, unit.main_pid))

    def _version(self, pid: int) -> Optional[str]:
        """The release a process runs. Asked once per process: a process keeps its program for life."""
        if self._versions.get(pid) is None:
            answer = process.ask_version(self._host, process.executable_link(self._host, pid))
            self._versions[pid] = str(answer.output.release) if answer.output else None
        return self._versions[pid]
