# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever runs do and in whatever order, clocks set and hosts booted in between: never do two own one lock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils import lock_decision as rules

RUNS = ["1-a", "2-b", "3-c"]
TTL = 600.0
#: What happens: a run and what it does, or time, or the clock.
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["claim", "beat", "release"]), st.sampled_from(RUNS)),
    st.tuples(st.just("pass"), st.floats(1, TTL * 0.6)),
    st.tuples(st.just("set clock"), st.floats(-1e8, 1e8)),
    st.tuples(st.just("boot"), st.floats(0, 50)),
)


class World:
    """An auth host's lock, and which of the runs renewed it when by an undeceived clock."""

    def __init__(self) -> None:
        self.record: rules.Record | None = None
        self.real = 0.0
        self.wall, self.boot, self.booted = 1.8e9, 0, -5000.0
        self.renewed: dict[str, float] = {}

    def now(self) -> rules.Moment:
        return rules.Moment(self.wall + self.real, str(self.boot), self.real - self.booted)

    def claim(self, run: str, renew_only: bool) -> None:
        claim = rules.Claim(run, "main", {}, ttl=TTL, renew_only=renew_only)
        decision = rules.decide(self.record, claim, self.now())
        if decision.action == rules.REFUSE:
            if decision.reason == rules.LOST:
                self.renewed.pop(run, None)
            return
        live = {other for other, at in self.renewed.items() if other != run and self.real - at <= TTL}
        assert not live, f"{run} got a lock that {live} had renewed in time"
        self.record = rules.granted(self.record, claim, self.now())
        self.renewed = {run: self.real}

    def release(self, run: str) -> None:
        self.renewed.pop(run, None)
        if self.record is not None and rules.may_release(self.record, run, ""):
            self.record = rules.released(self.record, run, self.now())


@given(st.lists(EVENTS, max_size=60))
def test_a_lock_renewed_in_time_is_never_given_to_another(events: list[tuple[str, object]]) -> None:
    world = World()
    for what, detail in events:
        if what in ("claim", "beat"):
            world.claim(str(detail), what == "beat")
        elif what == "release":
            world.release(str(detail))
        elif what == "pass":
            world.real += float(detail)  # type: ignore[arg-type]
        elif what == "set clock":
            world.wall += float(detail)  # type: ignore[arg-type]
        else:
            world.real += float(detail)  # type: ignore[arg-type]
            world.boot, world.booted = world.boot + 1, world.real


@given(st.lists(EVENTS, max_size=30), st.sampled_from(RUNS))
def test_a_lock_is_free_again_at_the_latest_one_life_after_its_last_renewal(
    events: list[tuple[str, object]], run: str
) -> None:
    world = World()
    for what, detail in events:
        if what == "claim":
            world.claim(str(detail), renew_only=False)
        elif what == "set clock":
            world.wall += float(detail)  # type: ignore[arg-type]
    world.real += TTL + 1
    claim = rules.Claim(run, "main", {}, ttl=TTL)
    assert rules.decide(world.record, claim, world.now()).action != rules.REFUSE
