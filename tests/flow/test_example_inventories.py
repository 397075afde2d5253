# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories of the documentation are read by Ansible, and plans are made with them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade
from ansible_collections.lockstep.teleport.tests.flow.flow import environment, host, play
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT, name_of

EXAMPLES = [path for path in sorted((ROOT / "docs" / "examples").glob("*.yml")) if ".tctl." not in path.name]
#: What the names of the hosts say that they run; everything else is an agent.
SERVICES = {"auth": "auth", "proxy": "proxy", "teleport.": "auth", "branch-auth": "auth", "workshop-auth": "auth"}


def inventory(path: Path, folder: Path) -> dict[str, Any]:
    """What ansible-inventory makes of a file."""
    program = [str(Path(sys.executable).with_name("ansible-inventory")), "--inventory", str(path), "--list"]
    read = subprocess.run(
        program, env=environment(folder, folder / "calls"), cwd=folder, capture_output=True, text=True, check=False
    )
    assert read.returncode == 0, read.stderr
    assert "WARNING" not in read.stderr
    listed: dict[str, Any] = json.loads(read.stdout)
    return listed


def hosts_of(group: str, listed: dict[str, Any]) -> set[str]:
    """The hosts of a group and of those below it."""
    below = listed.get(group, {})
    return set(below.get("hosts", [])).union(*(hosts_of(child, listed) for child in below.get("children", [])))


def service(host: str) -> str:
    return next((service for start, service in SERVICES.items() if host.startswith(start)), "agent")


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_an_upgrade_is_planned_for_an_example(path: Path, tmp_path: Path) -> None:
    listed = inventory(path, tmp_path)
    variables = listed["_meta"]["hostvars"]
    hosts = sorted(hosts_of("teleport", listed))
    assert hosts == sorted(variables)
    instances = [
        {
            "host": host,
            "cluster": variables[host].get("teleport_cluster", "main"),
            "services": [service(host)],
            "version": "15.5.3",
            "edition": "community",
            "state": "running",
        }
        for host in hosts
    ]
    given = {name: variables[hosts[0]].get(f"teleport_{name}", {}) for name in ("clusters", "hop_versions")}
    outcome = plan_upgrade({"target_version": "17.7.20", "instances": instances, **given})
    assert not outcome.refused, outcome.message
    planned = {step["host"] for stage in outcome.plan["stages"] for step in stage["steps"]}
    assert planned == set(hosts)


def test_variables_of_the_group_of_all_hosts_reach_the_plan(tmp_path: Path) -> None:
    hosts = {
        "b1": host("b1", "auth", version="16.5.12", teleport_cluster="branch"),
        "m1": host("m1", "auth", version="16.5.12", teleport_cluster="main"),
    }
    group = {"teleport_clusters": {"branch": {"root": "main"}}, "teleport_waivers": ["trust-missing"]}
    outcome = play(tmp_path, hosts, name="plan", group=group)
    assert outcome.status == 0, outcome.text
    planned = json.loads((tmp_path / "plan.json").read_text())
    assert [[step["host"] for step in stage["steps"]] for stage in planned["stages"]] == [["m1"], ["b1"]]


def test_the_readme_shows_the_example_of_trusted_clusters() -> None:
    shown = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0])
    example = yaml.safe_load((ROOT / "docs" / "examples" / "trusted_clusters.yml").read_text())
    assert shown == example
