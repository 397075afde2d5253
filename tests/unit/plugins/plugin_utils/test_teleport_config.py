# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of all generations, reduced to what an upgrade needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import preflight_config, safe_yaml
from ansible_collections.lockstep.teleport.plugins.plugin_utils.teleport_config import (
    ConfigRefused,
    services,
    summarize,
)

FULL = """
version: v2
teleport:
  nodename: harbour
  data_dir: /srv/teleport
  pid_file: /run/tp.pid
  auth_token: hunter2
  diag_addr: 127.0.0.1:3434
  ciphersuites: [tls-a, tls-b]
  ca_pin: "sha256:00ff"
  auth_servers:
    - auth.example.org:3025
  storage:
    type: etcd
    peers: ["https://root:hunter2@e1:2379", "https://e2:2379"]
    prefix: /tp/
    tls_ca_file: /ca.pem
    password_file: /pw
    password: hunter2
    insecure: no
auth_service:
  enabled: "yes"
  cluster_name: main.example.org
  listen_addr: 10.0.0.1:3025
  tokens: ["node:hunter2"]
proxy_service:
  enabled: false
  web_listen_addr: 0.0.0.0:443
  public_addr: tp.example.org:443
ssh_service:
  enabled: "no"
app_service:
  enabled: on
db_service:
  resources: []
"""


def test_everything_that_is_needed_and_nothing_secret() -> None:
    found = summarize(FULL, {})
    assert found.pop("checked") == preflight_config.settings(safe_yaml.load(FULL))
    assert found == {
        "version": "v2",
        "data_dir": "/srv/teleport",
        "diag_addr": "127.0.0.1:3434",
        "pid_file": "/run/tp.pid",
        "nodename": "harbour",
        "ciphersuites": ["tls-a", "tls-b"],
        "auth_servers": ["auth.example.org:3025"],
        "ca_pins": ["sha256:00ff"],
        "cluster_name": "main.example.org",
        "auth_listen_addr": "10.0.0.1:3025",
        "proxy_web_addr": "0.0.0.0:443",
        "proxy_public_addr": ["tp.example.org:443"],
        "storage": {
            "type": "etcd",
            "peers": ["https://e1:2379", "https://e2:2379"],
            "prefix": "/tp/",
            "tls_ca_file": "/ca.pem",
            "password_file": "/pw",
            "insecure": False,
        },
        "roles_enabled": ["app_service", "auth_service"],
    }
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("", ["auth_service", "proxy_service", "ssh_service"]),
        ("auth_service:\n", ["auth_service", "proxy_service", "ssh_service"]),
        ("auth_service: {listen_addr: 'x:1'}", ["auth_service", "proxy_service", "ssh_service"]),
        ("auth_service: {enabled: no}\nproxy_service: {enabled: 'no'}", ["ssh_service"]),
        ("auth_service: {enabled: False}\nproxy_service: {enabled: off}\nssh_service: {enabled: 0}", []),
        ("auth_service: {enabled: maybe}", ["proxy_service", "ssh_service"]),
        ("kubernetes_service: {listen_addr: 'x:1'}", ["auth_service", "proxy_service", "ssh_service"]),
        (
            "discovery_service: {enabled: true}\nwindows_desktop_service: {enabled: yes}",
            ["auth_service", "discovery_service", "proxy_service", "ssh_service", "windows_desktop_service"],
        ),
    ],
)
def test_sections_that_are_not_there_have_defaults(text: str, roles: list[str]) -> None:
    assert summarize(text, {})["roles_enabled"] == roles


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (["auth_service", "proxy_service", "ssh_service"], ["auth", "proxy", "agent"]),
        (["auth_service"], ["auth"]),
        (["proxy_service"], ["proxy"]),
        (["db_service"], ["agent"]),
        ([], ["agent"]),
    ],
)
def test_services_in_the_words_of_the_plan(roles: list[str], words: list[str]) -> None:
    assert services(roles) == words


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("teleport: {auth_servers: ['a:1', 'b:2']}", ["a:1", "b:2"]),
        ("teleport: {auth_servers: a:1}", ["a:1"]),
        ("version: v3\nteleport: {auth_server: 'a:1'}", ["a:1"]),
        ("version: v3\nteleport: {proxy_server: 'p:443'}", ["p:443"]),
        ("teleport: {}", []),
    ],
)
def test_where_an_instance_joins_in_all_generations(text: str, servers: list[str]) -> None:
    assert summarize(text, {})["auth_servers"] == servers


@pytest.mark.parametrize(
    ("text", "storage"),
    [
        ("teleport: {}", {"type": "dir", "path": "/var/lib/teleport/backend"}),
        ("teleport: {data_dir: /d, storage: {type: sqlite}}", {"type": "sqlite", "path": "/d/backend"}),
        ("teleport: {storage: {type: dir, path: /p}}", {"type": "dir", "path": "/p"}),
        (
            "teleport: {storage: {type: dynamodb, region: eu, table_name: t, access_key: AK, secret_key: hunter2}}",
            {
                "type": "dynamodb",
                "region": "eu",
                "table_name": "t",
                "places": {"access_key": 76, "secret_key": 92, "table_name": 61},
            },
        ),
        (
            "teleport: {storage: {type: postgresql, conn_string: 'postgresql://u:hunter2@db'}}",
            {"type": "postgresql", "conn_string": "postgresql://u:***@db/"},
        ),
        (
            """teleport: {storage: {type: sqlite, path: /p, audit_sessions_uri: 's3://key:hunter2@bucket/path',
            audit_events_uri: ['file:///log', 'postgres://u:hunter2@db/audit']}}""",
            {
                "type": "sqlite",
                "path": "/p",
                "audit_events_uri": ["file:///log", "postgresql://u:***@db/audit"],
                "audit_sessions_uri": ["s3://bucket/path"],
            },
        ),
    ],
)
def test_storage(text: str, storage: dict[str, Any]) -> None:
    assert summarize(text, {})["storage"] == storage


def test_the_command_line_goes_before_the_file() -> None:
    found = summarize(FULL, {"roles": "node,proxy", "diag_addr": "127.0.0.1:1", "nodename": "other"})
    assert found["roles_enabled"] == ["proxy_service", "ssh_service"]
    assert found["diag_addr"] == "127.0.0.1:1"
    assert found["nodename"] == "other"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "the file holds no keys"),
        ("just text hunter2", "the file holds no keys"),
        ("teleport: hunter2", "section 'teleport' holds no keys"),
        ("teleport: {storage: [hunter2]}", "section 'storage' holds no keys"),
        ("ssh_service: [hunter2]", "section 'ssh_service' holds no keys"),
        ("a: 1\na: hunter2", "line 2"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(ConfigRefused, match=reason) as caught:
        summarize(text, {})
    assert "hunter2" not in str(caught.value)
