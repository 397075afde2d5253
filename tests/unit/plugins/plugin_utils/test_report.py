# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import report as report_module
from ansible_collections.lockstep.teleport.plugins.plugin_utils.report import (
    build_report,
    render,
    stage_record,
    unfinished_record,
)


def step(phase: str, host: str, cluster: str = "east") -> dict[str, Any]:
    return {"phase": phase, "cluster": cluster, "host": host, "from": "15.5.4", "to": "16.5.18", "batch": 0}


def instance(host: str, *services: str, cluster: str = "east", version: str | None = "15.5.4") -> dict[str, Any]:
    return {"host": host, "cluster": cluster, "services": list(services) or ["agent"], "version": version}


PLAN: dict[str, Any] = {
    "digest": "d1",
    "target_version": "16.5.18",
    "stages": [{"steps": [step("auth", "a1"), step("auth", "a2"), step("agent", "n1"), step("agent", "w1", "west")]}],
}
OUTAGE: dict[str, Any] = {"stopped_at": 10.0, "ready_at": 12.5, "seconds": 2.5}
UPGRADE: dict[str, Any] = {
    "timeline": [{"event": "stop", "at": 10.0}],
    "outage": OUTAGE,
    "backup": {"path": "/b/1", "manifest": {}},
}
HOSTVARS: dict[str, dict[str, Any]] = {
    "a1": {"auth_part": {"role": "primary"}, "auth_upgrade": UPGRADE},
    "a2": {"auth_part": {"role": "peer"}, "auth_upgrade": UPGRADE},
}
INSTANCES = [instance("a1", "auth", "proxy"), instance("a2", "auth"), instance("n1"), instance("w1", cluster="west")]


