# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a failed run is enough, is bounded, and holds no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import evidence_folder

SECRET = "Correct-Horse-9"
PLAN = {"findings": [{"code": "x"}], "stages": []}
REPORT = {"state": "stopped", "hosts": [{"host": "n1", "before": "15.5.4", "after": "15.5.4"}], "plan": PLAN}


def files(**variables: Any) -> dict[str, Any]:
    found = evidence_folder.evidence_files(PLAN, REPORT, {"n1": variables}, ["n1"])
    return {entry["path"]: json.loads(entry["content"]) for entry in found}


def test_plan_findings_report_and_each_host() -> None:
    seen = {"evidence": {"journal": ["line"], "versions": {"running": "15.5.4"}}}
    result = {"msg": "did not start", "rolled_back": True, "evidence": {"readiness": None}, "invocation": {}}
    found = files(report_seen=seen, agent_upgrade=result, gate_failure="no")
    assert list(found) == ["plan.json", "findings.json", "report.json", "hosts/n1.json"]
    assert found["findings.json"] == [{"code": "x"}]
    assert found["report.json"]["state"] == "stopped"
    assert found["hosts/n1.json"] == {
        "host": "n1",
        "versions": {"before": "15.5.4", "after": "15.5.4"},
        "failures": ["no"],
        "results": {
            "agent_upgrade": {"msg": "did not start", "rolled_back": True, "evidence": {"readiness": None}},
        },
        "now": seen["evidence"],
    }


def test_a_host_that_does_not_answer_is_said_to() -> None:
    assert files(report_seen={"unreachable": True})["hosts/n1.json"]["now"] == "could not be asked"


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_become_password": SECRET, "gate_failure": f"sudo said {SECRET}"},
        {"vault_token": f"{SECRET}\n", "agent_upgrade": {"msg": f"x{SECRET}x"}},
        {"gate_failure": f"password={SECRET}"},
        {"gate_failure": f"https://u:{SECRET}@etcd:2379/"},
        {"agent_upgrade": {"evidence": {"auth_token": SECRET}}},
        {"agent_upgrade": {"evidence": {"join_tokens": [SECRET, SECRET]}}},
        {
            "report_seen": {
                "evidence": {"journal": ["-----BEGIN PRIVATE KEY-----", SECRET, "-----END PRIVATE KEY-----"]}
            }
        },
        {"gate_failure": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----"},
        {"agent_upgrade": {"timeline": [{"event": f"token: {SECRET}"}]}},
    ],
)
def test_no_secret_gets_in(variables: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(files(**variables))


def test_what_is_no_secret_stays() -> None:
    message = "n1: http 503 from /readyz after 300 s"
    found = files(
        gate_failure=message, token_path="/etc/token", teleport_key="short", agent_upgrade={"rolled_back": True}
    )
    assert found["hosts/n1.json"]["failures"] == [message]
    assert found["hosts/n1.json"]["results"]["agent_upgrade"]["rolled_back"] is True


def test_size_is_bounded() -> None:
    plan = {**PLAN, "findings": [{"code": "ä" * 99}] * 5_000}
    found = evidence_folder.evidence_files(plan, REPORT, {}, [])
    sizes = [len(entry["content"].encode()) for entry in found]
    assert max(sizes) <= evidence_folder.MOST_BYTES + 100
    assert ["cut here" in entry["content"] for entry in found] == [True, True, False]


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".", ""])
def test_no_host_name_leads_out_of_the_folder(name: str) -> None:
    (path,) = [
        entry["path"]
        for entry in evidence_folder.evidence_files(PLAN, REPORT, {name: {}}, [name])
        if entry["path"].startswith("hosts")
    ]
    assert path.count("/") == 1
    assert not path.startswith("hosts/.")


def test_versions_that_were_seen() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "n1": {"report_seen": {"evidence": {"versions": {"running": "15.5.4"}}}},
        "n2": {"report_seen": {"evidence": {"versions": {"running": None}}}},
        "n3": {"report_seen": {"unreachable": True}},
        "n4": {},
    }
    assert evidence_folder.versions_seen(hostvars, list(hostvars)) == {"n1": "15.5.4", "n2": None}
