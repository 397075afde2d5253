# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock's record on an auth host: read, judged and replaced in one step that no other process can come between."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from typing import Callable, Iterator, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils import lock_decision as rules
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

_GUARD = ".guard"
#: Bytes; a record has some hundreds.
_LARGEST = 1 << 20
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
#: Seconds to wait for another process that is just reading or replacing the record.
_PATIENCE = 10.0


class Outcome(NamedTuple):
    """What became of a claim: the decision, the record found, and the record that lies there now."""

    decision: rules.Decision
    before: Optional[rules.Record]
    after: Optional[rules.Record]


def moment_now() -> rules.Moment:
    """Return this host's now. Its clock since boot goes on while the host sleeps."""
    try:
        with open(_BOOT_ID, encoding="ascii") as source:
            boot = source.read().strip()
    except OSError:
        boot = ""
    return rules.Moment(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME))


class LockStore:
    """The lock of one cluster in one folder of this host."""

    def __init__(self, directory: str, cluster: str, now: Callable[[], rules.Moment] = moment_now) -> None:
        self.directory = directory
        self._now = now
        # The cluster's name comes from outside, and two names may read the same once they are made safe.
        safe = re.sub(r"[^A-Za-z0-9.-]", "_", cluster)[:64]
        mark = hashlib.sha256(cluster.encode()).hexdigest()[:8]
        self.path = os.path.join(directory, f"{safe}-{mark}.json")

    def read(self) -> Optional[rules.Record]:
        """Return the record, None when there never was one.

        :raises HostError: when it cannot be read: guessing could let two runs in.
        """
        try:
            return rules.parse(foreign_file.parse_json(foreign_file.read(self.path, _LARGEST)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as problem:
            raise HostError(
                f"{self.path}: the lock of the cluster cannot be read ({problem}). Find out whether another run is at "
                "work; if none is, remove the file and run again."
            ) from problem

    def claim(self, claim: rules.Claim, check_mode: bool = False) -> Outcome:
        """Judge a claim, and write it down when it is granted. The record is on disk when this returns.

        :raises HostError: when the record cannot be read or written.
        """
        if check_mode:
            before = self.read()
            return Outcome(rules.decide(before, claim, self._now()), before, before)
        with self._alone():
            before = self.read()
            now = self._now()
            decision = rules.decide(before, claim, now)
            if decision.action == rules.REFUSE:
                return Outcome(decision, before, before)
            after = rules.granted(before, claim, now)
            self._write(after)
            return Outcome(decision, before, after)

    def release(self, run_id: str, override: str = "", check_mode: bool = False, ended: Optional[float] = None) -> bool:
        """Let a lock go that is the caller's; say whether there was one to let go.

        :param ended: when the run's process ended, see `lock_decision.released`.
        :raises HostError: when the record cannot be read or written.
        """
        if not rules.may_release(self.read(), run_id, override):
            return False
        if check_mode:
            return True
        with self._alone():
            record = self.read()
            if record is None or not rules.may_release(record, run_id, override):
                return False
            named = run_id if rules.is_held_by(record, run_id) else override
            self._write(rules.released(record, named, self._now(), ended))
            return True

    def now(self) -> rules.Moment:
        """Return this host's now."""
        return self._now()

    def _write(self, record: rules.Record) -> None:
        try:
            durable.write_json(self.path, rules.dump(record))
        except OSError as problem:
            raise HostError(
                f"{self.path}: the lock of the cluster cannot be written ({problem.strerror})."
            ) from problem

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            # Another process may be making it right now.
            with contextlib.suppress(FileExistsError):
                durable.private_folder(self.directory)
            durable.private_folder(self.directory)
        except OSError as problem:
            raise HostError(
                f"{self.directory}: the folder of locks cannot be used ({problem.strerror}). The run has to become "
                "root on the auth hosts."
            ) from problem
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(durable.exclusive(os.path.join(self.directory, _GUARD), _PATIENCE))
            except BlockingIOError:
                raise HostError(
                    f"{self.directory}: another process has kept the folder of locks busy for {_PATIENCE:g} s. Find it "
                    "(fuser), and run again."
                ) from None
            yield
