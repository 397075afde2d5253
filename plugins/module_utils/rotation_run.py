# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the authorities of a cluster through its auth host, moves them into a phase, and waits for everybody."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    cluster_query,
    cluster_view,
    rotation,
    status_text,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import PlainError
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import Tctl, TctlError, UnknownToTctl

#: Kinds of heartbeats that say a phase, and the majors whose ``tctl get`` knows them (the first three: all).
KINDS = (
    cluster_query.AgentKind("kube_service", 5, 10),
    cluster_query.AgentKind("kube_server", 11, 99),
    cluster_query.AgentKind("app_server", 8, 99),
    cluster_query.AgentKind("db_server", 8, 99),
    cluster_query.AgentKind("windows_desktop_service", 9, 99),
)
PAUSE = 2.0
_SHOWN = 10


class RotationError(PlainError):
    """A rotation cannot go on. The message says where it stands and what to do; ``view`` is the last look."""

    def __init__(self, message: str, view: Optional[View] = None) -> None:
        super().__init__(message)
        self.view = view


class View(NamedTuple):
    """One look at a cluster."""

    cluster: str
    version: Optional[str]
    ca_pins: List[str]
    authorities: List[rotation.Authority]
    reports: List[rotation.Report]
    listed: List[str]
    remote_clusters: List[Dict[str, Any]]
    trusted_clusters: List[Dict[str, Any]]
    observed_at: str

    @property
    def own(self) -> List[rotation.Authority]:
        """The authorities of the cluster itself."""
        return [authority for authority in self.authorities if authority.cluster == self.cluster]

    def authority(self, kind: str) -> rotation.Authority:
        """Return one of its own authorities. Raises :class:`RotationError`."""
        found = [authority for authority in self.own if authority.type == kind]
        if not found:
            raise RotationError(f"cluster {self.cluster} shows no {kind} authority", self)
        return found[0]


class Wish(NamedTuple):
    """What is to be reached.

    :param phase: the phase to enter; empty to look only.
    :param grace_period: as Teleport takes it, e.g. ``48h``; for ``init`` alone.
    :param patience: seconds to wait for instances, before the step and after it.
    :param settle: seconds to wait at the end, for what no heartbeat shows.
    """

    phase: str
    types: Sequence[str]
    grace_period: str
    expected: Sequence[rotation.Expected]
    ignored: Sequence[str]
    patience: float
    settle: float


def look(tctl: Tctl, wall: Callable[[], float] = time.time) -> View:
    """Ask the Auth Service of this host. Raises :class:`TctlError` when it does not answer."""
    observed_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall()))
    try:
        status = status_text.parse(tctl.text(["status"]))
    except status_text.StatusError as error:
        raise TctlError(f"tctl status: {error}") from error
    major = cluster_query.major_of(status.version)
    kinds = [kind for kind, _service in cluster_query.HEARTBEATS]
    reports = [report for kind in kinds for report in rotation.reports(kind, tctl.resources(kind))]
    for kind in KINDS:
        if major is not None and kind.first <= major <= kind.last:
            reports += rotation.reports(kind.name, _optional(partial(tctl.resources, kind.name)))
    return View(
        status.cluster,
        status.version,
        sorted(status.ca_pins),
        rotation.authorities(tctl.resources("cas")),
        reports,
        _inventory(tctl, major),
        cluster_view.remote_clusters(_optional(partial(tctl.resources, "remote_cluster"))),
        cluster_view.trusted_clusters(_optional(partial(tctl.resources, "trusted_cluster"))),
        observed_at,
    )


def _inventory(tctl: Tctl, major: Optional[int]) -> List[str]:
    if major is None or major < cluster_query.INVENTORY_SINCE:
        return []
    found = cluster_view.from_inventory(_optional(tctl.inventory))
    return sorted({text for one in found for text in (one.id, one.host) if text})


def _optional(question: Callable[[], List[Any]]) -> List[Any]:
    try:
        return question()
    except UnknownToTctl:
        return []


