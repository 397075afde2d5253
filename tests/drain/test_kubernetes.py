# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replicas in Kubernetes are taken away and given back through kubernetes.core, against a fake of its API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.tests.drain.kubernetes import Kubernetes

NOTE = "lockstep.teleport/replicas"


@pytest.fixture
def kubernetes() -> Iterator[Kubernetes]:
    one = Kubernetes()
    yield one
    one.close()


def drive(folder: Path, kubernetes: Kubernetes, to: str, *arguments: str, **variables: Any) -> tuple[int, str]:
    """Let the role do one of its steps; return the exit status and what was printed."""
    role = {"name": "lockstep.teleport.auth_group", "tasks_from": "kubernetes.yml"}
    tasks = [{"ansible.builtin.include_role": role, "vars": {"auth_group_to": to}}]
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    given = {"teleport_kubernetes_auth": {"namespace": "access", "name": "teleport-auth"}, **variables}
    access = {"K8S_AUTH_HOST": kubernetes.url, "K8S_AUTH_API_KEY": "of-the-test"}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml", "-e", json.dumps(given), *arguments],
        cwd=folder,
        env={**os.environ, **access, "HOME": str(folder), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    return done.returncode, done.stdout + done.stderr


def test_replicas_are_taken_away_and_come_back_at_the_new_version(tmp_path: Path, kubernetes: Kubernetes) -> None:
    image = {"namespace": "access", "name": "teleport-auth", "image": "example.test/teleport:VERSION"}
    status, text = drive(tmp_path, kubernetes, "shrink")
    assert status == 0, text
    assert kubernetes.deployment["spec"]["replicas"] == 0
    assert kubernetes.deployment["metadata"]["annotations"] == {NOTE: "3"}
    # As after a run that was killed.
    assert drive(tmp_path, kubernetes, "shrink")[0] == 0
    assert kubernetes.deployment["metadata"]["annotations"] == {NOTE: "3"}, "how many there were is not forgotten"
    status, text = drive(tmp_path, kubernetes, "grow", auth_group_version="16.5.18")
    assert status != 0
    assert "would start example.test/teleport:15.5.4, and the cluster is at 16.5.18" in " ".join(text.split())
    assert kubernetes.deployment["spec"]["replicas"] == 0
    status, text = drive(tmp_path, kubernetes, "grow", auth_group_version="16.5.18", teleport_kubernetes_auth=image)
    assert status == 0, text
    assert kubernetes.deployment["spec"]["replicas"] == 3
    assert (
        kubernetes.deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "example.test/teleport:16.5.18"
    )
    assert kubernetes.deployment["metadata"]["annotations"] == {}


def test_a_dry_run_only_asks(tmp_path: Path, kubernetes: Kubernetes) -> None:
    status, text = drive(tmp_path, kubernetes, "shrink", "--check")
    assert status == 0, text
    assert kubernetes.changes == []


def test_a_workload_that_is_not_there_is_told(tmp_path: Path, kubernetes: Kubernetes) -> None:
    status, text = drive(tmp_path, kubernetes, "ask", teleport_kubernetes_auth={"namespace": "access", "name": "other"})
    assert status != 0
    assert "there is no Deployment other in the namespace access" in " ".join(text.split())
