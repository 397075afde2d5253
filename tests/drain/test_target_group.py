# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy leaves its AWS target groups and returns through community.aws, against moto, where health needs no time."""

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

from ansible_collections.lockstep.teleport.tests.backends.conftest import free_port
from ansible_collections.lockstep.teleport.tests.backends.moto import REGION, Moto

PROXIES = ("10.20.0.11", "10.20.0.12")


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    server = Moto(tmp_path_factory.mktemp("moto"), free_port())
    server.await_ready()
    yield server
    server.stop()


@pytest.fixture
def groups(moto: Moto) -> dict[str, int]:
    """Two target groups by ARN with their ports; both proxies are in each."""
    moto.reset()
    vpc = moto.client("ec2").create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    client, made = moto.client("elbv2"), {}
    for name, port in (("web", 3080), ("tunnel", 3024)):
        group = client.create_target_group(Name=name, Protocol="TCP", Port=port, VpcId=vpc, TargetType="ip")
        arn = group["TargetGroups"][0]["TargetGroupArn"]
        client.register_targets(TargetGroupArn=arn, Targets=[{"Id": proxy, "Port": port} for proxy in PROXIES])
        made[arn] = port
    return made


def targets(moto: Moto, arn: str) -> list[str]:
    answer = moto.client("elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return sorted(one["Target"]["Id"] for one in answer if one["TargetHealth"]["State"] != "unused")


def drive(folder: Path, moto: Moto, groups: dict[str, int], to: str, *arguments: str) -> tuple[int, str]:
    """Let the role do one of its steps; return the exit status and what was printed."""
    role = {"name": "lockstep.teleport.drain", "tasks_from": "aws_target_group.yml"}
    tasks = [{"ansible.builtin.include_role": role, "vars": {"drain_to": to}}]
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    given: dict[str, Any] = {
        "teleport_proxy_drain": "aws_target_group",
        "teleport_target_groups": [{"arn": arn, "port": port} for arn, port in groups.items()],
        "teleport_target_id": PROXIES[0],
        "teleport_aws_region": REGION,
    }
    access = {"AWS_ENDPOINT_URL": moto.url, "AWS_ACCESS_KEY_ID": "of-the-test", "AWS_SECRET_ACCESS_KEY": "of-the-test"}
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


def test_a_proxy_leaves_all_its_target_groups_and_returns(tmp_path: Path, moto: Moto, groups: dict[str, int]) -> None:
    for to, left in (("out", [PROXIES[1]]), ("back", list(PROXIES))):
        status, text = drive(tmp_path, moto, groups, to)
        assert status == 0, text
        assert [targets(moto, arn) for arn in groups] == [left, left]


def test_a_dry_run_only_asks(tmp_path: Path, moto: Moto, groups: dict[str, int]) -> None:
    status, text = drive(tmp_path, moto, groups, "out", "--check")
    assert status == 0, text
    assert [targets(moto, arn) for arn in groups] == [list(PROXIES)] * 2


def test_a_group_that_is_not_there_is_told_before_anything(tmp_path: Path, moto: Moto, groups: dict[str, int]) -> None:
    wrong = {arn.replace("targetgroup/", "targetgroup/x"): port for arn, port in groups.items()}
    status, text = drive(tmp_path, moto, wrong, "ask")
    assert status != 0
    assert "These target groups are not there: arn:" in " ".join(text.split())
