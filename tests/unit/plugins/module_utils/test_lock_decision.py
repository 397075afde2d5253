# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets the lock of a cluster, and what the others are told."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import lock_decision as rules
from ansible_collections.lockstep.teleport.plugins.module_utils.lock_decision import Claim, Decision, Moment, Record

NOW = Moment(1_800_000_000.0, "boot-1", 5_000.0)
OWNER = {"user": "alice", "controller": "ctl1", "job": "", "process": {}}


def later(seconds: float, wall: float = 0.0) -> Moment:
    """The host's clock since boot has moved on; the other one by *wall* besides."""
    return Moment(NOW.wall + seconds + wall, NOW.boot, NOW.uptime + seconds)


def record(run_id: str = "1-aa", **changes: object) -> Record:
    return Record(run_id, "main", OWNER, "upgrade", "17.7.20", NOW.wall - 90, 600.0, NOW)._replace(**changes)  # type: ignore[arg-type]


def claim(run_id: str = "2-bb", **changes: object) -> Claim:
    return Claim(run_id, "main", {"user": "bob", "controller": "ctl2"}, "upgrade")._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "asked", "now", "expected"),
    [
        (None, claim(), NOW, (rules.TAKE, "")),
        (record(), claim("1-aa"), NOW, (rules.RENEW, "")),
        (record(), claim(), later(599), (rules.REFUSE, rules.HELD)),
        (record(), claim(), later(601), (rules.TAKE_OVER, rules.STALE)),
        # The owner may be late; nobody has taken its lock yet.
        (record(), claim("1-aa", renew_only=True), later(601), (rules.RENEW, "")),
        (record(), claim(override="1-aa"), NOW, (rules.TAKE_OVER, rules.OVERRIDE)),
        (record(), claim(override="0-old"), NOW, (rules.REFUSE, rules.HELD)),
        (record(), claim(override=""), NOW, (rules.REFUSE, rules.HELD)),
        (record(), claim(dead="1-aa"), NOW, (rules.TAKE_OVER, rules.DEAD)),
        (record(), claim(dead="0-old"), NOW, (rules.REFUSE, rules.HELD)),
        (record(), claim(renew_only=True), later(601), (rules.REFUSE, rules.LOST)),
        (None, claim(renew_only=True), NOW, (rules.REFUSE, rules.LOST)),
        (record(released=NOW), claim("1-aa", renew_only=True), NOW, (rules.REFUSE, rules.LOST)),
        (record(released=NOW), claim(), later(30), (rules.TAKE, "")),
        (record(released=NOW), claim(running_for=29), later(30), (rules.TAKE, "")),
        (record(released=NOW), claim(running_for=31), later(30), (rules.REFUSE, rules.OVERTAKEN)),
        (record(released=NOW), claim("1-aa", running_for=31), later(30), (rules.TAKE, "")),
    ],
)
def test_decision(found: Record | None, asked: Claim, now: Moment, expected: tuple[str, str]) -> None:
    assert rules.decide(found, asked, now) == Decision(*expected)


@pytest.mark.parametrize(
    ("ended", "ours", "action"),
    [
        (50.0, {"boot": "c", "began": 49.6}, rules.TAKE),
        (50.0, {"boot": "c", "began": 49.4}, rules.REFUSE),
        (50.0, {"boot": "another controller", "began": 60.0}, rules.REFUSE),
        (50.0, {"boot": "c"}, rules.REFUSE),
        (50.0, {}, rules.REFUSE),
        (None, {"boot": "c", "began": 60.0}, rules.REFUSE),
    ],
)
def test_who_begins_after_the_end_of_the_holder_was_not_overtaken(
    ended: float | None, ours: dict[str, object], action: str
) -> None:
    held = record(owner={"user": "ann", "process": {"boot": "c", "pid": 1}})
    free = rules.parse(rules.dump(rules.released(held, "1-aa", NOW, ended)))
    asked = claim(running_for=31, owner={"user": "bob", "process": ours})
    assert rules.decide(free, asked, later(30)).action == action


@pytest.mark.parametrize("wall", [-1e9, -3600.0, 3600.0, 1e9])
def test_a_clock_that_is_set_changes_nothing(wall: float) -> None:
    assert rules.decide(record(), claim(), later(10, wall)).action == rules.REFUSE
    assert rules.decide(record(), claim(), later(601, wall)).action == rules.TAKE_OVER


def test_a_lock_from_before_the_boot_is_as_old_as_the_boot() -> None:
    booted = Moment(NOW.wall - 1e6, "boot-2", 40.0)
    assert rules.decide(record(), claim(), booted).action == rules.REFUSE
    assert rules.decide(record(), claim(), booted._replace(uptime=601.0)).action == rules.TAKE_OVER


