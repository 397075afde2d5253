# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook ``awx`` with the real modules of awx.awx, against a stand-in that refuses what AWX refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from ansible_collections.lockstep.teleport.tests.awx.server import TOKEN, Store, serving
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

PLAYBOOKS = [f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")]
INPUT = {
    "teleport_awx_image": "registry.example.com/lockstep:0.1.0",
    "teleport_awx_credentials": ["ssh"],
    "teleport_awx_inventory_path": "inventory/main.tctl.yml",
    "teleport_awx_slices": 4,
    "teleport_awx_notification": {
        "notification_type": "slack",
        "notification_configuration": {"token": "xoxb", "channels": ["#ops"]},
    },
}


class Run(NamedTuple):
    """A run of the playbook: its result per task, and what it said."""

    changed: list[str]
    failed: bool
    text: str


def play(folder: Path, address: str, **extra: Any) -> Run:
    """Run the playbook with the interpreter of this test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "CONTROLLER_"))}
    own = {
        "HOME": str(folder),
        "PWD": str(folder),
        "CONTROLLER_HOST": address,
        "CONTROLLER_OAUTH_TOKEN": TOKEN,
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "1",
        # AnsiballZ would start one interpreter more for each of some fifty calls.
        "ANSIBLE_PIPELINING": "1",
    }
    program = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "lockstep.teleport.awx"]
    done = subprocess.run(
        [*program, "-e", json.dumps({**INPUT, "ansible_python_interpreter": sys.executable, **extra})],
        env={**kept, **own},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    changed = re.findall(r"^changed: \[localhost\](?: => \(item=(.*)\))?", done.stdout, re.MULTILINE)
    return Run(changed, done.returncode != 0, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store, Run, Run]]:
    """What two runs one after the other made."""
    folder = tmp_path_factory.mktemp("awx")
    identity = folder / "identity"
    identity.write_text("very secret")
    with_identity = {"teleport_awx_identity_file": "identity", "teleport_awx_auth_server": "teleport.example.com:443"}
    with serving(PLAYBOOKS) as (address, store):
        yield address, store, play(folder, address, **with_identity), play(folder, address, **with_identity)


def launch(address: str, store: Store, kind: str, name: str, **data: Any) -> tuple[int, Any]:
    """Launch a template as a user would; returns the status and the answer."""
    url = f"{address}{store.named(kind, name)['url']}launch/"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(data).encode(), headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_everything_is_created_and_a_second_run_changes_what_awx_never_shows(
    made: tuple[str, Store, Run, Run],
) -> None:
    _address, store, first, second = made
    assert not first.failed, first.text
    counts = {kind: len(rows) for kind, rows in store.rows.items() if rows}
    assert (counts["job_templates"], counts["workflow_job_templates"], counts["workflow_job_template_nodes"]) == (
        12,
        1,
        11,
    )
    assert not second.failed, second.text
    # The credential's secret and the notification's are never shown again, and approvals have no field to compare.
    assert len(second.changed) <= 3, second.text
    assert "very secret" not in first.text + second.text


def test_what_awx_is_to_fill_in_arrives_as_it_is(made: tuple[str, Store, Run, Run]) -> None:
    store = made[1]
    assert store.named("credential_types", "Teleport identity file")["injectors"]["file"] == {
        "template": "{{ identity }}"
    }
    body = store.named("notification_templates", "Teleport")["messages"]["success"]["body"]
    assert "{{ job.artifacts.teleport_rollback_markdown or " in body


def test_templates_keep_the_order(made: tuple[str, Store, Run, Run]) -> None:
    store = made[1]
    for template in store.rows["job_templates"].values():
        assert template["allow_simultaneous"] is False
        asked = {name for name, value in template.items() if name.startswith("ask_") and value}
        sliced = template["name"] == "Teleport: upgrade agents"
        assert asked == ({"ask_job_slice_count_on_launch"} if sliced else set())
        assert template["job_slice_count"] == (4 if sliced else 1)
    assert store.named("job_templates", "Teleport: plan")["job_type"] == "check"
    assert store.linked("job_templates", "Teleport: plan", "credentials") == ["ssh"]
    assert store.linked("job_templates", "Teleport: plan", "notification_templates_success") == ["Teleport"]


def test_the_workflow_leads_from_the_plan_to_the_summary(made: tuple[str, Store, Run, Run]) -> None:
    store = made[1]
    kind, ways = "workflow_job_template_nodes", ("success_nodes", "failure_nodes", "always_nodes")
    after = {
        row["identifier"]: {way: store.linked(kind, row["identifier"], way) for way in ways}
        for row in store.rows[kind].values()
    }
    straight, node = [], "plan"
    while node:
        straight.append(node)
        node = next(iter(after[node]["success_nodes"]), "")
    phases = ["upgrade-auth", "upgrade-proxies", "upgrade-agents", "upgrade-leaves"]
    assert straight == ["plan", "approve", *phases, "verify", "summary"]
    for phase in (*phases, "verify"):
        assert after[phase]["failure_nodes"] == ["rollback-plan"]
    assert after["rollback-plan"]["always_nodes"] == ["approve-rollback"]
    assert after["approve-rollback"]["success_nodes"] == ["rollback"]
    approvals = [row["name"] for row in store.rows["workflow_approval_templates"].values()]
    assert sorted(approvals) == ["Teleport: approve", "Teleport: approve rollback"]


@pytest.mark.parametrize(
    ("kind", "name", "data", "complaint"),
    [
        ("job_templates", "plan", {}, "variables_needed_to_start"),
        ("job_templates", "plan", {"extra_vars": {"teleport_target_version": ""}}, "variables_needed_to_start"),
        ("job_templates", "plan", {"extra_vars": {"teleport_target_version": "17.7.20"}}, None),
        ("job_templates", "plan", {"extra_vars": {"teleport_target_version": "17.7.20", "x": 1}}, "extra_vars"),
        ("job_templates", "verify", {"limit": "auth1"}, "limit"),
        ("job_templates", "rollback", {"extra_vars": {}}, "variables_needed_to_start"),
        ("job_templates", "unlock", {"extra_vars": {"teleport_lock_override": "1-ab"}}, None),
        (
            "workflow_job_templates",
            "one hop",
            {"extra_vars": {"teleport_target_version": "17.7.20", "teleport_auth_strategy": "both"}},
            "variables_needed_to_start",
        ),
        ("workflow_job_templates", "one hop", {"extra_vars": {"teleport_target_version": "17.7.20"}}, None),
    ],
)
def test_surveys_take_what_the_roles_take(
    made: tuple[str, Store, Run, Run], kind: str, name: str, data: dict[str, Any], complaint: str | None
) -> None:
    status, answer = launch(made[0], made[1], kind, f"Teleport: {name}", **data)
    assert (status, list(answer)) == ((400, [complaint]) if complaint else (201, ["id"]))


def test_the_same_objects_are_data_for_others(made: tuple[str, Store, Run, Run], tmp_path: Path) -> None:
    address, store = made[:2]
    before = len(store.requests)
    run = play(tmp_path, address, teleport_awx_configuration_file="awx.yml")
    assert not run.failed, run.text
    assert len(store.requests) == before, "AWX is not asked"

    class Loader(yaml.SafeLoader):
        """Takes what is marked as no template for the text it is."""

    Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))
    text = (tmp_path / "awx.yml").read_text()
    data = yaml.load(text, Loader)
    assert [row["name"] for row in data["controller_templates"]] == [
        row["name"] for row in store.rows["job_templates"].values()
    ]
    (workflow,) = data["controller_workflows"]
    assert [node["identifier"] for node in workflow["workflow_nodes"]] == [
        row["identifier"] for row in store.rows["workflow_job_template_nodes"].values()
    ]
    assert re.search(r"template: !unsafe '\{\{ identity \}\}'", text)
