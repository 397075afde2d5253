# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may hold the lock of a cluster: pure judgements over the record on an auth host, a claim, and a moment.

All times are those of the auth host that keeps the record. Ages are taken from its clock since boot, so neither a
controller with another time nor a clock that is set can make a live lock look dead.
"""

from __future__ import annotations

import time
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

#: Raised when a record means something else than before; a record of another format is never guessed at.
FORMAT = 1

TAKE = "take"
RENEW = "renew"
TAKE_OVER = "take_over"
REFUSE = "refuse"

#: Reasons to take over.
STALE = "stale"
DEAD = "dead"
OVERRIDE = "override"
#: Reasons to refuse.
HELD = "held"
OVERTAKEN = "overtaken"
LOST = "lost"

#: Seconds that a run at least takes from its start to its first look at a host; an end is noted a moment late.
_UNTIL_LOOKS = 0.5


class Moment(NamedTuple):
    """An instant on one host: seconds since the epoch, name of the boot, seconds since that boot."""

    wall: float
    boot: str
    uptime: float


class Record(NamedTuple):
    """The lock as it lies on an auth host. ``released`` is None while it is held; ``since`` is in epoch seconds.

    Runs that name the same ``share`` hold it side by side: ``sharers`` are the ids of all of them, ``run_id`` is one.
    """

    run_id: str
    cluster: str
    owner: Mapping[str, Any]
    playbook: str
    target: str
    since: float
    ttl: float
    renewed: Moment
    released: Optional[Moment] = None
    share: str = ""
    sharers: Tuple[str, ...] = ()


class Claim(NamedTuple):
    """What a run asks for.

    :param running_for: seconds since the run began; what it observed may be as old as that.
    :param override: run id of a live lock that the operator orders to take over.
    :param dead: run id whose process is known to have ended.
    :param renew_only: prolong what is held, and take nothing that is not.
    :param share: name that several runs give which may hold the lock together, such as the slices of one job.
    """

    run_id: str
    cluster: str
    owner: Mapping[str, Any]
    playbook: str = ""
    target: str = ""
    ttl: float = 600.0
    running_for: float = 0.0
    override: str = ""
    dead: str = ""
    renew_only: bool = False
    share: str = ""


class Decision(NamedTuple):
    """What to do with a claim, and why."""

    action: str
    reason: str = ""


def age(then: Moment, now: Moment) -> float:
    """Seconds since *then*, at least: what was written before the host's last boot is as old as that boot or older."""
    return max(now.uptime - then.uptime, 0.0) if then.boot == now.boot else now.uptime


def is_held(record: Optional[Record]) -> bool:
    """Whether somebody holds the lock, be it a stale one."""
    return record is not None and record.released is None


def is_held_by(record: Optional[Record], run_id: str) -> bool:
    """Whether this run holds the lock, alone or with others."""
    return record is not None and record.released is None and run_id in (record.run_id, *record.sharers)


def _is_shared(record: Record, claim: Claim) -> bool:
    return bool(claim.share) and record.share == claim.share


def decide(record: Optional[Record], claim: Claim, now: Moment) -> Decision:
    """Judge a claim on the lock.

    A free lock is refused to a run that observed the cluster while another one still worked on it: what it planned from
    may be gone.
    """
    if record is not None and record.released is None:
        return _decide_on_held(record, claim, now)
    if claim.renew_only:
        return Decision(REFUSE, LOST)
    if record is None or record.released is None or record.run_id == claim.run_id or _is_shared(record, claim):
        return Decision(TAKE)
    if age(record.released, now) < claim.running_for and not _had_ended(record, claim):
        return Decision(REFUSE, OVERTAKEN)
    return Decision(TAKE)


def _had_ended(record: Record, claim: Claim) -> bool:
    """Whether the holder was gone before the claimant began, though its lock was let go later.

    Only the clock of a controller that both ran on can tell. After a kill the lock is let go some seconds later, and
    whoever repeats the command at once has not overlapped with anybody.
    """
    theirs, ours = (one.owner.get("process") or {} for one in (record, claim))
    try:
        known = bool(theirs["boot"]) and theirs["boot"] == ours["boot"]
        return known and float(theirs["ended"]) <= float(ours["began"]) + _UNTIL_LOOKS
    except (KeyError, TypeError, ValueError):
        return False


def _decide_on_held(record: Record, claim: Claim, now: Moment) -> Decision:
    if is_held_by(record, claim.run_id):
        return Decision(RENEW)
    if claim.renew_only:
        return Decision(REFUSE, LOST)
    if _is_shared(record, claim):
        return Decision(TAKE)
    for named, reason in ((claim.override, OVERRIDE), (claim.dead, DEAD)):
        if record.run_id == named:
            return Decision(TAKE_OVER, reason)
    if age(record.renewed, now) > record.ttl:
        return Decision(TAKE_OVER, STALE)
    return Decision(REFUSE, HELD)


