# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observations of hosts in all the states they are found in, and the instance and findings they make."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils import instance

REQUEST = {"bin_dir": "/usr/local/bin", "versions_dir": "/opt/teleport-versions"}


DYNAMODB = "teleport: {storage: {type: dynamodb, table_name: t, audit_sessions_uri: 's3://b/r'}}\n"
AUDIT = "teleport: {{storage: {{type: etcd, peers: [e1], audit_events_uri: ['{}']}}}}\n"
AGENT = "auth_service: {enabled: 'no'}\nproxy_service: {enabled: 'no'}\n"
AUTH = "auth_service: {enabled: 'yes'}\nssh_service: {enabled: 'no'}\nproxy_service: {enabled: 'no'}\n"
UPDATER = {"kind": "teleport-update", "enabled": True, "pinned": False, "active": "6.2.31", "paused": False}
PACKAGE = {"problem": None, "held": False, "name": "teleport", "edition": "community"}


def answer(version: str) -> dict[str, Any]:
    return {"version": version, "edition": "community", "error": None}


def observation(config: str | bytes | None = "", **changes: Any) -> dict[str, Any]:
    content = config.encode() if isinstance(config, str) else config
    unit = {
        "name": "teleport.service",
        "load_state": "loaded",
        "active_state": "active",
        "main_pid": 41,
        "n_restarts": 0,
        **changes.pop("unit", {}),
    }
    programs = {
        "exe": "/usr/local/bin/teleport",
        "running": answer("6.2.31"),
        "installed": answer("6.2.31"),
        "clients": {},
        **changes.pop("programs", {}),
    }
    return {
        "systemd": True,
        "unit_error": None,
        "busy": False,
        "session_inside_unit": False,
        "wall": 0.0,
        "clock_off": 0.0,
        "unit": unit,
        "options": {},
        "programs": programs,
        "install_method": "tarball",
        "kept_versions": [],
        "architecture": "amd64",
        "hostname": "harbour",
        "config_file": {
            "path": "/etc/teleport.yaml",
            "found": config is not None,
            "error": None,
            "sha256": None,
            "content": None if content is None else base64.b64encode(zlib.compress(content)).decode(),
        },
        "held": False,
        "unfinished": False,
        "free_bytes": {"versions_dir": 1, "data_dir": 1},
        "surroundings": {"kernel": "6.1.0", "glibc": "2.36", "libraries_missing": [], "legacy_repositories": []},
        "used": {"data_dir": "/var/lib/teleport", "diag_addr": None},
        "host_uuid": None,
        "ready": None,
        **changes,
    }


def assembled(observed: dict[str, Any]) -> dict[str, Any]:
    return instance.assemble("h1", observed, instance.parse_config(observed), REQUEST)


def codes(observed: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in assembled(observed)["findings"]]


def test_running_instance() -> None:
    found = assembled(observation("auth_service: {cluster_name: c}\nssh_service: {enabled: no}"))
    assert found["services"] == ["auth", "proxy"]
    assert (found["version"], found["state"], found["cluster"]) == ("6.2.31", "running", "c")
    assert found["findings"] == []


def test_agent_names_no_cluster() -> None:
    config = "auth_service: {enabled: no, cluster_name: c}\nproxy_service: {enabled: no}"
    assert assembled(observation(config))["cluster"] is None


def test_running_version_goes_before_the_installed_one() -> None:
    found = assembled(observation(programs={"installed": answer("7.3.21")}))
    assert found["version"] == "6.2.31"
    assert found["installed_version"] == "7.3.21"
    assert [finding["code"] for finding in found["findings"]] == ["restart-pending"]


def test_stopped_instance_counts_with_what_is_installed() -> None:
    found = assembled(observation(unit={"main_pid": 0, "active_state": "failed"}, programs={"running": None}))
    assert (found["state"], found["version"], found["running_version"]) == ("stopped", "6.2.31", None)


