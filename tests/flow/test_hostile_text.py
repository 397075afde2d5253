# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts and clusters say runs through every play as text: no template in it is ever evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.tests.flow.flow import host, play

#: In the words of the stand-in: what the hostile host says.
TEXT = "@TEXT@"


def hostile(name: str, *services: str, **variables: Any) -> dict[str, Any]:
    """A host that says hostile things wherever it can say anything."""
    found = host(name, *services, **variables)
    finding = {"code": "restart-pending", "severity": "info", "message": TEXT, "hint": TEXT}
    found["seen"].update(
        hostname=TEXT + name, host_uuid=TEXT + name, findings=[finding], config={"nodename": TEXT + name}, exe=TEXT
    )
    if "auth" in services:
        stranger = {
            "id": TEXT,
            "host": TEXT,
            "services": ["agent"],
            "version": "15.5.4",
            "expires": None,
            "address": TEXT,
        }
        found["view"] = {
            "cluster": "main", "version": None, "rotation_in_progress": False, "instances": [stranger],
            "authorities": [], "ca_pins": [], "remote_clusters": [{"name": TEXT, "connection": TEXT}],
        }  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("name", "failing"), [("plan", ""), ("upgrade", "node1"), ("upgrade", "auth1"), ("verify", "")]
)
def test_templates_in_what_hosts_say_stay_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, failing: str
) -> None:
    marker = tmp_path / "evaluated"
    text = "{{ lookup('ansible.builtin.pipe', 'touch " + str(marker) + "') }}{% set x = 7 * 191 %}{{ x }}"
    monkeypatch.setenv("FLOW_TEXT", text)
    hosts = {
        "auth1": hostile("auth1", "auth"),
        "node1": hostile("node1"),
        "node2": hostile("node2"),
    }
    if failing:
        hosts[failing].update(script={"instance_upgrade": "fail"}, says=TEXT)
    outcome = play(tmp_path, hosts, name=name, teleport_waivers=["unmanaged-left-behind"], teleport_max_failed_agents=1)
    assert not marker.exists(), outcome.text
    assert "1337" not in outcome.text
    assert outcome.calls
    assert not failing or any(call["host"] == failing and call["name"] == "instance_upgrade" for call in outcome.calls)
    if name != "verify":
        assert "touch" in (tmp_path / "plan.json").read_text()