def granted(record: Optional[Record], claim: Claim, now: Moment) -> Record:
    """Return the record of a claim that was granted; a renewed one keeps its beginning."""
    if claim.renew_only and record is not None:
        return record._replace(renewed=now)
    if record is not None and record.released is None and _is_shared(record, claim):
        # The end of one process says nothing of the others any more.
        owner = {**record.owner, "process": {}}
        return record._replace(owner=owner, renewed=now, sharers=tuple(sorted({*record.sharers, claim.run_id})))
    own = record is not None and record.released is None and record.run_id == claim.run_id
    since = record.since if own and record is not None else now.wall
    sharers = (claim.run_id,) if claim.share else ()
    return Record(
        claim.run_id,
        claim.cluster,
        dict(claim.owner),
        claim.playbook,
        claim.target,
        since,
        claim.ttl,
        now,
        share=claim.share,
        sharers=sharers,
    )


def released(record: Record, run_id: str, now: Moment, ended: Optional[float] = None) -> Record:
    """Return the record of a lock that a run let go; those it shares it with go on holding it.

    The record stays, so that runs which began before are noticed. *ended* is when the run's process ended, in seconds
    since the boot of its controller; None while it lives.
    """
    others = tuple(sharer for sharer in record.sharers if sharer != run_id)
    if run_id not in record.sharers or not others:
        process = {**(record.owner.get("process") or {}), "ended": ended}
        return record._replace(released=now, owner={**record.owner, "process": process})
    return record._replace(run_id=others[0], sharers=others)


def may_release(record: Optional[Record], run_id: str, override: str) -> bool:
    """Whether a lock is the caller's to let go: its own, or the one it names."""
    return is_held_by(record, run_id) or is_held_by(record, override)


def parse(value: Any) -> Record:
    """Read a record.

    :raises ValueError: when *value* is none of this format.
    """
    try:
        if value["format"] != FORMAT:
            raise ValueError("format {!r}, this version knows {}".format(value["format"], FORMAT))
        ended = value["released"]
        return Record(
            str(value["run_id"]),
            str(value["cluster"]),
            dict(value["owner"]),
            str(value["playbook"]),
            str(value["target"]),
            float(value["since"]),
            float(value["ttl"]),
            _moment(value["renewed"]),
            None if ended is None else _moment(ended),
            str(value.get("share", "")),
            tuple(str(run_id) for run_id in value.get("sharers", ())),
        )
    except (LookupError, TypeError, AttributeError, OverflowError) as problem:
        raise ValueError(f"{type(problem).__name__}: {problem}") from problem


def _moment(value: Mapping[str, Any]) -> Moment:
    return Moment(float(value["wall"]), str(value["boot"]), float(value["uptime"]))


def dump(record: Record) -> Dict[str, Any]:
    """Return a record as plain data, as :func:`parse` reads it."""
    ended = record.released
    return {
        **record._asdict(),
        "format": FORMAT,
        "owner": dict(record.owner),
        "renewed": dict(record.renewed._asdict()),
        "released": None if ended is None else dict(ended._asdict()),
    }


def describe(record: Record, now: Moment) -> str:
    """Say who holds a lock, for what, since when and until when."""
    passed = age(record.renewed, now)
    until = _utc(now.wall + record.ttl - passed)
    return (
        f"{_owner(record.owner)} (run {record.run_id}, playbook {record.playbook or 'unknown'}"
        f"{' to ' + record.target if record.target else ''}) since {_utc(record.since)}; "
        f"last renewed {passed:.0f} s ago, valid until {until} unless renewed"
    )


def refusal(record: Optional[Record], claim: Claim, reason: str, now: Moment) -> str:
    """Say why a claim was refused and what to do."""
    if reason == LOST:
        holder = (
            f"It is held by {describe(record, now)}." if record is not None and is_held(record) else "Nobody holds it."
        )
        return (
            f"The lock of cluster {claim.cluster} is no longer this run's ({claim.run_id}). {holder} This run must not "
            "go on; run again when the other one has ended: the run continues from what it finds."
        )
    if record is None:
        return f"The lock of cluster {claim.cluster} was refused."
    if reason == OVERTAKEN:
        return (
            f"Run {record.run_id} of {_owner(record.owner)} worked on cluster {claim.cluster} while this run observed "
            "it, so what was planned may not hold any more. Run again."
        )
    return (
        f"Cluster {claim.cluster} is locked by {describe(record, now)}. Wait until that run has ended and run again. "
        f"Only if you know that it is dead, take the lock over with -e teleport_lock_override={record.run_id}."
    )


def takeover(record: Record, reason: str, now: Moment) -> str:
    """Say whose lock was taken over and why."""
    why = {
        STALE: f"it was not renewed for {age(record.renewed, now):.0f} s, {record.ttl:.0f} s are allowed",
        DEAD: "its process on this controller has ended",
        OVERRIDE: "teleport_lock_override names it",
    }[reason]
    return f"Took the lock of cluster {record.cluster} over from {_owner(record.owner)}, run {record.run_id}: {why}."


def _owner(owner: Mapping[str, Any]) -> str:
    named = "{}@{}".format(owner.get("user") or "unknown", owner.get("controller") or "unknown")
    return f"{named}, AWX job {owner['job']}" if owner.get("job") else named


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
