# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action brings artefacts when a host needs one, and finds results again after a lost connection."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.action import instance_upgrade
from ansible_collections.lockstep.teleport.plugins.action.instance_upgrade import ActionModule

NAME = "teleport-v6.2.31-linux-amd64-bin.tar.gz"
INSTANCE = {"architecture": "amd64", "edition": "community", "kept_versions": []}
NEEDED = {"changed": False, "artifact_required": True}
DONE = {"changed": True, "msg": "done"}
Answer = dict[str, Any] | Exception


class Action(ActionModule):
    """The action with a host that answers from a list."""

    def __init__(self, *answers: Answer, check_mode: bool = False, **arguments: Any) -> None:
        args = {"instance": INSTANCE, "version": "6.2.31", **arguments}
        parts: Any = self
        parts._task = SimpleNamespace(args=args, check_mode=check_mode)
        self.resets = 0
        parts._connection = SimpleNamespace(
            transport="local", reset=self.reset, _shell=SimpleNamespace(join_path=lambda *parts: "/".join(parts))
        )
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.transfers: list[tuple[str, str]] = []
        self.removed: list[str] = []

    def reset(self) -> None:
        self.resets += 1

    def _execute_module(self, *_arguments: Any, **options: Any) -> dict[str, Any]:
        self.asked.append(options["module_args"])
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return dict(found)

    def _make_tmp_path(self, remote_user: str | None = None) -> str:
        return "/remote"

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        self.transfers.append((local_path, remote_path))
        return remote_path

    def _fixup_perms2(self, *_arguments: Any, **_options: Any) -> None:
        """Nothing to do."""

    def _remove_tmp_path(self, tmp_path: str, force: bool = False) -> None:
        self.removed.append(tmp_path)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(instance_upgrade, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: now[0]))


@pytest.fixture
def depot(tmp_path: Path) -> Path:
    (tmp_path / NAME).write_bytes(b"release")
    (tmp_path / f"{NAME}.sha256").write_text(f"{hashlib.sha256(b'release').hexdigest()}  {NAME}\n")
    return tmp_path


def test_a_host_that_has_the_version_gets_nothing(depot: Path) -> None:
    action = Action(DONE, artifact_url=str(depot))
    assert action.run(task_vars={}) == DONE
    assert action.transfers == []


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_artefact_is_brought_when_it_is_needed(depot: Path, prefix: str) -> None:
    action = Action(NEEDED, DONE, artifact_url=prefix + str(depot))
    assert action.run(task_vars={}) == DONE
    assert action.transfers == [(str(depot / NAME), f"/remote/{NAME}")]
    assert action.asked[1]["artifact_file"] == f"/remote/{NAME}"
    assert action.asked[1]["checksum"] == hashlib.sha256(b"release").hexdigest()
    assert action.removed == ["/remote"]


def break_content(depot: Path) -> None:
    (depot / NAME).write_bytes(b"other")


def remove_artefact(depot: Path) -> None:
    (depot / NAME).unlink()


def remove_checksum(depot: Path) -> None:
    (depot / f"{NAME}.sha256").unlink()


def break_checksum(depot: Path) -> None:
    (depot / f"{NAME}.sha256").write_text("<html>")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (break_content, "the SHA-256 is"),
        (remove_artefact, "no such file on the controller"),
        (remove_checksum, r"sha256: No such file"),
        (break_checksum, "no single SHA-256"),
    ],
)
def test_broken_depot_is_found_on_the_controller(depot: Path, damage: Callable[[Path], None], reason: str) -> None:
    damage(depot)
    action = Action(NEEDED, artifact_url=str(depot))
    with pytest.raises(AnsibleActionFail, match=reason):
        action.run(task_vars={})
    assert action.transfers == []


def test_check_mode_looks_at_the_depot_and_brings_nothing(depot: Path) -> None:
    action = Action(DONE, check_mode=True, artifact_url=str(depot))
    action.run(task_vars={})
    assert action.asked[0]["artifact_size"] == len(b"release")
    assert action.transfers == []
    remove_artefact(depot)
    with pytest.raises(AnsibleActionFail):
        Action(DONE, check_mode=True, artifact_url=str(depot)).run(task_vars={})
    kept = Action(DONE, check_mode=True, artifact_url=str(depot), instance={**INSTANCE, "kept_versions": ["6.2.31"]})
    assert kept.run(task_vars={}) == DONE


def test_hosts_fetch_from_urls_themselves() -> None:
    action = Action(DONE, artifact_url="https://example.org/x")
    action.run(task_vars={})
    assert "artifact_file" not in action.asked[0]


LOST = AnsibleConnectionFailure("Shared connection to h closed.")
PENDING: dict[str, Any] = {"changed": False, "pending": True, "collected": None}
IDLE: dict[str, Any] = {"changed": False, "pending": False, "collected": None}
COLLECTED: dict[str, Any] = {"changed": False, "pending": False, "collected": DONE}
INSIDE = {**INSTANCE, "session_inside_unit": True}


