# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin under the real ``ansible-inventory``, with a tctl that answers what each generation prints."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

TCTL = """#!{python}
import json, os, sys
words = [word for word in sys.argv[1:]]
with open({log!r}, "a") as log:
    log.write(json.dumps([words, os.environ.get("TELEPORT_TOOLS_VERSION")]) + "\\n")
answers = json.load(open({answers!r}))
question = " ".join(word for word in words if not word.startswith("--format"))
for end, answer in answers.items():
    if question.endswith(end):
        sys.stdout.write(answer)
        sys.exit(0)
sys.stderr.write("ERROR: cannot connect to the auth server: connection refused\\n" if not answers else
                 "ERROR: unsupported resource\\n")
sys.exit(1)
"""

PLAIN_STATUS = (
    "Cluster  harbour.example\nVersion  {}\nUser CA  never updated\nHost CA  never updated\nCA pin   sha256:00ff\n"
)


def heartbeat(ident: str, host: str, version: str, **more: Any) -> dict[str, Any]:
    spec = {"hostname": host, "version": version, "addr": more.get("addr", "")}
    metadata = {"name": ident, "expires": more.get("expires", "2099-01-01T00:00:00Z")}
    return {"kind": "node", "version": "v2", "metadata": metadata, "spec": spec}


def answers(version: str, nodes: Any, **more: Any) -> dict[str, str]:
    auth = heartbeat("a1a1a1a1-0000", "auth-1", version, addr="10.1.0.1:3025")
    proxy = heartbeat("b2b2b2b2-0000", "proxy-1", version, addr="0.0.0.0:3023")
    values = {"get auth_servers": [auth], "get proxies": [proxy], "get nodes": nodes, **more}
    said = {question: json.dumps(value) for question, value in values.items()}
    others = ("get remote_cluster", "get trusted_cluster", "get cluster_auth_preference", "inventory list")
    return {"status": PLAIN_STATUS.format(version), **dict.fromkeys(others, "[]\n"), **said}


