# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation of authorities: which steps are taken, who follows, who is cut off, who learns of new keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from loopback import Host, eventually

NewHost = Callable[..., Host]
AUTH, NODE = ("auth",), ("node",)
# After a reload a process is deaf for five minutes, which every test would have to wait for at its end.
SCALE = 0.005
PHASES = ("init", "update_clients", "update_servers", "standby")
REFUSED = {
    "init": "can not initiate rotation while another is in progress",
    "update_clients": "can only switch to phase update_clients from init, current phase is update_servers",
    "update_servers": "can only switch to phase update_servers from update_clients, current phase is update_servers",
}


def rotate(host: Host, phase: str) -> None:
    """Move the host authority to a phase once the auth answers."""
    assert eventually(lambda: turned(host, phase) == ""), phase


def turned(host: Host, phase: str) -> str:
    """Try to move the host authority to a phase; what stands against it, without trouble that passes."""
    done = host.run("tctl", "auth", "rotate", "--manual", "--type=host", f"--phase={phase}")
    if done.returncode == 0:
        assert done.stdout == f"Updated rotation phase to \"{phase}\". To check status use 'tctl status'\n"
        return ""
    return done.stderr if "EOF" not in done.stderr else "again"


def phases(host: Host, kind: str) -> set[str]:
    """The phases that the services of one kind report; none while the auth reloads."""
    done = host.run("tctl", "get", kind, "--format=json")
    if done.returncode:
        return set()
    found: Any = json.loads(done.stdout)
    listed = found if isinstance(found, list) else [found] if found else []
    return {entry["spec"]["rotation"].get("phase", "") for entry in listed}


@pytest.mark.parametrize("version", ["4.2.12", "8.3.12", "18.9.2"])
def test_services_report_each_phase_and_the_pin_changes(new_host: NewHost, version: str) -> None:
    auth = new_host("a1", services=AUTH, scale=SCALE).start(version)
    new_host("n1", services=NODE, auth=auth, scale=SCALE).start(version)
    before = auth.pins()
    for phase in PHASES:
        rotate(auth, phase)
        for kind in ("auth_servers", "nodes"):
            assert eventually(lambda kind=kind, phase=phase: phases(auth, kind) == {phase}), (phase, kind)
    after = auth.pins()
    assert len(before) == len(after) == 1
    assert before != after


def test_illegal_steps_are_refused_with_the_words_of_the_real_thing(new_host: NewHost) -> None:
    auth = new_host(services=AUTH, scale=SCALE).start("17.7.20")
    assert 'can not transition to phase "standby" from "" phase.' in turned(auth, "standby")
    assert 'can not transition to phase "rollback" from "" phase.' in turned(auth, "rollback")
    for phase in PHASES[:3]:
        rotate(auth, phase)
    for phase, text in REFUSED.items():
        assert eventually(lambda phase=phase, text=text: text in turned(auth, phase)), phase
    done = auth.run("tctl", "auth", "rotate", "--manual", "--phase=standby")
    assert "required flag --type not provided" in done.stderr


def test_a_rollback_leads_back_to_the_old_pin(new_host: NewHost) -> None:
    auth = new_host("a1", services=AUTH, scale=SCALE).start("6.2.31")
    new_host("n1", services=NODE, auth=auth, scale=SCALE).start("6.2.31")
    before = auth.pins()
    for phase in ("init", "update_clients", "rollback", "standby"):
        rotate(auth, phase)
        assert eventually(lambda phase=phase: phases(auth, "nodes") == {phase}), phase
    assert eventually(lambda: auth.pins() == before)


def test_who_misses_a_phase_is_out_of_sync_and_cut_off_at_the_end(new_host: NewHost) -> None:
    auth = new_host("a1", services=AUTH, scale=SCALE).start("8.3.12")
    node = new_host("n1", services=NODE, auth=auth, scale=SCALE).start("8.3.12")
    node.stop()
    rotate(auth, "init")
    rotate(auth, "update_clients")
    node.start("8.3.12")
    assert eventually(lambda: "is out of sync with local (never updated). Clear local state" in node.log())
    rotate(auth, "update_servers")
    rotate(auth, "standby")
    assert eventually(lambda: "certificate signed by unknown authority" in node.log())


def test_an_automatic_rotation_goes_on_by_itself(new_host: NewHost) -> None:
    auth = new_host(services=AUTH, scale=SCALE).start("14.3.33")
    assert auth.tctl("auth", "rotate", "--type=host", "--grace-period=3s").startswith("Initiated certificate authority")
    assert "(mode: auto, started:" in auth.tctl("status")
    assert eventually(lambda: re.search(r"^host CA +rotated ", auth.run("tctl", "status").stdout, re.MULTILINE))
