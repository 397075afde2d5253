# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each host needs before an upgrade, and how a run that brings it is summed up."""

from __future__ import annotations

from typing import Any

import pytest

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
    summary = {"ready": 2, "left_alone": 0, "handed_on": 0, "fetched_bytes": 0, "failed": []}
    assert "or can have them" in staging_view.staging_message(summary, dry_run=True)


def test_a_message_stays_short() -> None:
    failed = [{"host": f"h{number}", "msg": "x"} for number in range(25)]
    message = staging_view.staging_message(
        {"ready": 0, "left_alone": 0, "handed_on": 0, "fetched_bytes": 0, "failed": failed}
    )
    assert message.count(": x") == staging_view.MOST_TOLD
    assert "And 5 more." in message


def seen(seeds: Any = None, **instance: Any) -> dict[str, Any]:
    """Return the variables of a host that was observed."""
    found = {"architecture": "amd64", "edition": "community", "install_method": "tarball", "kept_versions": []}
    variables: dict[str, Any] = {"observe_result": {"instance": {**found, **instance}}}
    return variables if seeds is None else {**variables, "teleport_stage_seeds": seeds}


NEW, NEWER = "teleport-v6.2.31-linux-amd64-bin.tar.gz", "teleport-v7.3.21-linux-amd64-bin.tar.gz"


def test_without_seeds_every_host_fetches_for_itself() -> None:
    shares = staging_view.staging_shares({"a": ["6.2.31"]}, {"a": seen()})
    assert shares == {"files": {}, "sources": {}}


def test_hosts_are_dealt_out_to_the_seeds_of_their_site() -> None:
    paths = {host: ["6.2.31", "7.3.21"] for host in "abcde"} | {"x": ["7.3.21"]}
    hostvars = {host: seen(["a", "mirror"]) for host in "abcde"} | {"x": seen(["y"]), "y": {}, "mirror": {}}
    shares = staging_view.staging_shares(paths, hostvars)
    assert shares["sources"] == {"a": "a", "b": "a", "c": "mirror", "d": "a", "e": "mirror", "x": "y"}
    assert shares["files"] == {"a": [NEW, NEWER], "mirror": [NEW, NEWER], "y": [NEWER]}


def test_a_seed_serves_what_its_hosts_lack_in_their_own_edition_and_architecture() -> None:
    paths = {host: ["6.2.31", "7.3.21"] for host in "abc"}
    hostvars = {
        "a": seen(["a"], kept_versions=["6.2.31", "7.3.21"]),
        "b": seen(["a"], kept_versions=["6.2.31-ent-fips"], edition="fips"),
        "c": seen(["a"], kept_versions=["7.3.21"], architecture="arm64"),
    }
    shares = staging_view.staging_shares(paths, hostvars)
    assert shares["sources"] == {"b": "a", "c": "a"}
    assert shares["files"] == {
        "a": ["teleport-ent-v7.3.21-linux-amd64-fips-bin.tar.gz", "teleport-v6.2.31-linux-arm64-bin.tar.gz"]
    }


@pytest.mark.parametrize("method", ["package", "managed_updates"])
def test_hosts_of_other_means_need_no_seed(method: str) -> None:
    shares = staging_view.staging_shares({"a": ["6.2.31"]}, {"a": seen(["a"], install_method=method)})
    assert shares["sources"] == {}


@pytest.mark.parametrize(
    ("seeds", "words"),
    [(["b", "nobody"], "names 'nobody'"), ("b", "allowed is a list"), ([["b"]], "allowed is a list")],
)
def test_seeds_that_cannot_be_are_refused(seeds: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"teleport_stage_seeds of a .*{words}"):
        staging_view.staging_shares({"a": ["6.2.31"]}, {"a": seen(seeds), "b": {}})


def test_what_a_seed_fetched_is_counted_once_and_its_failure_told() -> None:
    staged = {"changed": True, "brought": ["6.2.31"], "present": ["6.2.31"], "fetched_bytes": 5 << 20}
    hostvars: dict[str, Any] = {
        "a": {"artifacts_shared": {"url": "http://a", "fetched_bytes": 5 << 20}, "artifacts_staged": staged},
        "b": {"artifacts_staged": staged},
        "c": {"artifacts_staged": {"skipped": True, "changed": False}},
        "d": {"artifacts_shared": {"msg": "no room"}},
        "e": {"artifacts_staged": {"msg": "the connection broke"}},
        "f": {"artifacts_staged": {"skipped": True}},
        "g": {},
        "h": {"artifacts_staged": {"changed": False, "brought": [], "present": []}},
    }
    sources = {"a": "a", "b": "a", "c": "d", "e": "a", "f": "g", "h": "a"}
    summary = staging_view.staging_summary("abcefh", hostvars, sources)
    assert (summary["ready"], summary["left_alone"], summary["handed_on"]) == (2, 1, 2)
    assert summary["fetched_bytes"] == 5 << 20
    assert summary["failed"] == [
        {"host": "c", "msg": "d, which is to fetch for it, serves nothing: no room"},
        {"host": "e", "msg": "the connection broke"},
        {"host": "f", "msg": "g, which is to fetch for it, serves nothing: It was not reached."},
    ]
    assert "5 MiB were fetched. 2 of them by way of hosts of their site." in staging_view.staging_message(summary)
