# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each host needs before an upgrade, and how a run that brings it is summed up."""

from __future__ import annotations

from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import staging_view


def stage(to: str, *hosts: str) -> dict[str, Any]:
    """Return a stage that brings hosts to a version."""
    return {"steps": [{"host": host, "to": to} for host in hosts]}


def test_every_host_needs_what_it_will_run_in_that_order() -> None:
    plan = {"stages": [stage("6.2.31", "a", "b"), stage("7.3.21", "b", "c"), stage("7.3.21", "b")]}
    assert staging_view.staging_paths(plan) == {"a": ["6.2.31"], "b": ["6.2.31", "7.3.21"], "c": ["7.3.21"]}


def test_without_a_plan_nobody_needs_anything() -> None:
    assert staging_view.staging_paths({}) == {}


def test_hosts_are_summed_up_and_failures_named() -> None:
    results: dict[str, Any] = {
        "a": {"changed": True, "brought": ["6.2.31"], "present": ["6.2.31"], "fetched_bytes": 5 << 20},
        "b": {"changed": False, "brought": [], "present": ["6.2.31"], "fetched_bytes": 0},
        "c": {"changed": False, "brought": [], "present": [], "msg": "by package"},
        "d": {"msg": "no room"},
        "e": {"unreachable": True, "msg": "no route"},
        "f": None,
    }
    hostvars = {host: {"artifacts_staged": result} if result else {} for host, result in results.items()}
    summary = staging_view.staging_summary(results, hostvars)
    assert (summary["ready"], summary["left_alone"], summary["fetched_bytes"]) == (2, 1, 5 << 20)
    assert [one["host"] for one in summary["failed"]] == ["d", "e", "f"]
    message = staging_view.staging_message(summary)
    assert message.startswith("2 hosts have all artefacts, 5 MiB were fetched. 1 hosts fetch their releases by other")
    assert "3 hosts do not have them: d: no room e: no route f: It was not reached. Run the same again" in message


def test_a_dry_run_claims_nothing() -> None:
    summary = {"ready": 2, "left_alone": 0, "fetched_bytes": 0, "failed": []}
    assert "or can have them" in staging_view.staging_message(summary, dry_run=True)


def test_a_message_stays_short() -> None:
    failed = [{"host": f"h{number}", "msg": "x"} for number in range(25)]
    message = staging_view.staging_message({"ready": 0, "left_alone": 0, "fetched_bytes": 0, "failed": failed})
    assert message.count(": x") == staging_view.MOST_TOLD
    assert "And 5 more." in message