def absent(view: View, wish: Wish, completed: bool = False) -> List[rotation.Missing]:
    """Return who has not reported the phase that the host authority is in."""
    host = view.authority(rotation.REPORTED)
    return rotation.missing(host, view.reports, wish.expected, view.listed, wish.ignored, completed)


class Runner:
    """Moves the authorities of one cluster. Waiting and the clock are the host's."""

    def __init__(self, tctl: Tctl, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._tctl = tctl
        self._sleep = sleep
        self._clock = clock

    def enter(self, wish: Wish, before: Optional[View] = None) -> View:
        """Enter the phase once everybody has reported the one before, and wait until everybody has reported this one.

        *before* is a look that was just taken; to look costs a dozen calls of ``tctl``. Raises :class:`RotationError`
        when somebody did not report in time, or when the step is none that Teleport takes.
        """
        before = before or look(self._tctl)
        decision = self.decide(before, wish)
        if decision.types:
            # Who cannot follow forward may need the way back.
            if wish.phase != rotation.ROLLBACK:
                self._gate(wish, f"enter {wish.phase}", False, before)
            for kind in decision.types:
                self._move(kind, wish)
        seen = None if decision.types else before
        view = self._gate(wish, f"leave {wish.phase}", wish.phase == rotation.STANDBY, seen)
        if decision.types and wish.settle:
            self._sleep(wish.settle)
        return view

    @staticmethod
    def decide(view: View, wish: Wish) -> rotation.Decision:
        """Return which authorities are to be moved. Raises :class:`RotationError` for a step that is none."""
        decision = rotation.decide(view.own, wish.types, wish.phase)
        if decision.refusal:
            raise RotationError(f"Cluster {view.cluster} cannot enter {wish.phase}: {decision.refusal}.", view)
        return decision

    def _move(self, kind: str, wish: Wish) -> None:
        arguments = ["auth", "rotate", "--manual", f"--type={kind}", f"--phase={wish.phase}"]
        if wish.phase == rotation.INIT:
            arguments.append(f"--grace-period={wish.grace_period}")
        try:
            self._tctl.text(arguments)
        except TctlError as error:
            # The answer may have been lost where the step was not; a step that is asked for twice is refused.
            view = self._look(self._clock() + wish.patience)
            if view.authority(kind).phase != wish.phase:
                raise RotationError(str(error), view) from error

    def _gate(self, wish: Wish, what: str, completed: bool, seen: Optional[View]) -> View:
        if rotation.REPORTED not in wish.types:
            return seen or self._look(self._clock() + wish.patience)
        return self.wait(wish, lambda view: absent(view, wish, completed), what, seen)

    def wait(
        self,
        wish: Wish,
        still: Callable[[View], Sequence[rotation.Missing]],
        what: str,
        seen: Optional[View] = None,
    ) -> View:
        """Look until nobody is missing, and return that look; *seen* is the first, if there was one already.

        Raises :class:`RotationError` after the patience.
        """
        deadline = self._clock() + wish.patience
        view = seen or self._look(deadline)
        while True:
            left = still(view)
            if not left:
                return view
            if self._clock() >= deadline:
                raise RotationError(_told(view, left, what, wish.patience), view)
            self._sleep(PAUSE)
            view = self._look(deadline)

    def _look(self, deadline: float) -> View:
        """Look; while the Auth Service reloads, which each phase makes it do, try again."""
        while True:
            try:
                return look(self._tctl)
            except TctlError:
                if self._clock() >= deadline:
                    raise
                self._sleep(PAUSE)


def _told(view: View, left: Sequence[rotation.Missing], what: str, patience: float) -> str:
    shown = "; ".join(f"{one.host}: {one.message}" for one in left[:_SHOWN])
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return (
        f"Cluster {view.cluster} cannot {what}: after {patience:g} s {len(left)} are not where they should be: "
        f"{shown}{more}. Nobody is cut off before the last phase. Bring them back and run again, or go back with "
        "-e teleport_rotate_until=rollback."
    )
