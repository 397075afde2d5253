# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the table about package sources, configurations that are edited, and what preflight rules look at."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    cluster_facts,
    cluster_view,
    config_edit,
    haproxy,
    package_apt,
    package_rpm,
    package_source,
    scaling_group,
    surroundings,
    tctl,
    updater,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_cures, inventory_hosts, safe_yaml
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.tests.fuzz import seeds
from ansible_collections.lockstep.teleport.tests.fuzz.inputs import changed, json_text, tampered, tampered_bytes
from ansible_collections.lockstep.teleport.tests.fuzz.parser import Parser

LIST = "deb [signed-by=/k.asc] https://apt.releases.teleport.dev/debian bookworm stable/v16\n"
DEB822 = "Types: deb\nURIs: https://apt.example/debian\nSuites: bookworm\nComponents: main\n stable/v16\n"
REPO = "[teleport]\nname=t\nbaseurl=https://yum.example/el/9/Teleport/x86_64/stable/v16\ngpgcheck=1\nenabled=1\n"
SHOWN = "Package: teleport\nVersion: 16.5.18\nSize: 178000000\n\nPackage: teleport\nVersion: 16.5.12\nSize: 1\n"
QUERIED = "teleport 16.5.12-1 178000000\nteleport 16.5.18-1 178000001\n"
USERS = [
    {"kind": "user", "metadata": {"name": "alice"}, "spec": {"roles": ["access"]}, "status": {"password_state": 2}},
]
ROLES = [
    {
        "kind": "role",
        "metadata": {"name": "access"},
        "spec": {
            "options": {"create_host_user_mode": "drop"},
            "allow": {"rules": [{"resources": ["session"], "verbs": ["read"]}]},
        },
    }
]


def printing(text: str) -> Host:
    """A host whose every program prints *text*."""
    return Host(run_command=lambda *_arguments, **_options: (0, text, ""), sleep=lambda _seconds: None)


def find_sources(text: str) -> Any:
    found = package_source.find({"/a.list": text, "/b.sources": text, "/c.repo": text})
    return [(one.channel, one.alone, one.is_unsigned, one.at("17").text) for one in found]


def offered(tool: Callable[[Host], Any], entry: str, path: str) -> Callable[[str], Any]:
    """Ask a repository what it offers, while its programs print the input."""
    (source,) = package_source.find({path: entry})

    def ask(text: str) -> Any:
        with tempfile.TemporaryDirectory(prefix="lockstep-fuzz-") as folder:
            return tool(printing(text)).repository(source, folder).offers("teleport")

    return ask


def asked_package(text: str) -> Any:
    found: list[Any] = []
    for tool in (package_apt.Apt(printing(text)), package_rpm.Rpm(printing(text))):
        found += [tool.owner("/usr/local/bin/teleport"), tool.installed("teleport"), tool.is_held("teleport")]
    return found


def written_record(content: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="lockstep-fuzz-") as folder:
        edits = config_edit.ConfigEdits(folder)
        Path(edits._path).write_bytes(content)
        return edits._records()


def facts_of(resources: Any) -> Any:
    found = tctl.as_list(resources)
    return {
        **cluster_facts.of_roles(found),
        **cluster_facts.of_users(found, found),
        **cluster_facts.of_connectors(found),
    }


def hosts_of(resources: Any) -> Any:
    found = tctl.as_list(resources)
    merged = cluster_view.merge(cluster_view.from_heartbeats("agent", found), cluster_view.from_inventory(found))
    hosts = inventory_hosts.hosts_of({"cluster": "main", "instances": merged}, inventory_hosts.Wish())
    return inventory_hosts.shared_names(hosts)


def cured(text: str) -> Any:
    """Every cure on one configuration, which has to be YAML first, as on the controller."""
    safe_yaml.load(text)
    edits = [rule for rule, row in rules().items() if row.edit]
    offers = [config_cures.offer(text, one) for one in edits]
    return offers, config_cures.chain(text, edits, "3.2.17", [config_cures.ALL])


RECORD = {"path": "/t.yaml", "before": "a" * 64, "after": "b" * 64, "kept": "/t.yaml.lockstep-" + "a" * 12}
TBOT = ["auth_server: a:3025\noutputs: []\n", "version: v2\nproxy_server: p:443\n"]
KEYS = ["/web/users/alice/pwd", "/web/users/alice/mfa/1", "/web/users/bob/pwd"]
MIGRATION = {"version": 3, "phase": 1, "started": "2026-11-22T10:00:00Z"}

SERVERS = "# pxname,svname,status,scur,addr,\nteleport,proxy1,UP,3,10.0.0.1:3080,\nteleport,proxy2,DRAIN,,,\n\n"
BEFORE = {"min": 2, "desired": 3, "suspended": ["Launch"], "protected": False, "keep": "i-1"}
UPDATE = "version: v1\nspec:\n  enabled: true\n  pinned: false\nstatus:\n  active:\n    version: 17.7.20\n"


def tagged_group(tag: str) -> Any:
    """A group whose tag somebody wrote; the rest of the answer is boto3's, by its own model."""
    one = {"MinSize": 1, "DesiredCapacity": 1, "Instances": [], "Tags": [{"Key": scaling_group.TAG, "Value": tag}]}
    return scaling_group.parse("auth", {"AutoScalingGroups": [one]})


PARSERS: dict[str, Parser] = {
    "haproxy.parse": Parser(haproxy.parse, tampered([SERVERS]), (HostError,)),
    "scaling_group.parse": Parser(tagged_group, json_text(BEFORE), (HostError,)),
    "updater.parse": Parser(updater.parse, tampered([UPDATE])),
    "package_source.find": Parser(find_sources, tampered([LIST, DEB822, REPO])),
    "package_apt offers": Parser(offered(package_apt.Apt, LIST, "/a.list"), tampered([SHOWN]), (HostError,)),
    "package_rpm offers": Parser(offered(package_rpm.Rpm, REPO, "/c.repo"), tampered([QUERIED]), (HostError,)),
    "package queries": Parser(asked_package, tampered(["teleport: /usr/local/bin/teleport", "hold installed 16.5.18"])),
    "config_edit records": Parser(written_record, json_text([RECORD]).map(str.encode), (HostError,)),
    "config_cures": Parser(cured, tampered(seeds.CONFIGS), (safe_yaml.YamlRefused,)),
    "surroundings.tbot": Parser(surroundings._tbot, tampered_bytes(TBOT)),
    "cluster_facts": Parser(facts_of, changed([*USERS, *ROLES]), (tctl.TctlError,)),
    "cluster_facts.of_keys": Parser(lambda text: cluster_facts.of_keys(text.split("\n")), tampered(["\n".join(KEYS)])),
    "cluster_facts.of_migration": Parser(cluster_facts.of_migration, json_text(MIGRATION).map(str.encode)),
    "inventory_hosts": Parser(hosts_of, changed(seeds.RESOURCES), (tctl.TctlError,)),
}
