# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what is asked of which version, with a tctl that answers from a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import cluster_query
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import Tctl, TctlError

EXPIRES = "2026-11-22T19:05:00Z"
STATUS = "Cluster  c.example\nVersion  {}\nHost CA  never updated\nCA pin   sha256:00ff\n"


def heartbeat(name: str, host: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "expires": EXPIRES}, "spec": {"hostname": host, "version": version}}


class FakeTctl:
    """Knows the answers by the words of the question and refuses the rest as tctl does."""

    def __init__(self, version: str, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "auth_servers": [heartbeat("a", "h1", version)],
            "proxies": [],
            "nodes": None,
            "remote_cluster": [],
            "trusted_cluster": [],
            **answers,
        }
        self.status = STATUS.format(version)
        self.asked: list[str] = []

    def run(self, command: Any, **_keywords: Any) -> Any:
        question = command[command.index("/etc/t.yaml") + 1 :]
        self.asked.append(" ".join(question[:2]))
        if question == ["status"]:
            return 0, self.status, ""
        kind = "inventory" if question[0] == "inventory" else question[1]
        if kind not in self.answers:
            return 1, "", f"\x1b[31mERROR: \x1b[0m'{kind}' is not supported"
        return 0, json.dumps(self.answers[kind]), ""


def view_of(fake: FakeTctl) -> dict[str, Any]:
    host = Host(run_command=fake.run, sleep=lambda _seconds: None)
    return cluster_query.ask(Tctl(host, "/bin/tctl", "/etc/t.yaml"), wall=lambda: 1795374000.0)


@pytest.mark.parametrize(
    ("version", "extra"),
    [
        ("4.2.12", []),
        ("5.2.5", ["get kube_service"]),
        ("8.3.12", ["get app_server", "get cluster_auth_preference", "get db_server", "get kube_service"]),
        ("17.7.20", ["inventory list"]),
    ],
)
def test_each_version_is_asked_what_it_knows(version: Any, extra: Any) -> None:
    fake = FakeTctl(version, inventory=[], kube_service=[], app_server=[], db_server=[], cluster_auth_preference=[])
    view = view_of(fake)
    common = {"status", "get auth_servers", "get proxies", "get nodes", "get remote_cluster", "get trusted_cluster"}
    assert sorted(set(fake.asked) - common) == extra
    assert common <= set(fake.asked)
    assert view["observed_at"] == "2026-11-22T19:00:00Z"
    assert view["unseen"] == []


@pytest.mark.parametrize(("factor", "told"), [("off", "off"), ("otp", "otp"), ("", None)])
def test_the_second_factor_is_told_while_a_later_version_could_refuse_it(factor: str, told: str | None) -> None:
    preference = [{"kind": "cluster_auth_preference", "spec": {"type": "local", "second_factor": factor}}]
    fake = FakeTctl("15.5.4", inventory=[], cluster_auth_preference=preference)
    assert view_of(fake)["auth_preference"] == {"second_factor": told}


def test_an_auth_preference_of_another_shape_says_nothing() -> None:
    fake = FakeTctl("15.5.4", inventory=[], cluster_auth_preference=[{"spec": "otp"}])
    assert view_of(fake)["auth_preference"] == {"second_factor": None}


def test_what_a_version_cannot_list_is_said() -> None:
    assert view_of(FakeTctl("17.7.20"))["unseen"] == ["inventory"]


def test_a_missing_answer_about_nodes_is_an_error() -> None:
    fake = FakeTctl("17.7.20", inventory=[])
    del fake.answers["nodes"]
    with pytest.raises(TctlError, match=r"nodes"):
        view_of(fake)


def test_up_to_4_1_the_version_is_unknown() -> None:
    fake = FakeTctl("4.1.11")
    fake.status = fake.status.replace("Version  4.1.11\n", "")
    view = view_of(fake)
    assert view["version"] is None


def test_an_odd_status_is_one_message() -> None:
    fake = FakeTctl("17.7.20")
    fake.status = "hello"
    with pytest.raises(TctlError, match=r"no cluster name"):
        view_of(fake)


def test_tctl_of_the_path_goes_before_the_one_of_the_process(tmp_path: Path) -> None:
    for folder in ("bin", "old"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tctl").touch()
    instance = {"bin_dir": str(tmp_path / "bin"), "exe": str(tmp_path / "old" / "teleport")}
    assert cluster_query.program_of(instance) == str(tmp_path / "bin" / "tctl")
    (tmp_path / "bin" / "tctl").unlink()
    assert cluster_query.program_of(instance) == str(tmp_path / "old" / "tctl")
    (tmp_path / "old" / "tctl").unlink()
    with pytest.raises(TctlError, match=r"no tctl in .*bin or .*old"):
        cluster_query.program_of(instance)
