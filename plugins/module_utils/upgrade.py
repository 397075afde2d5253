# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrading one instance: observe, decide, prepare everything that needs no outage, then change what runs.

A host compiles every module that is imported, in each run anew. Backups and their backends are half of the code, and no
agent needs them: they are imported where they are used.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    adoption,
    artifact,
    client_tools,
    config_edit,
    durable,
    evidence,
    hold,
    installation,
    journal,
    liveness,
    process,
    readiness,
    release,
    service,
    shield,
    upgrade_decision,
    ways,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.order import Order
from ansible_collections.lockstep.teleport.plugins.module_utils.transaction import (
    Entry,
    Means,
    Place,
    Record,
    Saved,
    Transaction,
    UpgradeFailed,
    read_entry,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.upgrade_decision import Decision, Found
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY, Version
from ansible_collections.lockstep.teleport.plugins.module_utils.way import Way


class Upgrade:
    """One upgrade of one instance."""

    def __init__(self, host: Host, order: Order, opener: artifact.Opener) -> None:
        """Take the host, what is asked for, and how to fetch from URLs."""
        self._host = host
        self._order = order
        self._layout = order.layout
        self._opener = opener
        self._resources: Dict[str, bytes] = {}
        self._edits = config_edit.ConfigEdits(order.layout.versions_dir)
        self._replacement: Optional[config_edit.Replacement] = None
        self._way: Way = ways.choose(host, order, None, None, opener)
        self._goes_on = False
        self.record = Record(host.wall)
        self._began = host.wall()

    def preview(self) -> Dict[str, Any]:
        """Say what `run` would do, after every check that changes nothing.

        :raises HostError: for whatever would stop `run` before it changes anything.
        """
        installation.check_folders(self._layout)
        found = self._look()
        decision = self._decide(found)
        if not decision.nothing and self._has_to_be_brought(decision):
            self._check_room(found, decision)
        self._replacement = None if decision.nothing else self._config_to_be(found, is_dry=True)
        to_be = found.version if decision.nothing else self._order.release.version
        return self._result(found, decision, {"version": to_be})

    def needs_artifact(self) -> bool:
        """Whether the controller has to bring the tarball before `run` can succeed."""
        release_wanted = self._order.release
        if release_wanted.base_url or release_wanted.file or release.is_present(self._layout, release_wanted):
            return False
        found = self._look()
        if not self._way.is_brought:
            return False
        return bool(found.journal) or self._has_to_be_brought(self._decide(found))

    def run(self) -> Dict[str, Any]:
        """Upgrade the instance.

        :raises HostError: when it was not begun; nothing has changed then that an instance could notice.
        :raises UpgradeFailed: when it was begun and failed.
        """
        installation.check_folders(self._layout)
        found = self._look()
        # After an interruption even what is installed may be half switched: that is settled before it is judged.
        if not found.journal:
            decision = self._decide(found)
            if decision.nothing and found.ready:
                return self._result(found, decision, _proof(found))
        fresh = not os.path.isdir(self._layout.versions_dir)
        installation.make_versions_dir(self._layout)
        try:
            with journal.alone(self._layout.versions_dir):
                self._settle(found)
                found, decision = self._carry_out_or_repeat()
                removed = self._tidy_up()
        except HostError:
            if fresh:
                journal.remove_unused(self._layout.versions_dir)
            raise
        result = self._result(found, decision, _proof(self._look()))
        return {**result, "pruned": removed}

    # -- observe and decide

    def _look(self) -> Found:
        unit = None if self._order.client else service.show(self._host, self._order.unit)
        pid = unit.main_pid if unit else 0
        running = process.ask_version(self._host, process.executable_link(self._host, pid)) if pid else None
        if running and running.output is None:
            raise HostError(f"the version that runs cannot be told: {running.error}")
        installed = self._installed(pid, running)
        now = running if running and running.output else installed
        method = installation.install_method(self._host, self._layout)
        unfinished = journal.read(self._layout.versions_dir)
        self._way = ways.choose(self._host, self._order, method, unfinished, self._opener)
        current = self._way.current()
        return Found(
            unit=unit,
            exec_path=unit.exec_path if unit else None,
            program=self._layout.program("tsh" if self._order.client else "teleport"),
            running=str(running.output.release) if running and running.output else None,
            installed=str(installed.output.release) if installed.output else None,
            installed_error=installed.error,
            edition=self._way.edition or (now.output.edition if now.output else COMMUNITY),
            method=method,
            current=current,
            linked=self._way.is_linked(current),
            adopted=self._way.is_adopted(current, str(now.output.release) if now.output else None),
            ready=self._is_ready(pid),
            held=not self._order.client and hold.is_held(self._host, self._order.unit),
            journal=unfinished,
        )

    def _installed(self, pid: int, running: Optional[process.Program]) -> process.Program:
        if self._order.client:
            answers = list(client_tools.ask(self._host, self._layout).values())
            known = [answer for answer in answers if answer.output]
            if known:
                return min(known, key=lambda answer: answer.output.release if answer.output else Version(0, 0, 0))
            return answers[0] if answers else process.Program(None, "there are no client tools")
        path = self._layout.program()
        if running and process.same_file(process.executable_link(self._host, pid), path):
            return running
        return process.ask_version(self._host, path)

    def _is_ready(self, pid: int) -> bool:
        if not pid:
            return True
        answer = readiness.probe(self._order.config.get("diag_addr"), self._order.config.get("data_dir"))
        return answer is None or answer.ready

    def _decide(self, found: Found) -> Decision:
        reason = upgrade_decision.refusal(found, self._order.wish)
        if reason:
            raise HostError(reason)
        return upgrade_decision.decide(found, self._order.wish)

    def _has_to_be_brought(self, decision: Decision) -> bool:
        """Whether the release comes from outside: a plain installation of it only has to be taken over."""
        return decision.adopt != self._order.release.folder and not self._way.is_present()

    # -- what a killed run left behind

    def _settle(self, found: Found) -> None:
        """Finish or undo what a killed run left, unless going on with this one amounts to the same.

        :raises UpgradeFailed: when it cannot be undone.
        """
        if not found.journal:
            return
        entry = self._left_entry(found)
        means = self._means()
        if entry.phase == journal.SWITCHED and (not entry.restart or found.running == entry.to.version):
            # It got as far as running the new version, and may have run for days since: its backup is history.
            installation.replace_link(self._layout.previous, entry.back.folder)
            journal.clear(self._layout.versions_dir)
            return
        # A package may have been left half unpacked: only what is whole can be gone on with.
        whole = entry.phase != journal.UNDOING and (entry.phase != journal.SWITCHED or entry.remembered is None)
        goes_on = entry.to.folder == self._order.release.folder and whole
        if goes_on or entry.phase in journal.BEFORE_SWITCH:
            return
        self.record.note("undo_unfinished")
        try:
            if entry.restart:
                shield.leave(self._host, self._order.unit, self._order.detached)
            with self._way.exclusive():
                Transaction(self._host, means, entry, self.record).undo()
        except (HostError, BackupError, OSError) as problem:
            raise UpgradeFailed(
                f"an earlier upgrade to {entry.to.version} was interrupted, and going back to {entry.back.version} "
                f"fails: {problem}. Look at the evidence, remove the cause and run again",
                False,
                self._evidence(),
            ) from problem

    @staticmethod
    def _left_entry(found: Found) -> Entry:
        """The entry of what a killed run left. A hold that was put since is part of what going back has to keep."""
        entry = read_entry(found.journal or {})
        entry.held = entry.held or found.held
        return entry

    # -- prepare and commit

    def _carry_out_or_repeat(self) -> Tuple[Found, Decision]:
        """Upgrade; from the start, once, when going on with what a killed run left ends with its backup put back.

        A migration that was killed can be in the way of every other one until then.
        """
        try:
            return self._carry_out()
        except UpgradeFailed as problem:
            # A restore into another table is followed by peers first, and by a plan that knows the table.
            is_fresh = problem.rolled_back and self.record.has("restored") and not self.record.config_change
            if not (self._goes_on and is_fresh):
                raise
        self.record.note("repeated")
        return self._carry_out()

    def _carry_out(self) -> Tuple[Found, Decision]:
        found = self._look()
        decision = self._decide(found)
        self._upgrade(found, decision)
        return found, decision

    def _upgrade(self, found: Found, decision: Decision) -> None:
        unfinished = self._left_entry(found) if found.journal else None
        self._goes_on = unfinished is not None
        try:
            self._prepare(found, decision)
        except HostError as problem:
            if unfinished is None:
                raise
            with self._way.exclusive():
                self._transaction(unfinished).abandon(str(problem), self._evidence())
        if decision.nothing:
            self._await_ready(found, decision)
            return
        entry = self._entry(found, decision, unfinished)
        with self._way.exclusive():
            self._transaction(entry).commit(self._evidence)

    def _prepare(self, found: Found, decision: Decision) -> None:
        """Do everything that can be done while the old version still serves."""
        if decision.nothing:
            return
        wanted = self._order.release
        self._replacement = self._config_to_be(found)
        # The release first: one that is refused leaves the installation as it was found.
        if decision.adopt != wanted.folder and self._way.stage():
            self.record.note("staged")
        if decision.adopt:
            self._way.adopt(decision.adopt, str(found.version), found.edition, self._running_program(found))
            self.record.note("adopted")
        if decision.restart and not self._order.client:
            with self._edits.written(self._replacement, str(self._order.config["path"])) as path:
                if self._way.has_folders:
                    release.try_configuration(self._host, self._layout, wanted, path)
            shield.leave(self._host, self._order.unit, self._order.detached)
            self._resources = self._read_resources(found)
        self.record.note("prepared")

    def _config_to_be(self, found: Found, is_dry: bool = False) -> Optional[config_edit.Replacement]:
        """What becomes of the configuration: as planned on the way up, as it was before on the way back."""
        path, version = str(self._order.config.get("path") or ""), self._order.release.version
        if self._order.config_edit:
            edits = self._order.instance.get("config_edits") or []
            return config_edit.from_plan(path, edits, self._order.config_edit, is_dry)
        if self._order.allow_downgrade and path and Version.parse(str(found.version)) > Version.parse(version):
            return self._edits.for_downgrade(path, version)
        return None

    def _read_resources(self, found: Found) -> Dict[str, bytes]:
        """Ask, while Auth serves, for what belongs into the backup beside the backend. A refusal stops nothing."""
        wanted = self._order.backup and self._order.backup.get("resources")
        if not (wanted and found.running):
            return {}
        from ansible_collections.lockstep.teleport.plugins.module_utils.backup_resources import read_resources

        try:
            return read_resources(self._host, self._order.instance, found.running)
        except BackupError:
            self.record.note("resources_unknown")
            return {}

    def _running_program(self, found: Found) -> Optional[str]:
        pid = found.unit.main_pid if found.unit else 0
        return adoption.running_program(self._host, found.running, found.installed, pid)

    def _check_room(self, found: Found, decision: Decision) -> None:
        extra = self._way.adoption_size(self._running_program(found)) if decision.adopt else 0
        self._way.check_available(extra)

    def _await_ready(self, found: Found, decision: Decision) -> None:
        """The right version runs but calls itself not ready: nothing to change, only to wait for."""
        if not (decision.run and found.running):
            return
        try:
            liveness.watch(
                self._host, self._order.goal(found.running), self._order.ready_timeout, self._order.stable_for
            )
        except HostError as problem:
            raise UpgradeFailed(
                f"{problem}. It runs {found.running} as wanted, so nothing was changed. The evidence shows the cause.",
                False,
                self._evidence(),
            ) from problem

    def _entry(self, found: Found, decision: Decision, unfinished: Optional[Entry]) -> Entry:
        back = unfinished.back if unfinished else Place(decision.way_back, str(found.version))
        resumed = unfinished if unfinished and unfinished.phase == journal.SWITCHED else None
        return Entry(
            to=Place(self._order.release.folder, self._order.release.version),
            back=back,
            restart=decision.restart,
            was_running=decision.was_running and not self._order.stop_on_failure,
            held=unfinished.held if unfinished else found.held,
            remembered=unfinished.remembered if unfinished else self._way.remember(),
            phase=resumed.phase if resumed else "",
            backup=resumed.backup if resumed else None,
            config=self._replacement.document() if self._replacement else unfinished.config if unfinished else None,
        )

    def _transaction(self, entry: Entry) -> Transaction:
        return Transaction(self._host, self._means(), entry, self.record)

    def _means(self) -> Means:
        order = self._order
        return Means(
            layout=self._layout,
            way=self._way,
            unit="" if order.client else order.unit,
            goal=None if order.client else order.goal,
            check_installed=self._check_installed,
            ready_timeout=order.ready_timeout,
            stable_for=order.stable_for,
            stop_timeout=order.stop_timeout,
            back_up=self._back_up if order.backup else None,
            restore=self._restore if order.backup else None,
            edit_config=partial(self._edits.make, self._replacement) if self._replacement else None,
            revert_config=self._edits.revert,
        )

    def _check_installed(self, version: str) -> None:
        program = self._layout.program("tsh" if self._order.client else "teleport")
        answer = process.ask_version(self._host, program)
        found = str(answer.output.release) if answer.output else answer.error
        if found != version:
            raise HostError(f"{program} is {found} after the switch, wanted is {version}")

    # -- backup

    def _back_up(self, version: str) -> Saved:
        from ansible_collections.lockstep.teleport.plugins.module_utils import backup

        taken = backup.take_backup(self._order.backup_spec(version, self._host), extra=self._resources)
        return Saved(taken.path, taken.manifest)

    def _restore(self, path: str, version: str) -> None:
        from ansible_collections.lockstep.teleport.plugins.module_utils import backup

        spec = self._order.backup_spec(version, self._host)
        self.record.config_change = backup.restore_backup(path, spec).config_change

    # -- afterwards

    def _tidy_up(self) -> List[str]:
        try:
            return self._tidy()
        except OSError as problem:
            raise UpgradeFailed(
                f"the upgrade is done, but what is no longer needed could not be removed: {problem}. Remove the cause "
                "and run again.",
                False,
                {},
            ) from problem

    def _tidy(self) -> List[str]:
        layout = self._layout
        needed = [installation.current_folder(layout), installation.previous_folder(layout)]
        removed = release.prune(layout, self._order.keep, needed, durable.remove_folder)
        self._edits.prune(installation.kept_versions(layout))
        keep = int((self._order.backup or {}).get("keep") or 0)
        if self.record.backup and keep:
            from ansible_collections.lockstep.teleport.plugins.module_utils import backup

            backup.prune_backups(self._order.backup_spec(self.record.backup.manifest["version"], self._host), keep)
        return removed

    def _evidence(self) -> Dict[str, Any]:
        return evidence.collect(self._host, self._order.instance, self._began)

    def _result(self, found: Found, decision: Decision, after: Dict[str, Any]) -> Dict[str, Any]:
        saved = self.record.backup
        result: Dict[str, Any] = {
            "changed": not decision.nothing,
            "instance_before": {"version": found.version, "current": found.current, "running": bool(found.running)},
            "instance_after": after,
            "versions": {"from": found.version, "to": after["version"]},
            "diff": upgrade_decision.diff(found, decision, self._order.wish),
            "msg": upgrade_decision.summary(found, decision, self._order.wish),
            "rolled_back": False,
            **self.progress(),
        }
        if self._replacement:
            shown = "".join(f"{self._replacement.path}: {line}\n" for line in self._replacement.lines)
            result["diff"]["after"] += shown
            result["config_edit"] = {"path": self._replacement.path, "kept": self._replacement.kept}
        if saved:
            result["backup"] = {"path": saved.path, "manifest": saved.manifest}
        return result

    def progress(self) -> Dict[str, Any]:
        """What happened so far: ``timeline`` and ``outage``; a failure shows it as well."""
        change = self.record.config_change
        more = {"config_change": change.as_dict()} if change else {}
        return {"timeline": self.record.events, "outage": self.record.outage(), **more}


def _proof(after: Found) -> Dict[str, Any]:
    """What a later look is compared with: a server that dies after its upgrade was judged is noticed by it."""
    return {"version": after.version, "main_pid": after.unit.main_pid if after.unit else None}