class Inventory:
    """What ansible-inventory printed."""

    def __init__(self, printed: dict[str, Any]) -> None:
        self._variables = printed["_meta"]["hostvars"]
        self.groups = {name: sorted(row["hosts"]) for name, row in printed.items() if "hosts" in row}

    def host(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = plain(self._variables.get(name, {}))
        return found


def plain(value: Any) -> Any:
    """Some releases of ansible-inventory mark in what they print which texts are never taken for templates."""
    if isinstance(value, dict):
        marked = value.get("__ansible_unsafe")
        return marked if marked is not None else {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


class Source:
    """An inventory source whose tctl answers from a file, and the questions it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "main.tctl.yml"
        self.log = folder / "asked.jsonl"
        self.program = folder / "tctl"

    def write(self, said: dict[str, str], **options: Any) -> None:
        table = self.folder / "answers.json"
        table.write_text(json.dumps(said), encoding="utf-8")
        self.program.write_text(
            TCTL.format(python=sys.executable, log=str(self.log), answers=str(table)), encoding="utf-8"
        )
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        content = {"plugin": "lockstep.teleport.tctl", "command": [str(self.program)], **options}
        self.path.write_text(yaml.safe_dump(content), encoding="utf-8")

    def run(self) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("ansible-inventory")
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
            "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"],
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "ANSIBLE_NOCOLOR": "1",
        }
        command = [str(program), "--inventory", str(self.path), "--list"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def read(self) -> Inventory:
        done = self.run()
        assert done.returncode == 0, done.stderr
        return Inventory(json.loads(done.stdout))

    def asked(self) -> list[Any]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def groups_of(inventory: Inventory) -> dict[str, list[str]]:
    return {name: hosts for name, hosts in inventory.groups.items() if name.startswith("teleport")}


def test_a_command_that_hangs_is_ended(source: Source) -> None:
    source.write({}, timeout=1)
    source.program.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    done = source.run()
    assert done.returncode != 0
    assert "did not answer within 1 s" in done.stderr


@pytest.mark.parametrize(
    ("version", "nodes", "line"),
    [
        # Up to 4.4 one resource is printed as an object, from 5 on none is printed as null.
        ("4.4.12", heartbeat("c3c3c3c3-0000", "db-7", "4.4.12", addr="10.1.0.7:3022"), "4_4"),
        ("8.3.12", [heartbeat("c3c3c3c3-0000", "db-7", "8.3.12", addr="10.1.0.7:3022")], "8"),
        ("17.7.20", [heartbeat("c3c3c3c3-0000", "db-7", "17.7.20", addr="10.1.0.7:3022")], "17"),
    ],
)
def test_hosts_and_groups_of_every_generation(source: Source, version: str, nodes: Any, line: str) -> None:
    source.write(answers(version, nodes))
    inventory = source.read()
    assert groups_of(inventory) == {
        "teleport": ["auth-1", "db-7", "proxy-1"],
        "teleport_cluster_harbour_example": ["auth-1", "db-7", "proxy-1"],
        "teleport_service_auth": ["auth-1"],
        "teleport_service_proxy": ["proxy-1"],
        "teleport_service_agent": ["db-7"],
        f"teleport_line_{line}": ["auth-1", "db-7", "proxy-1"],
    }
    agent = inventory.host("db-7")
    assert agent["teleport_cluster"] == "harbour.example"
    assert agent["ansible_host"] == "10.1.0.7"
    assert agent["teleport_seen"]["version"] == version
    assert "ansible_host" not in inventory.host("proxy-1"), "an address that listens on all leads nowhere"


def test_before_4_3_hosts_have_no_line(source: Source) -> None:
    source.write(
        answers("4.2.12", [heartbeat("c3", "db-7", "")], **{"get auth_servers": [heartbeat("a1", "auth-1", "")]})
    )
    inventory = source.read()
    assert "db-7" in inventory.groups["teleport"]
    assert inventory.host("db-7")["teleport_seen"]["version"] is None


def test_the_dead_are_left_out(source: Source) -> None:
    gone = heartbeat("d4", "gone", "17.7.20", expires="2020-01-01T00:00:00Z")
    source.write(answers("17.7.20", [gone, heartbeat("c3", "db-7", "17.7.20")]))
    assert sorted(groups_of(source.read())["teleport"]) == ["auth-1", "db-7", "proxy-1"]


def test_instances_of_one_name_all_stay(source: Source) -> None:
    twins = [heartbeat(f"{letter * 8}-0000", "web", "17.7.20") for letter in "ef"]
    source.write(answers("17.7.20", twins))
    assert groups_of(source.read())["teleport_service_agent"] == ["web-eeeeeeee", "web-ffffffff"]


def test_through_teleport(source: Source) -> None:
    source.write(
        answers("17.7.20", [heartbeat("c3", "db-7", "17.7.20", addr="10.1.0.7:3022")]),
        connect="teleport",
        ssh_config="/etc/lockstep/ssh_config",
        services=["agent"],
    )
    inventory = source.read()
    assert groups_of(inventory)["teleport"] == ["db-7"]
    variables = inventory.host("db-7")
    assert variables["ansible_host"] == "db-7.harbour.example"
    assert variables["ansible_ssh_common_args"] == "-F /etc/lockstep/ssh_config"


def test_an_identity_is_handed_to_tctl_and_its_own_updates_are_off(source: Source) -> None:
    source.write(answers("17.7.20", []), auth_server="teleport.example:443", identity="/etc/lockstep/identity")
    source.read()
    words, tools = source.asked()[0]
    assert words[:4] == ["--auth-server", "teleport.example:443", "--identity", "/etc/lockstep/identity"]
    assert tools == "off"


def test_groups_and_variables_of_ones_own(source: Source) -> None:
    source.write(
        answers("17.7.20", [heartbeat("c3", "db-7", "17.7.20")]),
        keyed_groups=[{"key": "teleport_seen.version", "prefix": "v"}],
        compose={"ansible_user": "'ops'"},
        groups={"databases": "teleport_seen.hostname.startswith('db')"},
    )
    inventory = source.read()
    assert "db-7" in inventory.groups["v_17_7_20"]
    assert inventory.groups["databases"] == ["db-7"]
    assert inventory.host("db-7")["ansible_user"] == "ops"


def test_what_hosts_call_themselves_is_no_template(source: Source) -> None:
    source.write(
        answers("17.7.20", [heartbeat("c3", "{{ lookup('pipe', 'id') }}", "17.7.20")]),
        compose={"copy": "teleport_seen.hostname"},
    )
    inventory = source.read()
    (host,) = inventory.groups["teleport_service_agent"]
    assert inventory.host(host)["copy"] == "{{ lookup('pipe', 'id') }}"


def test_a_cached_view_asks_nobody(source: Source) -> None:
    cache = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(source.folder / "cache"),
    }
    source.write(answers("17.7.20", [heartbeat("c3", "db-7", "17.7.20")]), **cache)
    first = groups_of(source.read())
    questions = len(source.asked())
    assert groups_of(source.read()) == first
    assert len(source.asked()) == questions


@pytest.mark.parametrize("options", [{"identity": "/only"}, {"command": []}])
def test_half_a_login_is_refused(source: Source, options: dict[str, Any]) -> None:
    source.write(answers("17.7.20", []), **options)
    assert "name a command, and identity and auth_server together" in refusal(source)


def test_a_silent_cluster_is_named(source: Source) -> None:
    source.write({})
    said = refusal(source)
    assert str(source.path) in said
    assert "connection refused" in said


def refusal(source: Source) -> str:
    done = source.run()
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_other_files_are_left_to_others(source: Source) -> None:
    source.path = source.folder / "inventory.yml"
    source.path.write_text("all: {hosts: {plain: {}}}\n", encoding="utf-8")
    assert source.read().host("plain") == {}


def test_the_example_of_the_documentation(source: Source) -> None:
    example = yaml.safe_load((ROOT / "docs" / "examples" / "main.tctl.yml").read_text(encoding="utf-8"))
    command = example.pop("command")
    assert command[-1] == "tctl"
    source.write(answers("17.7.20", [heartbeat("c3c3c3c3-0000", "db-7", "17.7.20", addr="10.1.0.7:3022")]), **example)
    inventory = source.read()
    assert inventory.groups["db"] == ["db-7"]
    assert inventory.groups["version_17_7_20"] == ["auth-1", "db-7", "proxy-1"]
    assert int(inventory.host("db-7")["teleport_ready_timeout"]) == 600
    assert inventory.host("auth-1")["teleport_cluster"] == "main"