def test_client_tools_count_with_the_oldest() -> None:
    clients = {"tsh": answer("10.1.0"), "tctl": answer("9.3.0")}
    observed = observation(
        None,
        unit={"load_state": "not-found", "main_pid": 0},
        programs={"running": None, "installed": None, "clients": clients},
    )
    found = assembled(observed)
    assert (found["services"], found["version"], found["state"]) == (["client"], "9.3.0", "running")
    assert found["findings"] == []
    assert found["roles_enabled"] == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config": None}, ["config-missing"]),
        ({"config": "a: 1\na: 2"}, ["config-unparsable"]),
        ({"config": b"\xff\xfe"}, ["config-unparsable"]),
        ({"unit": {"load_state": "not-found"}}, ["unit-missing"]),
        ({"unit": {"load_state": "masked"}}, ["unit-masked"]),
        ({"systemd": False, "unit_error": "no"}, ["not-systemd"]),
        ({"busy": True}, ["busy"]),
        ({"unit": {"n_restarts": 2}}, ["restarting"]),
        ({"clock_off": 61.0}, ["clock-off"]),
        ({"clock_off": -61.0, "unit": {"load_state": "masked"}}, ["clock-off", "unit-masked"]),
        ({"clock_off": -59.0}, []),
        ({"unit_error": "timed out"}, ["unit-unreadable"]),
        ({"config": DYNAMODB}, ["boto-missing", "recordings-not-saved"]),
        ({"config": DYNAMODB, "surroundings": {"boto3": True}}, ["recordings-not-saved"]),
        ({"config": DYNAMODB + "auth_service: {enabled: 'no'}\n"}, []),
        ({"config": "teleport: {storage: {type: sqlite, audit_sessions_uri: file:///var/log}}\n"}, []),
        ({"config": AUDIT.format("athena://events?topic=x")}, ["audit-not-saved"]),
        ({"config": AUDIT.format("postgresql://u:secret@db/audit#auth_mode=azure")}, ["audit-not-saved"]),
        ({"config": AUDIT.format("postgresql://u:secret@db/audit")}, []),
        ({"config": AUDIT.format("file:///var/lib/teleport/log")}, []),
        ({"install_method": "package", "package": {"problem": "no source"}}, ["package-managed"]),
        ({"install_method": "package", "package": PACKAGE}, []),
        ({"install_method": "package", "package": {**PACKAGE, "held": True}}, ["package-held"]),
        ({"install_method": "managed_updates", "updater": UPDATER, "config": AGENT}, ["updater-enabled"]),
        ({"install_method": "managed_updates", "updater": {**UPDATER, "pinned": True}, "config": AGENT}, []),
        (
            {"install_method": "managed_updates", "updater": {**UPDATER, "enabled": False}, "config": AGENT},
            ["managed-updates"],
        ),
        ({"install_method": "managed_updates", "updater": UPDATER, "config": AUTH}, ["managed-updates"]),
        ({"updater": {**UPDATER, "kind": "teleport-upgrade"}, "config": AUTH}, ["updater-enabled"]),
        ({"updater": {**UPDATER, "paused": True}}, ["updater-paused"]),
        ({"programs": {"elsewhere": {"/usr/bin/tsh": "16.5.12", "/root/.tsh/bin/tsh": None}}}, ["tools-elsewhere"]),
        (
            {"install_method": "none", "programs": {"running": None, "installed": None}},
            ["nothing-installed"],
        ),
        (
            {"programs": {"running": {"version": None, "edition": None, "error": "crashed"}}},
            ["version-unreadable"],
        ),
    ],
)
def test_findings(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(observation(**changes)) == expected


@pytest.mark.parametrize(
    ("said", "options", "expected"),
    [
        ("enterprise", {"fips": "yes"}, "fips"),
        ("enterprise", {}, "enterprise"),
        ("fips", {}, "fips"),
        ("community", {"fips": "yes"}, "community"),
    ],
)
def test_what_is_started_in_fips_mode_is_no_plain_enterprise(said: str, options: dict[str, str], expected: str) -> None:
    running = {"version": "17.7.20", "edition": said, "error": None}
    assert assembled(observation(programs={"running": running}, options=options))["edition"] == expected


def test_a_package_tells_the_edition() -> None:
    package = {**PACKAGE, "edition": "fips"}
    assert assembled(observation(install_method="package", package=package))["edition"] == "fips"


def test_only_a_killed_upgrade_is_unfinished() -> None:
    assert assembled(observation(unfinished=True))["unfinished"]
    assert not assembled(observation(held=True, marks=["drained"]))["unfinished"]


def test_held_unfinished_and_marked_all_count_as_interrupted() -> None:
    assert assembled(observation(held=True))["interrupted"]
    assert assembled(observation(unfinished=True))["interrupted"]
    assert assembled(observation(marks=["drained"]))["interrupted"]
    assert not assembled(observation())["interrupted"]


@pytest.mark.parametrize(
    ("config", "asked", "wrong"),
    [
        ("teleport: {data_dir: /var/lib/teleport}", None, {}),
        ("", None, {}),
        ("teleport: {data_dir: /d}", None, {"data_dir": "/d", "diag_addr": ""}),
        ("teleport: {diag_addr: 'x:1'}", None, {"data_dir": "/var/lib/teleport", "diag_addr": "x:1"}),
        ("a: [", None, {}),
    ],
)
def test_wrong_guesses_are_corrected(config: str, asked: str | None, wrong: dict[str, str]) -> None:
    observed = observation(config)
    assert instance.corrections(observed, instance.parse_config(observed), asked) == wrong


def test_no_secret_of_the_configuration_is_in_the_instance() -> None:
    config = "teleport: {auth_token: hunter2}\nauth_service: {tokens: ['node:hunter2']}"
    assert "hunter2" not in json.dumps(assembled(observation(config)))
    broken = "teleport: {auth_token: hunter2"
    assert "hunter2" not in json.dumps(assembled(observation(broken)))


def test_diagnostic_address_that_was_asked_for_is_kept() -> None:
    observed = observation("teleport: {diag_addr: 'x:1'}")
    found = instance.assemble("h1", observed, instance.parse_config(observed), {**REQUEST, "diag_addr": "y:2"})
    assert found["config"]["diag_addr"] == "y:2"


@pytest.mark.parametrize(("wall", "off"), [(99.0, -1.0), (100.0, 0.0), (104.0, 0.0), (105.0, 0.0), (107.0, 2.0)])
def test_a_clock_is_right_when_it_is_between_question_and_answer(wall: float, off: float) -> None:
    assert instance.clock_off(wall, 100.0, 105.0) == off
