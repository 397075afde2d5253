# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of an upgrade that changes what runs: stop, back up, switch, start, prove; or back again.

Every step is noted in the journal before it is done, so that a run that was killed can be finished or undone by the
next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    config_edit,
    hold,
    installation,
    journal,
    liveness,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError, ConfigChange
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.way import Way

#: A name within the versions folder, so that no journal can lead anywhere else.
_FOLDER_RE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,127}")


class Saved(NamedTuple):
    """A backup that was taken: its folder and its manifest."""

    path: str
    manifest: Dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A version folder and the version in it."""

    folder: str
    version: str


@dataclass(frozen=True)
class Means:
    """How things are done on this host. Nothing here depends on the versions.

    :param goal: builds what has to run from a version; None for client tools, of which nothing runs.
    :param check_installed: makes sure that ``bin_dir`` leads to this version; raises `HostError`.
    :param back_up: takes a verified backup of the stopped instance, of this version; None when none is wanted.
    :param restore: puts the backup in a folder back, for this version.
    :param edit_config: changes the configuration for the version to come; None when it stays as it is.
    :param revert_config: puts back what the journal says was changed, and says whether it had to be.
    """

    layout: installation.Layout
    way: Way
    unit: str
    goal: Optional[Callable[[str], liveness.Goal]]
    check_installed: Callable[[str], None]
    ready_timeout: float
    stable_for: float
    stop_timeout: float
    back_up: Optional[Callable[[str], Saved]] = None
    restore: Optional[Callable[[str, str], None]] = None
    edit_config: Optional[Callable[[Place, Place], None]] = None
    revert_config: Callable[[Mapping[str, str]], bool] = field(default=lambda _document: False)


@dataclass
class Record:
    """What happened: events with their time (epoch seconds), and what a result shows of them."""

    wall: Callable[[], float]
    events: List[Dict[str, Any]] = field(default_factory=list)
    stopped_at: Optional[float] = None
    ready_at: Optional[float] = None
    backup: Optional[Saved] = None
    config_change: Optional[ConfigChange] = None

    def note(self, event: str, at: Optional[float] = None) -> float:
        """Add an event, now unless *at* says when."""
        moment = self.wall() if at is None else at
        self.events.append({"event": event, "at": round(moment, 3)})
        return moment

    def has(self, event: str) -> bool:
        """Whether something of that name happened."""
        return any(entry["event"] == event for entry in self.events)

    def outage(self) -> Optional[Dict[str, Any]]:
        """From asking the old process to stop until a process was ready again; None when none was stopped."""
        if self.stopped_at is None:
            return None
        seconds = None if self.ready_at is None else round(self.ready_at - self.stopped_at, 3)
        return {"stopped_at": self.stopped_at, "ready_at": self.ready_at, "seconds": seconds}


@dataclass
class Entry:
    """What the journal says.

    :param was_running: whether going back has to end with a running instance.
    :param restart: whether a process is replaced at all.
    :param backup: folder of the backup that was taken before the switch.
    :param config: what of the configuration is changed, see `config_edit.Replacement.document`.
    :param remembered: what the way of installing puts back besides the programs, see `Way.remember`.
    """

    to: Place
    back: Place
    restart: bool
    was_running: bool
    held: bool
    phase: str = ""
    backup: Optional[str] = None
    remembered: Optional[Dict[str, Any]] = None
    config: Optional[Dict[str, str]] = None

    def document(self) -> Dict[str, Any]:
        """As it is written."""
        return {**vars(self), "to": vars(self.to), "back": vars(self.back)}


def read_entry(document: Mapping[str, Any]) -> Entry:
    """Turn a journal back into an entry.

    :raises HostError: when something is missing in it.
    """
    try:
        entry = Entry(**{**document, "to": Place(**document["to"]), "back": Place(**document["back"])})
    except (KeyError, TypeError, ValueError) as problem:
        raise HostError(f"the journal of an unfinished upgrade is not understood ({problem})") from problem
    _check_entry(entry)
    return entry


def _check_entry(entry: Entry) -> None:
    # What a file says need not be what the fields are declared to be.
    places: List[Any] = [entry.to.folder, entry.back.folder]
    bad = [folder for folder in places if not _FOLDER_RE.fullmatch(str(folder))]
    if bad:
        raise HostError(f"the journal of an unfinished upgrade is not understood: {bad[0]!r} is no version folder")
    types = {type(flag) for flag in (entry.restart, entry.was_running, entry.held)}
    if entry.phase not in ("", *journal.PHASES) or types != {bool}:
        raise HostError(f"the journal of an unfinished upgrade is not understood: phase {entry.phase!r}, {types}")
    if entry.remembered is not None and not isinstance(entry.remembered, dict):
        raise HostError("the journal of an unfinished upgrade is not understood: what it remembers is no mapping")
    if entry.config is not None and not config_edit.is_document(entry.config):
        raise HostError("the journal of an unfinished upgrade is not understood: it names no change of a configuration")
    if entry.backup is not None and not isinstance(entry.backup, str):
        raise HostError(f"the journal of an unfinished upgrade is not understood: backup {entry.backup!r}")


class UpgradeFailed(HostError):
    """The new version does not run. *rolled_back* tells whether the old one is in place again (and runs, if it did)."""

    def __init__(self, message: str, rolled_back: bool, evidence: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.rolled_back = rolled_back
        self.evidence = dict(evidence)


class Transaction:
    """One change of what runs on one host."""

    def __init__(self, host: Host, means: Means, entry: Entry, record: Record) -> None:
        """Take what to do, how, and where to note it."""
        self._host = host
        self._means = means
        self._entry = entry
        self._record = record
        self._restored = False

    def commit(self, collect: Callable[[], Dict[str, Any]]) -> None:
        """Do it.

        :param collect: collects the evidence of a failure.
        :raises UpgradeFailed: when it failed; everything that could be put back has been put back then.
        """
        # Where not even this can be written, nothing has changed yet, and there is nothing to go back from.
        self._advance(journal.PREPARED)
        self._write_ahead()
        try:
            if self._entry.restart and not self._means.way.is_live:
                self._stop()
                self._back_up()
            self._switch()
            self._prove()
        except (HostError, BackupError, OSError) as problem:
            self._record.note("failed")
            self.abandon(str(problem), collect())
        self._finish()

    def _advance(self, phase: str) -> None:
        """Note a phase. One that was reached by a run that was killed is not taken back."""
        known = journal.PHASES.index(self._entry.phase) if self._entry.phase else -1
        if journal.PHASES.index(phase) > known:
            self._entry.phase = phase
        journal.write(self._means.layout.versions_dir, self._entry.document())

    def _write_ahead(self) -> None:
        journal.write_ahead(self._means.layout.versions_dir, {**self._entry.document(), "phase": journal.UNDOING})

    def _turn_back(self) -> None:
        """Note that everything is undone from here on, also on a disk that has become full since the switch."""
        try:
            self._advance(journal.UNDOING)
        except OSError:
            journal.enter_ahead(self._means.layout.versions_dir)

    def _stop(self) -> None:
        asked_at = self._record.note("stop")
        stopped = liveness.stop(self._host, self._means.unit, self._means.stop_timeout)
        if stopped.was_up:
            self._record.stopped_at = asked_at
        self._record.note("killed" if stopped.killed else "stopped")
        self._advance(journal.STOPPED)

    def _back_up(self) -> None:
        # Of what a killed run may have started to migrate, a backup would be no way back.
        if self._means.back_up is None or self._entry.phase == journal.SWITCHED:
            return
        saved = self._means.back_up(self._entry.back.version)
        self._record.backup = saved
        self._entry.backup = saved.path
        self._record.note("backed_up")

    def _switch(self) -> None:
        # On disk before anything new can start: from here on going back may need the backup.
        self._write_ahead()
        self._advance(journal.SWITCHED)
        if self._means.edit_config:
            self._means.edit_config(self._entry.back, self._entry.to)
            self._record.note("config_changed")
        self._means.way.lead_to(self._entry.to.folder, self._entry.remembered, False)
        self._record.note("switched")

    def _prove(self) -> None:
        if not (self._entry.restart and self._means.goal):
            self._means.check_installed(self._entry.to.version)
            return
        if self._entry.held:
            hold.lift(self._host, self._means.unit)
        self._record.note("start")
        self._start(self._entry.to)
        self._record.note("stable")

    def _start(self, place: Place) -> None:
        if self._means.goal is None:
            return
        goal = self._means.goal(place.version)
        proof = liveness.start(self._host, goal, self._means.ready_timeout, self._means.stable_for)
        self._record.ready_at = self._record.note("ready", proof.ready_at)

    def _finish(self) -> None:
        try:
            self._note_end()
        except OSError as problem:
            raise UpgradeFailed(
                f"{self._entry.to.version} is in place and proven, but that could not be noted: {problem}. Nothing has "
                "to be undone; remove the cause and run again.",
                False,
                {},
            ) from problem

    def _note_end(self) -> None:
        if self._entry.back.folder != self._entry.to.folder:
            installation.replace_link(self._means.layout.previous, self._entry.back.folder)
        journal.clear(self._means.layout.versions_dir)

    def abandon(self, what: str, evidence: Mapping[str, Any]) -> None:
        """Go back and say so. Always raises.

        :raises UpgradeFailed: with *what* happened, and whether going back worked.
        """
        try:
            self.undo()
        except (HostError, BackupError, OSError) as second:
            raise UpgradeFailed(
                f"{what}. Going back to {self._entry.back.version} FAILED as well: {second}. The instance is probably "
                "down. Look at the evidence, remove the cause and run again: the unfinished change is noted on the "
                "host, and will be finished or undone.",
                False,
                evidence,
            ) from second
        raise UpgradeFailed(f"{what}. {self._outcome()}. The evidence shows the cause.", True, evidence)

    def _outcome(self) -> str:
        state = f"It was switched back to {self._entry.back.version}"
        if self._restored:
            state += f", its backend restored from {self._entry.backup}"
        if not self._entry.restart:
            return state
        runs = self._entry.was_running and not self._entry.held
        return state + (", which runs again" if runs else ", and stays stopped")

    def undo(self) -> None:
        """Bring back what the entry says was there: backend, programs, hold, process.

        :raises HostError, BackupError, OSError: when it cannot be brought back; the journal stays then.
        """
        may_have_written = self._entry.phase in (journal.SWITCHED, journal.UNDOING)
        self._turn_back()
        if self._entry.restart:
            liveness.stop(self._host, self._means.unit, self._means.stop_timeout)
        # Before the backend: a restore may have to write into the configuration that it was saved with.
        if self._entry.config and self._means.revert_config(self._entry.config):
            self._record.note("config_put_back")
        if self._entry.restart and may_have_written and self._entry.backup:
            self._restore(self._entry.backup)
        self._means.way.lead_to(self._entry.back.folder, self._entry.remembered, True)
        self._record.note("switched_back")
        self._bring_back_up()
        journal.clear(self._means.layout.versions_dir)
        self._record.note("rolled_back")

    def _restore(self, backup: str) -> None:
        if self._means.restore is None:
            raise HostError(
                f"the new version may have changed the backend, whose backup is {backup}, and this call does not say "
                "how to restore it: give the option backup, or use the rollback playbook"
            )
        self._means.restore(backup, self._entry.back.version)
        self._restored = True
        self._record.note("restored")

    def _bring_back_up(self) -> None:
        """Leave the unit as it was found: held, stopped, or running the old version."""
        if not self._entry.restart:
            return
        if self._entry.held:
            hold.put(self._host, self._means.unit)
        elif self._entry.was_running:
            self._start(self._entry.back)
