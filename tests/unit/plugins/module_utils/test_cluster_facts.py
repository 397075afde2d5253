# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of roles, users and the backend, and that a shape nobody knows tells nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import cluster_facts
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.directory import DirectoryBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.sqlite import SqliteBackend


def resource(name: str, spec: Any = None, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec or {}, **more}


def rules(*resources: str) -> dict[str, Any]:
    return {"allow": {"rules": [{"resources": list(resources), "verbs": ["list"]}]}}


def test_roles_that_a_later_version_takes_differently_are_named() -> None:
    roles = [
        resource("auditor", rules("session")),
        resource("both", rules("session", "event")),
        resource("all", rules("*")),
        resource("contractor", {"options": {"create_host_user_mode": "drop"}}),
        resource("plain"),
        resource("odd", {"allow": {"rules": "none"}, "options": []}),
    ]
    assert cluster_facts.of_roles(roles) == {"session_roles": ["auditor"], "roles_drop": ["contractor"]}


def test_users_with_roles_that_do_not_exist_are_named() -> None:
    users = [resource("alice", {"roles": ["access", "dba"]}), resource("bob", {"roles": ["access"]})]
    assert cluster_facts.of_users(users, [resource("access")]) == {"roles_missing": ["alice: dba"]}


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({"password_state": 2, "mfa_weakest_device": 1}, ["alice"]),
        ({"password_state": 2, "mfa_weakest_device": 3}, []),
        ({"password_state": 1, "mfa_weakest_device": 1}, []),
        ({}, []),
    ],
)
def test_a_user_with_a_password_and_no_device_has_no_second_factor(status: dict[str, int], found: list[str]) -> None:
    users = [resource("alice", status=status)]
    assert cluster_facts.of_users(users, [])["users_without_factor"] == found


def test_versions_without_the_state_of_users_say_nothing_of_it() -> None:
    assert "users_without_factor" not in cluster_facts.of_users([resource("alice")], [])


@pytest.mark.parametrize(
    ("value", "facts"),
    [
        (None, {"migration": None}),
        (b'{"version": 2, "phase": 2}', {"migration": None}),
        (b'{"version": 1, "phase": 1, "started": "2026-01-01T00:00:00Z"}', {"migration": "number 1 is in progress"}),
        (b'{"version": 2, "phase": 3}', {"migration": "number 2 is failed"}),
        (b'{"version": 2}', {"migration": "number 2 is pending"}),
        (b'{"version": 2, "phase": 7}', {}),
        (b"no JSON", {}),
        (b"[]", {}),
    ],
)
def test_a_migration_that_never_completed_is_told(value: bytes | None, facts: dict[str, Any]) -> None:
    assert cluster_facts.of_migration(value) == facts


@pytest.fixture
def database(tmp_path: Path) -> SqliteBackend:
    path = tmp_path / "sqlite.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE kv (key TEXT PRIMARY KEY, modified INTEGER, expires DATETIME, value BLOB)")
        rows = {
            "/migrations/current": b'{"version": 1, "phase": 1}',
            "/web/users/alice/params": b"{}",
            "/web/users/alice/pwd": b"secret",
            "/web/users/bob/params": b"{}",
            "/web/users/bob/pwd": b"secret",
            "/web/users/bob/mfa/0001": b"{}",
            "/web/users/sso/params": b"{}",
            "/web/usersonline": b"",
        }
        connection.executemany("INSERT INTO kv (key, value) VALUES (?, ?)", rows.items())
        connection.commit()
    return SqliteBackend(str(path))


def test_a_database_tells_its_migration_and_whose_password_is_all_they_have(database: SqliteBackend) -> None:
    found = cluster_facts.read_backend(database)
    assert found == {"migration": "number 1 is in progress", "users_without_factor": ["alice"]}
    assert database.peek("/none") is None


def test_a_store_that_is_only_read_as_a_whole_tells_nothing(tmp_path: Path) -> None:
    assert cluster_facts.read_backend(DirectoryBackend(str(tmp_path))) == {}
