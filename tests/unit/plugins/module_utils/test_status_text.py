# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of reading ``tctl status`` in the layouts of all generations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.status_text import IDLE, IN_PROGRESS, StatusError, parse

PIN_A = "sha256:" + "a1" * 32
PIN_B = "sha256:" + "b2" * 32

BEFORE_4_2 = f"""\
Cluster  north.example
User CA  never updated
Host CA  never updated
CA pin   {PIN_A}
"""

CLASSIC = f"""\
Cluster  north.example
Version  4.3.10
User CA  never updated
Host CA  rotated Nov 22 18:56:35 UTC
CA pin   {PIN_A}
"""

SINCE_5 = f"""\
Cluster  north.example
Version  8.3.12
Host CA  never updated
User CA  never updated
Jwt CA   never updated
CA pin   {PIN_A}
"""

ROTATING = f"""\
Cluster  north.example
Version  8.3.12
Host CA  rotating clients (mode: manual, started: Nov 22 18:55:26 UTC, ending: Nov 24 00:55:26 UTC)
User CA  never updated
Jwt CA   never updated
CA pin   {PIN_B}
CA pin   {PIN_A}
"""

SINCE_18 = f"""\
Cluster: north.example
Version: 18.2.0
CA pins: {PIN_A}
         {PIN_B}

authority     rotation                                  protocol status algorithm   storage
------------- ----------------------------------------- -------- ------ ----------- --------
host          rotating clients (mode: manual, started:  SSH      active Ed25519     software
                                                        TLS      active ECDSA P-256 software
user          standby (never rotated)                   SSH      active Ed25519     software
db_client     standby (last rotated: Nov 2 10:00 UTC)   TLS      active RSA 2048    software
saml_idp                                                         no keys found for authority
"""


def padded(text: str) -> str:
    """Pad every line on the right, as the tables of Teleport's tools are."""
    return "".join(f"{line:<120}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "version", "pins", "kinds"),
    [
        (BEFORE_4_2, None, [PIN_A], ["user", "host"]),
        (CLASSIC, "4.3.10", [PIN_A], ["user", "host"]),
        (SINCE_5, "8.3.12", [PIN_A], ["host", "user", "jwt"]),
        (ROTATING, "8.3.12", [PIN_B, PIN_A], ["host", "user", "jwt"]),
        (SINCE_18, "18.2.0", [PIN_A, PIN_B], ["host", "user", "db_client", "saml_idp"]),
    ],
)
@pytest.mark.parametrize("shape", [str, padded])
def test_layouts(text: Any, version: Any, pins: Any, kinds: Any, shape: Any) -> None:
    status = parse(shape(text))
    assert status.cluster == "north.example"
    assert status.version == version
    assert status.ca_pins == pins
    assert [authority["type"] for authority in status.authorities] == kinds


@pytest.mark.parametrize(
    ("shown", "rotation"),
    [
        ("never updated", IDLE),
        ("rotated Nov 22 18:56:35 UTC", IDLE),
        ("standby (never rotated)", IDLE),
        ("initialized (mode: manual, started: Nov 22 18:56:20 UTC, ending: Nov 24 00:56:20 UTC)", IN_PROGRESS),
        ("rotating clients (mode: manual, started: Nov 22 18:56:20 UTC, ending: Nov 24 00:56:20 UTC)", IN_PROGRESS),
        ("rotating servers (mode: auto, started: Nov 22 18:56:20 UTC, ending: Nov 24 00:56:20 UTC)", IN_PROGRESS),
        ("rolling back (mode: manual, started: Nov 22 18:56:20 UTC, ending: Nov 24 00:56:20 UTC)", IN_PROGRESS),
        ("something of a later version", IN_PROGRESS),
    ],
)
def test_only_known_idle_words_are_idle(shown: Any, rotation: Any) -> None:
    status = parse(CLASSIC.replace("rotated Nov 22 18:56:35 UTC", shown))
    assert status.authorities[1] == {"type": "host", "rotation": rotation, "text": shown}
    assert status.rotation_in_progress == (rotation == IN_PROGRESS)


def test_the_table_of_keys_tells_who_rotates() -> None:
    states = {authority["type"]: authority["rotation"] for authority in parse(SINCE_18).authorities}
    assert states == {"host": IN_PROGRESS, "user": IDLE, "db_client": IDLE, "saml_idp": IDLE}


def test_json() -> None:
    answer = {
        "cluster": {"name": "north.example", "version": "18.9.0", "ca_pins": [PIN_A]},
        "authorities": [
            {"cluster_name": "north.example", "type": "host", "rotation": {"state": "in_progress", "phase": "init"}},
            {"cluster_name": "north.example", "type": "user", "rotation": {"state": "standby"}},
            {"cluster_name": "north.example", "type": "jwt", "rotation": {}},
        ],
    }
    status = parse(json.dumps(answer))
    assert (status.cluster, status.version, status.ca_pins) == ("north.example", "18.9.0", [PIN_A])
    assert [authority["rotation"] for authority in status.authorities] == [IN_PROGRESS, IDLE, IDLE]
    assert status.authorities[0]["text"] == "in_progress init"


@pytest.mark.parametrize("text", ["", "usage: tctl status", "{}", '{"cluster": null}', '{"cluster"', "[1]"])
def test_anything_else_is_refused_with_the_text(text: Any) -> None:
    with pytest.raises(StatusError):
        parse(text)