def test_result_is_collected_after_a_lost_connection() -> None:
    action = Action(LOST, LOST, PENDING, COLLECTED)
    assert action.run(task_vars={}) == DONE
    assert action.resets == 3
    assert [asked.get("collect") for asked in action.asked] == [None, True, True, True]
    assert len({asked["run_id"] for asked in action.asked}) == 1


def test_result_is_collected_when_the_session_dies_with_the_unit() -> None:
    died = {"failed": True, "module_stdout": "", "msg": "MODULE FAILURE"}
    assert Action(died, COLLECTED).run(task_vars={}) == DONE


@pytest.mark.parametrize(
    ("seen", "phase", "words"),
    [
        ({**IDLE, "unfinished": "stopped"}, "stopped", "nothing but the old version has run"),
        ({**IDLE, "unfinished": "switched"}, "switched", "What the host runs is not known"),
        ({**IDLE, "unfinished": None}, None, "What the host runs is not known"),
        (LOST, None, "What the host runs is not known"),
    ],
)
def test_a_module_that_dies_says_how_far_it_got(seen: Any, phase: str | None, words: str) -> None:
    died = {"failed": True, "module_stdout": "", "msg": "MODULE FAILURE", "rc": 137}
    result = Action(died, IDLE, IDLE, seen).run(task_vars={})
    assert (result["failed"], result["changed"], result["unfinished"]) == (True, True, phase)
    assert "without an answer (exit status 137): it was killed" in result["msg"]
    assert words in result["msg"]


def test_a_result_that_is_written_a_moment_after_the_end_is_found() -> None:
    assert Action(LOST, PENDING, IDLE, COLLECTED).run(task_vars={}) == DONE


def test_host_that_did_nothing_has_failed_and_may_have_changed() -> None:
    result = Action(LOST, IDLE, IDLE).run(task_vars={})
    assert (result["failed"], result["lost"], result["changed"]) == (True, True, True)
    assert "Shared connection to h closed" in result["msg"]
    assert "repeat the run" in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({}, 120),
        ({"reconnect_timeout": 30}, 30),
        ({"reconnect_timeout": "many"}, 120),
        ({"instance": INSIDE}, 60 + 2 * (10 + 20)),
        ({"detached": "yes"}, 60 + 2 * (10 + 20)),
    ],
)
def test_how_long_a_host_may_stay_away(arguments: dict[str, Any], seconds: int) -> None:
    action = Action(*[LOST] * 1000, stop_timeout=10, ready_timeout=20, **arguments)
    assert action.run(task_vars={})["lost"]
    assert action.resets == seconds / 3


def test_a_host_at_work_may_be_away_again_and_again() -> None:
    away = [LOST] * 9
    action = Action(LOST, *away, PENDING, *away, PENDING, *away, COLLECTED, reconnect_timeout=30)
    assert action.run(task_vars={}) == DONE


def test_a_host_that_never_ends_is_given_up() -> None:
    action = Action(LOST, *[PENDING] * 1000, stop_timeout=10, ready_timeout=20)
    assert action.run(task_vars={})["lost"]
    assert action.resets == (60 + 2 * (10 + 20)) / 3


@pytest.mark.parametrize(
    "text",
    ["ssh: connect to host h port 22: Connection refused", "Permission denied (publickey).", "Could not resolve"],
)
def test_host_that_was_never_reached_is_not_waited_for(text: str) -> None:
    action = Action(AnsibleConnectionFailure(text))
    result = action.run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)
    assert action.resets == 0


def test_check_mode_has_nothing_to_collect() -> None:
    result = Action(LOST, check_mode=True).run(task_vars={})
    assert (result["failed"], result["changed"]) == (True, False)


def test_a_pinned_digest_goes_before_the_file_beside_the_artefact(depot: Path) -> None:
    (depot / f"{NAME}.sha256").write_text("a" * 64)
    digest = hashlib.sha256(b"release").hexdigest()
    action = Action(NEEDED, DONE, artifact_url=str(depot), checksums={"6.2.31": {"amd64": digest}})
    assert action.run(task_vars={}) == DONE
    assert action.asked[1]["checksum"] == digest


@pytest.mark.parametrize(
    ("checksums", "reason"),
    [
        ({NAME: "0" * 64}, "wanted is 0000"),
        ({"6.2.30": {"amd64": "0" * 64}}, "no digest is pinned for teleport-v6.2.31"),
    ],
)
def test_an_artefact_that_is_not_the_pinned_one_never_leaves_the_controller(
    depot: Path, checksums: dict[str, Any], reason: str
) -> None:
    action = Action(NEEDED, artifact_url=str(depot), checksums=checksums)
    with pytest.raises(AnsibleActionFail, match=reason):
        action.run(task_vars={})
    assert action.transfers == []


@pytest.mark.parametrize("architecture", ["amd64/../../../../etc/x", "", "A", "a" * 40, "x\n"])
def test_a_host_cannot_ask_for_other_files_of_the_controller(depot: Path, architecture: str) -> None:
    action = Action(NEEDED, artifact_url=str(depot), instance={**INSTANCE, "architecture": architecture})
    with pytest.raises(AnsibleActionFail, match="instance.architecture is not what instance_info returns"):
        action.run(task_vars={})
    assert action.transfers == []
