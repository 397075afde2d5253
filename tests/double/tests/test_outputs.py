# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outputs and messages against excerpts of what real processes of each generation printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from loopback import Host
from teleport_double import compat, config, tables, tctl_views
from teleport_double.cli_tctl import unreachable
from teleport_double.errors import CommandError
from teleport_double.features import has
from teleport_double.tctl_kinds import resolve
from teleport_double.versions import Version

NewHost = Callable[..., Host]
PIN = "sha256:" + "ab" * 32
AUTHORITIES: list[dict[str, Any]] = [
    {"type": kind, "text": "never updated", "rotation": {}} for kind in ("user", "host")
]
STATUS = {"cluster": "example.com", "version": "4.2.12", "authorities": AUTHORITIES, "pins": [PIN]}


def v(text: str) -> Version:
    """A version."""
    return Version.parse(text)


def test_status_rows_are_padded_like_the_real_ones() -> None:
    lines = tctl_views.status(STATUS, v("4.2.12")).split("\n")
    assert lines[0] == "Cluster  example.com".ljust(81)
    assert [line[:9] for line in lines[:5]] == ["Cluster  ", "Version  ", "User CA  ", "Host CA  ", "CA pin   "]
    assert len({len(line) for line in lines[:5]}) == 1
    assert "Version" not in tctl_views.status(STATUS, v("4.1.11"))
    assert tctl_views.status(STATUS, v("18.9.2")).startswith("Cluster: example.com\nVersion: 4.2.12\nCA pins: sha256:")


def test_lists_change_their_shape_at_5() -> None:
    one = [{"kind": "node", "version": "v2", "metadata": {"name": "n"}, "spec": {}}]
    assert json.loads(tctl_views.resources(one, v("4.4.12"), "json"))["kind"] == "node"
    assert tctl_views.resources([], v("4.4.12"), "json") == "[]"
    assert json.loads(tctl_views.resources(one, v("5.2.5"), "json"))[0]["kind"] == "node"
    assert tctl_views.resources([], v("5.2.5"), "json") == "null"
    assert tctl_views.resources([], v("5.2.5"), "yaml") == ""


def test_yaml_quotes_what_go_quotes() -> None:
    document = {"expires": "2026-01-02T03:04:05.678Z", "enabled": "yes", "id": 7, "current_id": ""}
    assert tables.to_yaml([document]) == (
        'current_id: ""\nenabled: "yes"\nexpires: "2026-01-02T03:04:05.678Z"\nid: 7\n'
    )
    assert "expires: 2026-01-02T03:04:05.678Z\n" in tables.to_yaml([document], plain_times=True)
    assert tables.to_yaml([{"a": 1}, {"a": 2}]) == "a: 1\n---\na: 2\n"


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("4.2.12", "unrecognized configuration key: 'bogus_key'"),
        (
            "7.3.21",
            (
                "failed parsing the config file: yaml: unmarshal errors:  line 2: field bogus_key "
                "not found in type config.Global"
            ),
        ),
    ],
)
def test_unknown_keys_are_refused_in_the_words_of_the_generation(version: str, text: str) -> None:
    with pytest.raises(CommandError) as caught:
        config.parse("teleport:\n  bogus_key: 1\n", v(version))
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("section", "key", "since"), [("proxy_service", "https_keypairs", "5"), ("auth_service", "assist", "13")]
)
def test_keys_of_later_lines_are_unknown_before(section: str, key: str, since: str) -> None:
    text = f"{section}:\n  {key}: []\n"
    with pytest.raises(CommandError):
        config.parse(text, v("4.4.12"))
    assert config.parse(text, v(f"{since}.0.0"))


def test_16_refuses_to_run_without_a_second_factor() -> None:
    text = "auth_service:\n  authentication: {second_factor: 'off'}\n"
    assert config.parse(text, v("15.5.3"))
    with pytest.raises(CommandError, match="multi-factor"):
        config.parse(text, v("16.5.12"))


def test_an_unreachable_auth_is_told_in_the_words_of_the_generation() -> None:
    old = unreachable(v("4.2.12"), "127.0.0.1:3025", "dial tcp 127.0.0.1:3025: connect: connection refused", 0.0).text
    assert old.endswith("connect: connection refused.\nIs the auth server running on 127.0.0.1:3025?\n")
    assert old.startswith('time="1970-01-01T00:00:00Z" level=error msg="Failed to dial auth server 127.0.0.1:3025')
    new = unreachable(v("8.3.12"), "127.0.0.1:3025", "EOF", 0.0).text
    assert 'Is the auth server running on "127.0.0.1:3025"?\n' in new
    assert "failed direct dial to auth server" in new


