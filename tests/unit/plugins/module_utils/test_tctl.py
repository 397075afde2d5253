# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of calling tctl: what is asked again, what is not, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import tctl as module
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.plugins.module_utils.tctl import Tctl, TctlError, UnknownToTctl

Answer = tuple[int, str, str]

DOWN_OLD = (
    1,
    "",
    "error: Cannot connect to the auth server: dial tcp: refused.\nIs the auth server running on 127.0.0.1:3025?",
)
DOWN_NEW = (
    1,
    "",
    '\x1b[31mERROR: \x1b[0mfailed direct dial to auth server: Get "https://teleport.cluster.local/v2": EOF\n',
)
STARTING = (1, "", "\x1b[31mERROR: \x1b[0mremote error: tls: bad certificate\n")
NO_FLAG = (1, "", "\x1b[31mERROR: \x1b[0munknown long flag '--format'\n\n")
NO_KIND = (1, "", "error: 'app_server' is not supported\n")
USAGE = (1, "", "usage: tctl inventory\n\nManage things\n")
NOT_AUTH = (1, "", "error: tctl must be either used on the auth server or provided with the identity file\n")


class FakeHost:
    """Answers with prepared results and remembers what it was asked and how long it was made to wait."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.slept: list[float] = []

    def run(self, command: Any, **keywords: Any) -> Any:
        self.asked.append((command, keywords))
        return self.answers.pop(0)


def asker(*answers: Answer, attempts: int = 3) -> tuple[Tctl, FakeHost]:
    fake = FakeHost(answers)
    host = Host(run_command=fake.run, sleep=fake.slept.append)
    return Tctl(host, "/opt/bin/tctl", "/etc/t.yaml", seconds=7, attempts=attempts), fake


def test_the_command_has_a_limit_a_config_and_no_updater() -> None:
    tctl, fake = asker((0, "Cluster  x\n", ""))
    assert tctl.text(["status"]) == "Cluster  x\n"
    [(command, keywords)] = fake.asked
    assert command == ["/opt/bin/tctl", "-c", "/etc/t.yaml", "status"]
    assert keywords["seconds"] == 7
    assert keywords["environ_update"]["TELEPORT_TOOLS_VERSION"] == "off"


@pytest.mark.parametrize("trouble", [DOWN_OLD, DOWN_NEW, STARTING, (124, "", "")])
def test_a_passing_trouble_is_asked_again(trouble: Any) -> None:
    tctl, fake = asker(trouble, trouble, (0, "[]", ""))
    assert tctl.resources("nodes") == []
    assert fake.slept == [2.0, 2.0]


@pytest.mark.parametrize("trouble", [DOWN_OLD, DOWN_NEW])
def test_but_not_for_ever(trouble: Any) -> None:
    tctl, fake = asker(*[trouble] * 5)
    with pytest.raises(TctlError, match=r"/opt/bin/tctl -c /etc/t.yaml get nodes --format=json failed \(1\)"):
        tctl.resources("nodes")
    assert len(fake.asked) == 3


@pytest.mark.parametrize("trouble", [NO_FLAG, NO_KIND, USAGE])
def test_what_tctl_does_not_know_is_told_apart(trouble: Any) -> None:
    tctl, fake = asker(trouble)
    with pytest.raises(UnknownToTctl):
        tctl.resources("app_server")
    assert len(fake.asked) == 1


def test_a_lasting_error_is_not_asked_again_and_is_short_and_plain() -> None:
    tctl, _fake = asker(NOT_AUTH)
    with pytest.raises(TctlError) as caught:
        tctl.resources("nodes")
    assert not isinstance(caught.value, UnknownToTctl)
    assert str(caught.value).endswith("tctl must be either used on the auth server or provided with the identity file")


def test_colours_are_taken_off() -> None:
    assert module.is_passing(DOWN_NEW[2])
    tctl, _fake = asker(DOWN_NEW, attempts=1)
    with pytest.raises(TctlError) as caught:
        tctl.text(["status"])
    assert "\x1b" not in str(caught.value)


def test_no_json_is_an_error_that_quotes_it() -> None:
    tctl, _fake = asker((0, "Nodename UUID\n", ""))
    with pytest.raises(TctlError, match=r"printed no JSON.*Nodename UUID"):
        tctl.resources("nodes")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(None, []), ([], []), ({"kind": "node"}, [{"kind": "node"}]), ([{"kind": "node"}], [{"kind": "node"}])],
)
def test_object_array_null_and_none(answer: Any, expected: Any) -> None:
    assert module.as_list(answer) == expected


def test_an_empty_answer_is_no_resource() -> None:
    tctl, _fake = asker((0, "\n", ""))
    assert tctl.resources("nodes") == []
