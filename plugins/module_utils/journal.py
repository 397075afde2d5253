# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade notes down on the host while it runs, so that the next run can finish or undo one that was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Any, Dict, Iterator, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, foreign_file
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError

_JOURNAL = ".transaction.json"
_LOCK = ".lock"
_RESULT = ".result.json"
#: Bytes; far above what either file holds.
_LARGEST = 16 << 20
_AHEAD = ".transaction-undoing.json"
#: Seconds for which a lock may be held by who only looks whether it is.
_LOOKS_END = 2.0

#: Phases in their order. From SWITCHED on the new version may have written to the backend.
PREPARED = "prepared"
STOPPED = "stopped"
SWITCHED = "switched"
UNDOING = "undoing"
PHASES = (PREPARED, STOPPED, SWITCHED, UNDOING)
#: Phases in which nothing but the old version can have run.
BEFORE_SWITCH = (PREPARED, STOPPED)


def journal_path(versions_dir: str) -> str:
    """Where the journal lies while a transaction is unfinished."""
    return os.path.join(versions_dir, _JOURNAL)


def read(versions_dir: str) -> Optional[Dict[str, Any]]:
    """Return the journal of an unfinished transaction, None when there is none.

    :raises HostError: when there is one that cannot be read: guessing could start an old version on a new backend.
    """
    path = journal_path(versions_dir)
    try:
        found = foreign_file.parse_json(foreign_file.read(path, _LARGEST))
        if found["phase"] not in PHASES:
            raise ValueError("unknown phase")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as problem:
        raise HostError(
            f"{path}: the journal of an unfinished upgrade cannot be read ({type(problem).__name__}). Check by hand "
            "which version the instance has to run, then remove the file."
        ) from problem
    return dict(found)


def phase(versions_dir: str) -> Optional[str]:
    """How far an unfinished transaction got; None when there is none, or when its journal cannot be read."""
    try:
        return (read(versions_dir) or {}).get("phase")
    except HostError:
        return None


def write(versions_dir: str, entry: Dict[str, Any]) -> None:
    """Note down the state of the transaction; it is on disk when this returns."""
    durable.write_json(journal_path(versions_dir), entry)


def write_ahead(versions_dir: str, entry: Dict[str, Any]) -> None:
    """Write what the journal will say when the transaction goes back, for `enter_ahead`."""
    durable.write_json(os.path.join(versions_dir, _AHEAD), entry)


def enter_ahead(versions_dir: str) -> None:
    """Let the journal say what was written ahead: a rename, so it works when the disk has become full since.

    :raises OSError: when nothing was written ahead.
    """
    os.rename(os.path.join(versions_dir, _AHEAD), journal_path(versions_dir))
    durable.sync_folder(versions_dir)


def clear(versions_dir: str) -> None:
    """Declare the transaction finished."""
    # First: left alone, it would lie there for ever.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(versions_dir, _AHEAD))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(journal_path(versions_dir))
        durable.sync_folder(versions_dir)


@contextlib.contextmanager
def alone(versions_dir: str) -> Iterator[None]:
    """Keep everybody else who changes what runs on this host out while the block runs.

    :raises HostError: when another one is at work, for example one whose connection was lost and that is finishing.
    """
    path = os.path.join(versions_dir, _LOCK)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(durable.exclusive(path, _LOOKS_END))
        except BlockingIOError as problem:
            raise HostError(
                f"another upgrade of this host is at work ({path} is locked). Wait until it has ended and run again."
            ) from problem
        yield


def remove_unused(versions_dir: str) -> None:
    """Remove a versions folder that holds nothing but the lock, so that a refused upgrade leaves no trace."""
    with contextlib.suppress(OSError):
        if os.listdir(versions_dir) == [_LOCK]:
            os.unlink(os.path.join(versions_dir, _LOCK))
            os.rmdir(versions_dir)


def is_busy(versions_dir: str) -> bool:
    """Whether somebody changes what runs on this host right now. False also where that cannot be told."""
    try:
        with open(os.path.join(versions_dir, _LOCK), encoding="utf-8") as handle:
            # Shared, so that those who look do not take each other for somebody at work.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def leave_result(versions_dir: str, run_id: str, result: Dict[str, Any]) -> None:
    """Keep a result for the controller, which may have lost the connection that it should have come through."""
    durable.write_json(os.path.join(versions_dir, _RESULT), {"run_id": run_id, "result": result})


def collect_result(versions_dir: str, run_id: str) -> Optional[Dict[str, Any]]:
    """Return the result that was kept for this run; None when there is none (yet)."""
    try:
        kept = foreign_file.parse_json(foreign_file.read(os.path.join(versions_dir, _RESULT), _LARGEST))
        return dict(kept["result"]) if kept["run_id"] == run_id else None
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