@pytest.mark.parametrize(
    ("version", "kind", "text"),
    [
        ("3.2.17", "namespace", "unsupported resource: namespace"),
        ("4.2.12", "cap", "'cluster_auth_preference' is not supported"),
        (
            "4.2.12",
            "cluster_networking_config",
            'unsupported resource: "cluster_networking_config" - resources should be',
        ),
    ],
)
def test_kinds_a_generation_lacks(version: str, kind: str, text: str) -> None:
    with pytest.raises(CommandError) as caught:
        resolve(kind, v(version))
    assert caught.value.text.startswith(text)


def test_measured_skew_table() -> None:
    dead = [
        ("8.3.12", "4.2.12"),
        ("8.3.12", "6.2.11"),
        ("6.2.11", "8.3.12"),
        ("9.3.13", "10.1.2"),
        ("15.5.3", "17.7.20"),
    ]
    alive = [
        ("4.2.12", "5.2.3"),
        ("6.2.11", "7.3.21"),
        ("7.3.21", "4.4.10"),
        ("7.3.21", "8.3.12"),
        ("18.9.2", "17.7.20"),
    ]
    assert {compat.judge(v(node), v(auth)).kind for auth, node in dead} == {"die"}
    assert {compat.judge(v(node), v(auth)).kind for auth, node in alive} <= {"ok", "warn"}
    assert compat.judge(v("14.4.1"), v("16.5.12")).kind == "rejected"


@pytest.mark.parametrize(
    ("version", "feature", "there"),
    [
        ("12.2.3", "raw_version", False),
        ("12.2.4", "raw_version", True),
        ("17.5.0", "backend_version_guard", False),
        ("17.5.1", "backend_version_guard", True),
        ("13.4.27", "ca_db_client", True),
        ("14.0.0", "ca_db_client", False),
        ("17.7.20", "pid_in_readyz", False),
        ("18.9.2", "pid_in_readyz", True),
    ],
)
def test_features_follow_patch_levels(version: str, feature: str, there: bool) -> None:
    assert has(v(version), feature) is there


def test_command_lines(new_host: NewHost) -> None:
    host = new_host()
    done = host.run("teleport", "configure", "--test=x", version="6.2.31")
    assert (done.returncode, done.stderr) == (1, "\x1b[31mERROR: \x1b[0munknown long flag '--test'\n\n")
    done = host.run("teleport", "configure", f"--test={host.config}", version="7.3.21")
    assert (done.returncode, done.stderr) == (0, f"OK {host.config}\n")
    done = host.run("teleport", "version", version="3.2.17")
    assert done.stdout.startswith("Teleport v3.2.18-gravity git:v3.2.17-0-g")
    done = host.run("teleport", "version", version="17.7.20-ent-fips")
    assert done.stdout.startswith("Teleport Enterprise v17.7.20 git:")
    done = host.run("teleport", "start", "--help", version="4.2.12")
    assert (done.returncode, done.stdout) == (1, "")
    done = host.run("tctl", "status", version="4.3.10")
    assert done.returncode == 1
    done = host.run("tctl", "nodes", "ls", "--format=json", version="4.3.10")
    assert done.stderr.startswith("error: make sure role used in flag has a corresponding Teleport role in RBAC")


def test_no_auth_answers(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("8.3.12")
    assert host.tctl("tokens", "ls").startswith("Token")
    host.stop()
    done = host.run("tctl", "status")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(f'Is the auth server running on "127.0.0.1:{host.auth_port}"?')
    done = new_host("n1", services=("node",)).run("tctl", "status", version="8.3.12")
    assert "tctl must be either used on the auth server or provided with the identity file" in done.stderr


def test_metrics_count_versions_from_8_on(new_host: NewHost) -> None:
    host = new_host(services=("auth", "node")).start("8.3.12")
    assert 'teleport_registered_servers{version="8.3.12"} 1' in host.http("/metrics")[1]
    assert host.http("/healthz") == (200, '{"status":"ok"}')
    assert host.http("/nothing")[0] == 404
