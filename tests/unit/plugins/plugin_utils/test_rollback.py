# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollbacks by example: the order, where it leads, what forbids it, and how a run that was cut off goes on."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback import Outcome, plan_rollback, target
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_render import render, span
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_replay import replay

OLD, NEW = "15.5.4", "16.5.12"
NAME = "20260301T100000Z-15.5.4"


def row(host: str, *services: str, version: str = NEW, **more: Any) -> dict[str, Any]:
    return {"host": host, "cluster": "main", "services": list(services) or ["agent"], "version": version, **more}


def offer(host: str = "a1", *problems: str, version: str = OLD, name: str = NAME, **more: Any) -> dict[str, Any]:
    """What ``backup_info`` said on a host that offers one backup."""
    facts = {
        "name": name,
        "path": f"/backups/main/{name}",
        "cluster": "main",
        "version": version,
        "edition": "community",
        "created": "2026-03-01T10:00:00Z",
        "digest": "d" * 64,
        "restored": None,
        **more,
    }
    told = [{"code": code, "message": f"it is {code}"} for code in problems]
    return {"host": host, "backups": [facts], "chosen": {**facts, "problems": told}}


def data(*instances: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A group of two auth servers, a proxy, two agents and tools, all at NEW, and a backup on the first."""
    fleet = [
        row("a1", "auth"),
        row("a2", "auth"),
        row("p1", "proxy"),
        row("n1"),
        row("n2"),
        row("t1", "client"),
    ]
    own = {instance["host"] for instance in instances}
    return {
        "cluster": "main",
        "instances": [instance for instance in fleet if instance["host"] not in own] + list(instances),
        "backups": [offer()],
        "acknowledge": NAME,
        "now": "2026-03-01T12:30:00Z",
        **more,
    }


def steps(outcome: Outcome) -> list[tuple[str, str]]:
    assert not outcome.refused, outcome.message
    return [(step["phase"], step["host"]) for stage in outcome.plan["stages"] for step in stage["steps"]]


def codes(outcome: Outcome, severity: str = "blocker") -> set[str]:
    return {item["code"] for item in outcome.plan["findings"] if item["severity"] == severity}


def test_the_way_back_is_the_way_there_reversed() -> None:
    outcome = plan_rollback(data())
    assert steps(outcome) == [
        ("client", "t1"),
        ("agent", "n1"),
        ("agent", "n2"),
        ("proxy", "p1"),
        ("auth", "a1"),
        ("auth", "a2"),
    ]
    plan = outcome.plan
    assert (plan["target_version"], plan["restore"], plan["backup"]["host"]) == (OLD, True, "a1")
    assert [step["restores"] for step in plan["stages"][0]["steps"] if step["phase"] == "auth"] == [True, False]


def test_what_is_lost_is_said_with_its_time_span() -> None:
    outcome = plan_rollback(data())
    lost = outcome.plan["lost"]
    assert (lost["since"], lost["until"], lost["seconds"]) == ("2026-03-01T10:00:00Z", "2026-03-01T12:30:00Z", 9000)
    text = render(outcome.plan)
    assert "**2 hours 30 minutes**" in text
    assert "certificates issued" in text
    assert "Stop all auth servers, keep them from starting, and prove it on each: a1, a2" in text


def test_a_clock_that_is_off_makes_up_no_time_span() -> None:
    assert plan_rollback(data(now="2026-03-01T09:00:00Z")).plan["lost"]["seconds"] is None


def test_all_reasons_are_named_at_once() -> None:
    found = plan_rollback(
        data(
            row("n1", state="unreachable"),
            row("b1", "auth", cluster="branch"),
            clusters={"branch": {"root": "main"}},
            backups=[offer("a1", "foreign", "unusable")],
            refusals={"n2": "15.5.4 is not kept and cannot be fetched"},
            version="15.4.0",
        )
    )
    assert found.refused
    assert codes(found) == {
        "rollback-unreachable",
        "rollback-leaf-newer",
        "rollback-backup-foreign",
        "rollback-backup-unusable",
        "rollback-backup-version",
        "rollback-host-refuses",
    }
    assert found.message.startswith("The rollback is refused, 6 blockers; nothing has been changed.")
    assert found.plan["stages"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"acknowledge": ""}, "rollback-unacknowledged"),
        ({"acknowledge": "20260101T000000Z-15.5.4"}, "rollback-unacknowledged"),
        ({"backups": []}, "rollback-no-backup"),
        ({"backups": [{"host": "a1", "backups": [], "chosen": None}]}, "rollback-no-backup"),
        ({"backups": [offer("a1", "elsewhere")]}, "rollback-backup-elsewhere"),
        ({"backups": [offer(version="14.3.33")]}, "rollback-too-far"),
        ({"backups": [offer(version="17.7.20")]}, "rollback-not-back"),
        (
            {"backups": [offer(edition="enterprise")], "instances": [row("a1", "auth", edition="community")]},
            "edition-change",
        ),
        ({"cluster": "other"}, "rollback-cluster-unknown"),
        ({"version": "16.5.13"}, "rollback-not-back"),
    ],
)
def test_refused(changes: dict[str, Any], code: str) -> None:
    outcome = plan_rollback({**data(), **changes})
    assert outcome.refused
    assert code in codes(outcome)


def test_unacknowledged_says_what_to_type() -> None:
    outcome = plan_rollback(data(acknowledge=""))
    assert f"-e teleport_rollback_acknowledge={NAME}" in outcome.message
    text = render(outcome.plan, refused=True)
    assert "**2 hours 30 minutes**" in text
    assert "## Steps that would follow" in text
    assert "Auth server a1 to 15.5.4" in text
    assert outcome.plan["stages"] == []
    assert "The cluster is up: a1, a2 serves at 16.5.12." in outcome.message


def test_nothing_has_to_be_accepted_when_nothing_is_lost() -> None:
    held = [row(host, "auth", held=True, state="stopped", interrupted=True) for host in ("a1", "a2")]
    assert not plan_rollback(data(*held, backups=[offer(restored=True)], acknowledge="")).refused


@pytest.mark.parametrize("line", [NEW, "17.7.20"])
def test_a_root_that_would_be_too_far_ahead_refuses(line: str) -> None:
    root = row("r1", "auth", cluster="root", version=line)
    outcome = plan_rollback(data(root, clusters={"main": {"root": "root"}}))
    assert codes(outcome) == ({"rollback-leaf-behind"} if line == "17.7.20" else set())


def test_a_leaf_of_the_same_line_as_its_root_will_be_stays() -> None:
    leaf = row("b1", "auth", cluster="branch", version="15.5.3")
    outcome = plan_rollback(data(leaf, clusters={"branch": {"root": "main"}}))
    assert "b1" not in [host for _phase, host in steps(outcome)]


def test_any_auth_host_may_offer_the_backup_and_goes_first() -> None:
    outcome = plan_rollback(data(backups=[offer("a1", "unusable"), offer("a2")]))
    assert [host for phase, host in steps(outcome) if phase == "auth"] == ["a2", "a1"]


def test_a_backup_that_is_not_the_newest_of_its_version_is_pointed_at() -> None:
    given = offer()
    given["backups"] = [{**given["backups"][0], "name": "later", "created": "2026-03-01T11:00:00Z"}, *given["backups"]]
    assert codes(plan_rollback(data(backups=[given])), "warning") == {"rollback-newer-backup"}


def test_inside_a_line_a_version_is_named_and_nothing_is_restored() -> None:
    outcome = plan_rollback(data(version="16.5.1", backups=[], acknowledge=""))
    assert len(steps(outcome)) == 6
    assert (outcome.plan["restore"], outcome.plan["lost"]) == (False, None)


def test_across_a_line_a_version_without_a_backup_is_refused() -> None:
    assert codes(plan_rollback(data(version=OLD, backups=[]))) == {"rollback-no-backup"}


def test_who_is_as_old_already_stays() -> None:
    outcome = plan_rollback(data(row("n1", version=OLD), row("n2", version="15.2.0"), row("p1", "proxy", version=OLD)))
    assert steps(outcome) == [("client", "t1"), ("auth", "a1"), ("auth", "a2")]


def test_unreachable_agents_can_be_left_and_unlisted_ones_too() -> None:
    given = data(row("n1", state="unreachable"), unmanaged=[row("x1")])
    assert codes(plan_rollback(given)) == {"rollback-unreachable", "rollback-unmanaged-newer"}
    waived = plan_rollback({**given, "waivers": ["rollback-unreachable", "rollback-unmanaged-newer"]})
    assert ("agent", "n1") not in steps(waived)


BACK: dict[str, Any] = {"version": OLD}
HELD: dict[str, Any] = {"held": True, "state": "stopped", "interrupted": True}
OTHERS = [row("p1", "proxy", **BACK), row("n1", **BACK), row("n2", **BACK), row("t1", "client", **BACK)]


@pytest.mark.parametrize(
    ("first", "second", "restore", "left"),
    [
        (HELD, HELD, True, ["a1", "a2"]),
        ({**HELD, **BACK}, HELD, True, ["a1", "a2"]),
        (BACK, HELD, False, ["a2"]),
        (BACK, {**HELD, **BACK}, False, ["a2"]),
        ({**BACK, "state": "stopped"}, HELD, False, ["a1", "a2"]),
        (BACK, BACK, False, []),
        # An upgrade that failed on its peer looks alike but for the holds: the backend is of the new version.
        ({}, {**HELD, **BACK}, True, ["a1", "a2"]),
        ({"version": NEW}, {**BACK, "state": "stopped"}, True, ["a1", "a2"]),
    ],
)
def test_a_run_that_was_cut_off_goes_on(
    first: dict[str, Any], second: dict[str, Any], restore: bool, left: list[str]
) -> None:
    given = data(row("a1", "auth", **first), row("a2", "auth", **second), *OTHERS)
    outcome = plan_rollback(given)
    assert [host for _phase, host in steps(outcome)] == left
    assert outcome.plan["restore"] == restore
    assert (outcome.plan["lost"] is not None) == restore


def test_the_draft_names_who_would_change() -> None:
    assert target(data(acknowledge="")) == {"version": OLD, "hosts": ["t1", "n1", "n2", "p1", "a1", "a2"]}
    assert target(data(backups=[])) == {"version": None, "hosts": []}


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda steps: steps.reverse(), "the phases do not go"),
        (lambda steps: steps.pop(1), "ends at 16.5.12, newer than its auth servers"),
        (lambda steps: steps.pop(), "not all of the auth servers are stopped"),
        (lambda steps: steps[-2].update(restores=False), "the backend is not restored once"),
        (lambda steps: steps[0].update({"from": "16.0.0"}), "it runs 16.5.12"),
        (lambda steps: steps[-1].update(batch=steps[-2]["batch"]), "two auth servers change together"),
    ],
)
def test_the_second_opinion_finds(break_it: Any, words: str) -> None:
    given = data()
    plan = plan_rollback(given).plan
    break_it(plan["stages"][0]["steps"])
    assert any(words in text for text in replay(plan, given, Catalogue.load()))


def test_the_second_opinion_misses_a_restore() -> None:
    given = data()
    plan = plan_rollback(given).plan
    plan["restore"] = False
    for step in plan["stages"][0]["steps"]:
        step.pop("restores", None)
        step["restores"] = False
    told = replay(plan, given, Catalogue.load())
    assert "auth servers go back across a release line without a restore" in told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "an unknown time"), (0, "less than a second"), (61, "1 minute 1 second"), (180000, "2 days 2 hours")],
)
def test_time_spans(seconds: int | None, text: str) -> None:
    assert span(seconds) == text
