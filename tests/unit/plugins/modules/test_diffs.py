# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that Ansible can show what modules return as a diff: it takes texts and mappings, and no lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.callback import CallbackBase

from ansible_collections.lockstep.teleport.plugins.module_utils import backup_store
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.modules import backend_seal, instance_mark


class _Ended(Exception):
    """The module has ended with this result."""


def shown(diff: Any) -> str:
    return str(CallbackBase()._get_diff(diff))


def mark(monkeypatch: pytest.MonkeyPatch, folder: str, state: str, check_mode: bool = False) -> dict[str, Any]:
    class Module:
        def __init__(self, **_given: Any) -> None:
            self.params = {"instance": {"versions_dir": folder} if folder else {}, "name": "drained", "state": state}
            self.check_mode = check_mode

        def exit_json(self, **result: Any) -> None:
            raise _Ended(result)

        fail_json = exit_json

    monkeypatch.setattr(instance_mark, "AnsibleModule", Module)
    with pytest.raises(_Ended) as ended:
        instance_mark.main()
    result: dict[str, Any] = ended.value.args[0]
    return result


def test_marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "drained" in shown(mark(monkeypatch, str(tmp_path), "present", check_mode=True)["diff"])
    made = mark(monkeypatch, str(tmp_path), "present")
    assert (made["changed"], made["marks"]) == (True, ["drained"])
    assert '+        "drained"' in shown(made["diff"])
    again = mark(monkeypatch, str(tmp_path), "present")
    assert (again["changed"], shown(again["diff"])) == (False, "")
    assert '-        "drained"' in shown(mark(monkeypatch, str(tmp_path), "absent")["diff"])


def test_a_mark_without_an_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "instance_info" in mark(monkeypatch, "", "present")["msg"]


def test_sealed_backups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_store, "seal_backups", lambda *_given: ["/b/north/x-16.5.13.age"])
    given = {"directory": "/b", "cluster": "north", "encryption": {"method": "age", "recipients": []}}
    result = backend_seal.run(Host(lambda *_given, **_more: (0, "", "")), given, False)
    assert '+        "/b/north/x-16.5.13.age"' in shown(result["diff"])