def test_the_refusal_says_who_since_when_until_when_and_what_to_do() -> None:
    told = rules.refusal(record(owner={**OWNER, "job": "42"}), claim(), rules.HELD, later(60))
    for part in (
        "alice@ctl1, AWX job 42",
        "run 1-aa",
        "upgrade to 17.7.20",
        "since 2027-01-15T07:58:30Z",
        "renewed 60 s ago",
        "valid until 2027-01-15T08:10:00Z",
        "-e teleport_lock_override=1-aa",
    ):
        assert part in told


@pytest.mark.parametrize("reason", [rules.STALE, rules.DEAD, rules.OVERRIDE])
def test_a_takeover_names_whose_lock_it_was(reason: str) -> None:
    assert "alice@ctl1, run 1-aa" in rules.takeover(record(), reason, later(700))


def test_a_lost_lock_names_its_new_holder() -> None:
    assert "held by alice@ctl1" in rules.refusal(record(), claim(), rules.LOST, NOW)
    assert "Nobody holds it" in rules.refusal(record(released=NOW), claim(), rules.LOST, NOW)


def test_an_overtaken_run_is_told_to_run_again() -> None:
    told = rules.refusal(record(released=NOW), claim(running_for=9), rules.OVERTAKEN, later(1))
    assert "1-aa" in told
    assert told.endswith("Run again.")


@pytest.mark.parametrize("ended", [None, NOW])
def test_a_record_is_read_as_it_was_written(ended: Moment | None) -> None:
    assert rules.parse(rules.dump(record(released=ended))) == record(released=ended)


@pytest.mark.parametrize("value", [None, [], {}, "x", {"format": 2}, {**rules.dump(record()), "ttl": "soon"}])
def test_what_is_no_record_is_said(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        rules.parse(value)


def test_a_renewed_lock_keeps_its_beginning_and_a_new_one_begins_now() -> None:
    own = claim("1-aa")
    assert rules.granted(record(), own, later(60)).since == NOW.wall - 90
    assert rules.granted(record(released=NOW), own, later(60)).since == NOW.wall + 60
    assert rules.granted(record(), claim(), later(60)).since == NOW.wall + 60


def test_a_keeper_prolongs_and_changes_nothing_else() -> None:
    kept = rules.granted(record(), claim("1-aa", renew_only=True), later(60))
    assert kept == record(renewed=later(60))


def test_only_the_holder_or_who_names_it_lets_go() -> None:
    assert rules.may_release(record(), "1-aa", "")
    assert rules.may_release(record(), "2-bb", "1-aa")
    assert not rules.may_release(record(), "2-bb", "")
    assert not rules.may_release(record(released=NOW), "1-aa", "")
    assert not rules.may_release(None, "1-aa", "")


SLICES = "AWX workflow job 7"


def shared(*run_ids: str, **changes: object) -> Record:
    return record(run_ids[0], share=SLICES, sharers=run_ids, **changes)


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        (shared("1-aa"), claim(share=SLICES), (rules.TAKE, "")),
        (shared("1-aa"), claim(share="AWX workflow job 8"), (rules.REFUSE, rules.HELD)),
        (shared("1-aa"), claim(), (rules.REFUSE, rules.HELD)),
        (record(), claim(share=SLICES), (rules.REFUSE, rules.HELD)),
        (shared("1-aa"), claim(share=SLICES, renew_only=True), (rules.REFUSE, rules.LOST)),
        (shared("1-aa", "2-bb"), claim(share=SLICES, renew_only=True), (rules.RENEW, "")),
        # A slice that starts late observed while another one worked, and may go on all the same.
        (shared("1-aa", released=NOW), claim(share=SLICES, running_for=1e4), (rules.TAKE, "")),
        (shared("1-aa", released=NOW), claim(running_for=1e4), (rules.REFUSE, rules.OVERTAKEN)),
    ],
)
def test_slices_of_one_job_hold_a_lock_together(found: Record, asked: Claim, expected: tuple[str, str]) -> None:
    assert rules.decide(found, asked, NOW) == Decision(*expected)


def test_a_shared_lock_is_free_when_the_last_has_let_it_go() -> None:
    both = rules.granted(shared("1-aa", owner={**OWNER, "process": {"pid": 1}}), claim(share=SLICES), NOW)
    assert (both.sharers, both.owner["process"]) == (("1-aa", "2-bb"), {})
    one = rules.released(both, "1-aa", NOW)
    assert (one.run_id, one.sharers, one.released) == ("2-bb", ("2-bb",), None)
    assert not rules.is_held_by(one, "1-aa")
    assert rules.released(one, "2-bb", NOW).released == NOW
    assert rules.parse(rules.dump(both)) == both
