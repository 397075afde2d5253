# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action brings a host the artefacts that lie on the controller, once all of them are there and find room."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.action.instance_stage import ActionModule

VERSIONS = ["6.2.31", "7.3.21"]
ASKS = {"changed": False, "required": VERSIONS}


class Action(ActionModule):
    """The action with a host that answers from a list."""

    def __init__(self, *answers: dict[str, Any], check_mode: bool = False, **arguments: Any) -> None:
        instance = {"architecture": "amd64", "edition": "community", "kept_versions": []}
        parts: Any = self
        parts._task = SimpleNamespace(
            args={"instance": instance, "versions": VERSIONS, **arguments}, check_mode=check_mode
        )
        parts._connection = SimpleNamespace(_shell=SimpleNamespace(join_path=lambda *parts: "/".join(parts)))
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.brought: list[str] = []

    def _execute_module(self, *_arguments: Any, **options: Any) -> dict[str, Any]:
        self.asked.append(options["module_args"])
        return dict(self.answers.pop(0))

    def _make_tmp_path(self, remote_user: str | None = None) -> str:
        return "/remote"

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        self.brought.append(Path(local_path).name)
        return remote_path

    def _fixup_perms2(self, *_arguments: Any, **_options: Any) -> None:
        """Nothing to do."""

    def _remove_tmp_path(self, tmp_path: str, force: bool = False) -> None:
        """Nothing to do."""


@pytest.fixture(autouse=True)
def _no_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})


@pytest.fixture
def depot(tmp_path: Path) -> Path:
    """A directory on the controller with both artefacts, of 100 and 200 bytes."""
    for size, version in enumerate(VERSIONS, 1):
        path = tmp_path / f"teleport-v{version}-linux-amd64-bin.tar.gz"
        path.write_bytes(b"x" * 100 * size)
        Path(f"{path}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    return tmp_path


def test_a_host_that_fetches_by_itself_is_called_once() -> None:
    action = Action({"changed": True, "brought": VERSIONS, "invocation": {}}, artifact_url="https://a.example")
    assert action.run() == {"changed": True, "brought": VERSIONS}
    assert len(action.asked) == 1


def test_artefacts_of_the_controller_are_brought_one_after_the_other(depot: Path) -> None:
    done = [{"changed": True, "brought": [version], "fetched_bytes": 0} for version in VERSIONS]
    action = Action(ASKS, ASKS, *done, artifact_url=str(depot))
    result = action.run()
    assert (result["changed"], result["brought"]) == (True, VERSIONS)
    assert action.brought == [f"teleport-v{version}-linux-amd64-bin.tar.gz" for version in VERSIONS]
    assert action.asked[1]["artifact_size"] == 200
    assert [asked["versions"] for asked in action.asked[2:]] == [["6.2.31"], ["7.3.21"]]
    assert [set(asked) & {"version"} for asked in action.asked] == [set()] * 4
    assert action.asked[2]["artifact_file"].startswith("/remote/")


def test_nothing_is_brought_where_there_is_no_room(depot: Path) -> None:
    action = Action(ASKS, {"failed": True, "msg": "no room"}, artifact_url=str(depot))
    assert action.run() == {"failed": True, "msg": "no room"}
    assert action.brought == []


def test_what_fails_ends_it(depot: Path) -> None:
    action = Action(ASKS, ASKS, {"failed": True, "msg": "damaged"}, artifact_url=str(depot))
    assert action.run()["msg"] == "damaged"
    assert len(action.brought) == 1


def test_check_mode_brings_nothing(depot: Path) -> None:
    action = Action(ASKS, ASKS, artifact_url=str(depot), check_mode=True)
    result = action.run()
    assert (result["changed"], result["brought"], action.brought) == (True, VERSIONS, [])


def test_an_artefact_that_is_not_there_is_told_before_anything_is_brought(depot: Path) -> None:
    (depot / "teleport-v7.3.21-linux-amd64-bin.tar.gz").unlink()
    action = Action(ASKS, artifact_url=str(depot))
    with pytest.raises(AnsibleActionFail, match=r"7\.3\.21.*there is no such file on the controller"):
        action.run()
    assert action.brought == []


def test_an_url_that_is_none_is_told() -> None:
    with pytest.raises(AnsibleActionFail, match="neither"):
        Action(ASKS, artifact_url="ftp://a.example").run()
