# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that follows the rotation of its cluster's host authority, or notices that it cannot any more."""

from __future__ import annotations

from .. import rotation
from ..settings import fault
from ..wire import Refusal
from .link import Heartbeat, Link


class Follower:
    """Looks at the phase while the service runs; what it missed while it was down, it missed."""

    def __init__(self, link: Link, heartbeat: Heartbeat) -> None:
        self._link = link
        self._heartbeat = heartbeat
        self._told = ""

    def run(self) -> None:
        """Follow until the link stops."""
        while not self._link.stopped.wait(rotation.interval()):
            if self._link.attached and not fault(self._link.version, "ignore_rotation"):
                try:
                    self._follow()
                except (OSError, Refusal) as error:
                    self._tell(f"Failed to sync rotation state: {error}")

    def _follow(self) -> None:
        remote = self._link.ask({"op": "rotation"})["rotation"]
        step = rotation.local_step(self._link.role, self._link.rotation, remote)
        if step.problem:
            self._tell(step.problem)
        if not step.follow:
            return
        credentials = self._link.ask({"op": "reregister", "uuid": self._link.name}) if step.reregister else {}
        self._link.keep(credentials, remote)
        self._link.log.info("PROC:1", f"Service has reached phase {remote.get('phase')}.")
        if step.reload:
            self._link.reload(f"the rotation entered {remote.get('phase')}")
        self._heartbeat.announce()

    def _tell(self, problem: str) -> None:
        if problem != self._told:
            self._link.log.failure("PROC:1", f"{problem}")
        self._told = problem