def record(*failed: str, hostvars: dict[str, dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    return stage_record(PLAN, 0, "east", HOSTVARS if hostvars is None else hostvars, failed)


def page(*failed: str, dry_run: bool = False) -> str:
    return render(build_report(PLAN, INSTANCES, record(*failed), dry_run))


# -- the record of a stage


def test_a_record_has_the_steps_of_its_cluster_in_order() -> None:
    assert [(entry["host"], entry["outcome"]) for entry in record("n1")] == [
        ("a1", "done"),
        ("a2", "done"),
        ("n1", "failed"),
    ]


def test_the_primary_alone_tells_the_outage_and_the_backup() -> None:
    primary, peer, agent = record()
    assert (primary["outage"], primary["backup"]) == (2.5, "/b/1")
    assert "outage" not in peer
    assert peer["timeline"] == UPGRADE["timeline"]
    assert "timeline" not in agent


@pytest.mark.parametrize("upgrade", [None, {}, {"outage": None, "timeline": None}])
def test_an_auth_server_that_was_not_stopped_tells_no_outage(upgrade: dict[str, Any] | None) -> None:
    hostvars = {"a1": {"auth_part": {"role": "primary"}, "auth_upgrade": upgrade}, "a2": {}}
    primary = record(hostvars=hostvars)[0]
    assert primary["timeline"] == []
    assert "outage" not in primary


def test_variables_of_agents_are_not_read() -> None:
    assert len(record(hostvars={"a1": {}, "a2": {}})) == 3


def test_a_stage_beyond_the_plan_has_no_record() -> None:
    assert stage_record(PLAN, 1, "east", {}, []) == []


# -- the report


def test_hosts_before_and_after() -> None:
    found = build_report(PLAN, INSTANCES, record("n1"))
    assert {row["host"]: (row["before"], row["after"]) for row in found["hosts"]} == {
        "a1": ("15.5.4", "16.5.18"),
        "a2": ("15.5.4", "16.5.18"),
        "n1": ("15.5.4", "15.5.4"),
        "w1": ("15.5.4", "15.5.4"),
    }
    assert (found["failed"], found["dry_run"], found["plan"]) == (["n1"], False, PLAN)


def test_the_last_hop_counts() -> None:
    later = [{**entry, "stage": 1, "to": "17.7.20"} for entry in record()]
    found = build_report(PLAN, INSTANCES, [*record(), *later])
    assert found["hosts"][0]["after"] == "17.7.20"
    assert [row["stage"] for row in found["auth_outages"]] == [0, 1]


def test_a_report_shows_versions_outages_and_what_is_left() -> None:
    lines = page("n1").splitlines()
    assert lines[0] == "# Teleport upgrade to 16.5.18"
    assert "| host | cluster | services | before | after |" in lines
    assert "| a1 | east | auth, proxy | 15.5.4 | 16.5.18 |" in lines
    assert "| 0 → 16.5.18 | east | 2.5 | a1 | /b/1 |" in lines
    assert any(line.startswith("Failed: n1. ") for line in lines)


def test_a_run_that_left_auth_alone_says_so() -> None:
    text = render(build_report(PLAN, INSTANCES, record(hostvars={"a1": {}, "a2": {}})))
    assert text.endswith("Auth was not away.\n")


def test_what_is_not_known_is_a_dash() -> None:
    unready = {**UPGRADE, "outage": {**OUTAGE, "ready_at": None, "seconds": None}, "backup": None}
    hostvars = {**HOSTVARS, "a1": {**HOSTVARS["a1"], "auth_upgrade": unready}}
    text = render(build_report(PLAN, [instance("n1", version=None)], record("n1", hostvars=hostvars)))
    assert "| 0 → 16.5.18 | east | – | a1 | – |" in text
    assert "| n1 | east | agent | – | – |" in text


@pytest.mark.parametrize(("hosts", "most", "more"), [(200, 200, 0), (201, 200, 1), (10_000, 200, 9_800)])
def test_a_long_table_ends_with_how_many_are_left(hosts: int, most: int, more: int) -> None:
    text = render(build_report(PLAN, [instance(f"n{number}") for number in range(hosts)], []))
    assert text.count("| agent |") == min(hosts, most)
    assert (f"… and {more} more hosts, see the JSON report." in text) is bool(more)


# -- a dry run


def test_a_dry_run_says_what_would_be() -> None:
    found = build_report(PLAN, INSTANCES, record(), dry_run=True)
    assert {entry["outcome"] for entry in found["steps"]} == {"planned"}
    text = page(dry_run=True)
    assert text.startswith("# Planned: Teleport upgrade to 16.5.18\n")
    assert "| host | cluster | services | runs | would run |" in text
    assert "| a1 | east | auth, proxy | 15.5.4 | 16.5.18 |" in text
    assert text.endswith("Nothing was changed. The Auth Service would be stopped: east in 1 stage.\n")


def test_a_dry_run_names_what_would_fail() -> None:
    text = page("n1", dry_run=True)
    assert "Would fail: n1. " in text
    assert "| n1 | east | agent | 15.5.4 | 15.5.4 |" in text


def test_a_dry_run_without_auth_steps() -> None:
    steps = [entry for entry in record() if entry["phase"] == "agent"]
    assert "No Auth Service would be stopped." in render(build_report(PLAN, INSTANCES, steps, dry_run=True))


# -- a run that did not go to its end


HALTED = {"kind": "stopped", "reason": "a2: no", "stage": 0, "phase": "auth", "hosts": ["a2"]}


def upgraded(role: str, to: str = "16.5.18", **result: Any) -> dict[str, Any]:
    return {"auth_part": {"role": role, "to": to}, "auth_upgrade": {**UPGRADE, **result}}


def test_of_an_unfinished_stage_what_was_begun_is_told() -> None:
    hostvars = {"a1": upgraded("primary", instance_after={}), "a2": upgraded("peer", failed=True)}
    batches = [{"stage": 0, "hosts": ["n1"]}, {"stage": 1, "hosts": ["w1"]}]
    found = unfinished_record(PLAN, HALTED, batches, hostvars, [])
    assert [(entry["host"], entry["outcome"]) for entry in found] == [("a1", "done"), ("a2", "failed"), ("n1", "done")]
    assert (found[0]["outage"], found[0]["stage"]) == (2.5, 0)


def test_what_an_auth_server_did_in_an_earlier_stage_is_not_told_of_this_one() -> None:
    hostvars = {name: upgraded("peer", to="15.5.4", instance_after={}) for name in ("a1", "a2")}
    assert unfinished_record(PLAN, {**HALTED, "hosts": []}, [], hostvars, []) == []


def test_what_a_gate_recorded_is_not_told_twice() -> None:
    batches = [{"stage": 0, "hosts": ["n1", "w1"]}]
    found = unfinished_record(PLAN, HALTED, batches, {"a1": {}, "a2": {}}, record())
    assert [entry["host"] for entry in found] == ["w1"]


@pytest.mark.parametrize("halted", [{}, {**HALTED, "stage": 7}, {**HALTED, "stage": -1}])
def test_without_a_stage_nothing_is_unfinished(halted: dict[str, Any]) -> None:
    assert unfinished_record(PLAN, halted, [], {}, []) == []


def test_a_stop_is_told_with_what_is_left_and_what_was_seen() -> None:
    hostvars = {"a1": upgraded("primary", instance_after={}), "a2": upgraded("peer", failed=True)}
    records = unfinished_record(PLAN, HALTED, [], hostvars, [])
    report = build_report(PLAN, INSTANCES, records, False, HALTED, {"a2": None})
    assert (report["state"], report["reason"], report["failed"]) == ("stopped", "a2: no", ["a2"])
    assert report["left"] == ["a2", "n1", "w1"]
    after = {row["host"]: row["after"] for row in report["hosts"]}
    assert after == {"a1": "16.5.18", "a2": None, "n1": "15.5.4", "w1": "15.5.4"}
    assert "**Stopped**: a2: no" in render(report)
    assert "Left to do: a2, n1, w1. Mend the cause and run the same command again" in render(report)


def test_what_is_left_is_told_with_the_command_that_finishes_it() -> None:
    inventories = ["/etc/ansible/hosts one.yml", "west.tctl.yml"]
    stopped = build_report(PLAN, INSTANCES, [], False, HALTED, {}, inventories)
    assert stopped["finish"] == (
        "ansible-playbook -i '/etc/ansible/hosts one.yml' -i west.tctl.yml lockstep.teleport.upgrade"
        f" -e teleport_target_version={PLAN['target_version']}"
    )
    within_budget = build_report(PLAN, INSTANCES, stage_record(PLAN, 0, "east", HOSTVARS, ["n1"]))
    for report in (stopped, within_budget):
        assert render(report).count(report["finish"]) == 1


def test_hosts_that_the_plan_left_out_are_named_with_the_command() -> None:
    everyone = [*INSTANCES, instance("n2", version=None), instance("n3", version="16.5.18")]
    both = record() + stage_record(PLAN, 0, "west", HOSTVARS, [])
    report = build_report(PLAN, everyone, both)
    assert (report["skipped"], report["left"]) == (["n2"], [])
    assert "Skipped: n2. " in render(report)
    assert render(report).count(report["finish"]) == 1
    assert render(build_report(PLAN, everyone, record("n1"))).count(report["finish"]) == 1
    assert "Skipped" not in render(build_report(PLAN, INSTANCES, both))


def test_a_run_that_went_to_its_end_has_nothing_left() -> None:
    both = record() + stage_record(PLAN, 0, "west", HOSTVARS, [])
    report = build_report(PLAN, INSTANCES, both)
    assert (report["state"], report["left"]) == ("completed", [])


def test_a_pause_names_the_first_of_many_that_are_left() -> None:
    many = {**PLAN, "stages": [{"steps": [step("agent", f"n{number:03}") for number in range(30)]}]}
    told = render(build_report(many, [], [], False, {**HALTED, "kind": "paused", "hosts": []}))
    assert "n000, n001" in told
    assert "and 10 more. Take the pause away" in told


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", r"| a\|b |"),
        ("a\n# b", "| a # b |"),
        ("\x1b[2Ja", r"| \x1b[2Ja |"),
        ("<script>", "| &lt;script> |"),
        (None, "| – |"),
    ],
)
def test_no_name_breaks_out_of_its_cell(name: str | None, shown: str) -> None:
    assert report_module._table(("host",), [(name,)])[-1] == shown
