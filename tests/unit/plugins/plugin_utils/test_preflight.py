# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every preflight rule is offended by its case and kept by the other, and speaks up on the hops it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils import preflight, preflight_config, safe_yaml
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import SEVERITIES, WAIVED
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue

CASES: dict[str, dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("preflight_cases.yml").read_text(encoding="utf-8")
)


def offended(rule: str, kind: str) -> list[str]:
    case = CASES[rule][kind]
    if "cluster" in case:
        concerns = preflight.concerns_of_cluster(case["cluster"], case["edition"], case.get("strangers", ()))
    else:
        document = safe_yaml.load(case.get("config", "teleport: {}"))
        facts = {
            **preflight_config.settings(document),
            **case.get("host", {}),
            "edition": case.get("edition", "community"),
            "nodename": document.get("teleport", {}).get("nodename", "node1"),
            "serves_ssh": True,
        }
        concerns = preflight.concerns_of_host(facts, CASES[rule]["services"])
    return [concern["rule"] for concern in concerns]


def test_every_rule_has_a_case() -> None:
    assert list(CASES) == list(rules())


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_is_offended_by_its_case(rule: str) -> None:
    assert rule in offended(rule, "offends")


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_is_silent_where_it_is_kept(rule: str) -> None:
    assert rule not in offended(rule, "keeps")


@pytest.mark.parametrize("rule", rules())
def test_a_row_is_sound(rule: str) -> None:
    row = rules()[rule]
    assert row.severity in SEVERITIES
    assert row.severity != WAIVED
    assert row.concerns(row.first)
    assert row.last is None or row.concerns(row.last)
    assert set(row.services) <= {"auth", "proxy", "agent", "client", "cluster"}
    assert row.message.format(found="this").endswith(".")
    assert row.cure.endswith(".")


def test_what_could_not_be_observed_offends_nothing() -> None:
    assert preflight.concerns_of_host({}, ("auth", "proxy", "agent", "client", "cluster")) == []


def test_a_configuration_of_the_wrong_shape_is_read_as_empty() -> None:
    settings = preflight_config.settings({"teleport": "yes", "auth_service": ["a"], "ssh_service": None})
    assert not any(settings.values())


def planned(target: str, concerns: list[dict[str, str]], **more: Any) -> list[tuple[str, str, str | None]]:
    instances = [
        {"host": "auth1", "services": ["auth"], "version": "15.5.4", "cluster": "main"},
        {"host": "node1", "services": ["agent"], "version": "15.5.4", "cluster": "main", "concerns": concerns},
    ]
    outcome = plan_upgrade({"target_version": target, "instances": instances, **more})
    return [(item["code"], item["severity"], item["host"]) for item in outcome.plan["findings"]]


CIPHERS = {"rule": "ciphersuites-removed", "found": "tls-rsa-with-aes-128-cbc-sha"}


def test_a_rule_speaks_only_where_the_plan_goes() -> None:
    assert ("ciphersuites-removed", "blocker", "node1") in planned("18.9.2", [CIPHERS])
    assert planned("17.7.20", [CIPHERS]) == []


@pytest.mark.parametrize("rule", rules())
def test_a_rule_speaks_on_the_hop_into_its_line_and_not_before(rule: str) -> None:
    row, catalogue = rules()[rule], Catalogue.load()
    first = catalogue.index(row.first)
    newest = [str(catalogue.newest_good(catalogue.line_at(number))) for number in range(first + 1)]
    concern = {"rule": rule, "found": "this"}

    def told(start: str, target: str) -> set[str]:
        services = ["auth", *(one for one in row.services if one not in ("auth", "cluster", "client"))]
        auth = {"host": "a", "services": services, "version": start, "cluster": "main"}
        own = {} if "cluster" in row.services else {"concerns": [concern]}
        whole = {"cluster_concerns": {"main": [concern]}} if "cluster" in row.services else {}
        outcome = plan_upgrade({"target_version": target, "instances": [{**auth, **own}], **whole})
        return {item["code"] for item in outcome.plan["findings"]}

    assert rule in told(newest[-2], newest[-1])
    # Before the second line there is no hop.
    assert first < 2 or rule not in told(newest[-3], newest[-2])


def test_a_rule_is_named_once_with_the_hop_that_brings_the_trouble() -> None:
    instances = [
        {
            "host": "auth1",
            "services": ["auth"],
            "version": "15.5.4",
            "concerns": [{"rule": "second-factor-off", "found": "off"}],
        }
    ]
    outcome = plan_upgrade({"target_version": "17.7.20", "instances": instances, "hop_versions": {"16": "16.5.12"}})
    (found,) = outcome.plan["findings"]
    assert found["message"].startswith("Before the hop to 16.5.12: second_factor is off in teleport.yaml;")
    assert outcome.refused


def test_a_rule_is_waived_by_its_id() -> None:
    found = planned("18.9.2", [CIPHERS], waivers=["ciphersuites-removed"])
    assert ("ciphersuites-removed", "waived", "node1") in found


def test_what_a_cluster_offends_is_a_finding_of_the_cluster() -> None:
    concerns = {"main": [{"rule": "second-factor-off-stored", "found": "off"}]}
    found = planned("16.5.18", [], cluster_concerns=concerns)
    assert ("second-factor-off-stored", "blocker", None) in found


@pytest.mark.parametrize("concerns", [["ciphersuites"], [{"rule": "no-such-rule"}], {"found": "x"}, [[]]])
def test_what_names_no_rule_is_refused(concerns: Any) -> None:
    assert ("input-invalid", "blocker", "node1") in planned("17.7.20", concerns) or (
        "input-invalid",
        "blocker",
        None,
    ) in planned("17.7.20", concerns)
