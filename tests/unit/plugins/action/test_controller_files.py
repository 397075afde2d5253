# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that a run leaves on the controller: what stands in them, who may read them, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.lockstep.teleport.plugins.action.controller_files import ARGUMENTS, ActionModule
from ansible_collections.lockstep.teleport.plugins.modules import controller_files as documented


def run(check_mode: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run the action with these arguments of a task."""
    task = mock.MagicMock(async_val=0, check_mode=check_mode, diff=False, args=arguments, environment=None)
    make: Any = ActionModule
    action = make(task, mock.MagicMock(), mock.MagicMock(check_mode=check_mode), None, None, None)
    result: dict[str, Any] = action.run(task_vars={})
    return result


def mode(path: Path) -> str:
    """Return the permissions of a file or folder."""
    return f"{path.stat().st_mode & 0o7777:04o}"


def test_texts_and_documents_are_written_for_their_owner_and_group(tmp_path: Path) -> None:
    text, document = tmp_path / "plan.md", tmp_path / "plan.json"
    files = [{"path": str(text), "content": "# Plän\n"}, {"path": str(document), "document": {"b": [1], "a": None}}]
    assert run(files=files)["paths"] == [str(text), str(document)]
    assert text.read_bytes() == "# Plän\n".encode()
    assert document.read_text() == '{\n    "a": null,\n    "b": [\n        1\n    ]\n}\n'
    assert (mode(text), mode(document)) == ("0640", "0640")


def test_what_is_there_already_is_no_change(tmp_path: Path) -> None:
    files = [{"path": str(tmp_path / "a"), "content": "x"}, {"path": str(tmp_path / "b"), "content": "y"}]
    run(files=files)
    (tmp_path / "b").write_text("something else")
    result = run(files=files)
    assert (result["changed"], result["paths"]) == (True, [str(tmp_path / "b")])
    assert run(files=files)["changed"] is False


def test_check_mode_tells_and_writes_nothing(tmp_path: Path) -> None:
    result = run(check_mode=True, files=[{"path": "hosts/a.json", "document": {}}], folder=str(tmp_path / "kept"))
    assert result["paths"] == [str(tmp_path / "kept" / "hosts" / "a.json")]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "evidence" / "now"
    run(files=[{"path": "hosts/a.json", "document": {"a": 1}}], folder=str(folder), mode="0600")
    assert json.loads((folder / "hosts" / "a.json").read_text()) == {"a": 1}
    made = [tmp_path / "evidence", folder, folder / "hosts", folder / "hosts" / "a.json"]
    assert [mode(path) for path in made] == ["0700", "0700", "0700", "0600"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "plan.json").symlink_to(victim)
    run(files=[{"path": str(tmp_path / "plan.json"), "content": "new"}])
    assert (victim.read_text(), (tmp_path / "plan.json").read_text()) == ("mine", "new")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"files": [{"path": "a", "content": ""}]}, "a is relative"),
        ({"files": [{"path": "../a", "content": ""}], "folder": "/nowhere/x"}, "leads out of /nowhere/x"),
        ({"files": [{"path": "/a"}]}, "content"),
        ({"files": [{"path": "/a", "content": "", "document": 1}]}, "mutually exclusive"),
        ({"files": [{"path": "/nowhere/a", "content": ""}]}, "/nowhere.*No such file or directory on the controller"),
        ({"files": [], "mode": "0644"}, "0644"),
    ],
)
def test_what_cannot_be_written_is_told(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(AnsibleError, match=told):
        run(**arguments)


def test_the_documentation_has_the_arguments_of_the_action() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert set(options) == set(ARGUMENTS)
    assert set(options["files"]["suboptions"]) == set(ARGUMENTS["files"]["options"])
    assert options["mode"]["choices"] == ARGUMENTS["mode"]["choices"]
