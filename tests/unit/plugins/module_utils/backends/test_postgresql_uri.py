# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection strings of PostgreSQL: both forms, masked, and found again."""

from __future__ import annotations

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql_uri import (
    environment,
    find,
    parse,
    public,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:hunter2@db/teleport", "postgresql://u:***@db/teleport"),
        ("postgres://u@db:5432/teleport", "postgresql://u@db/teleport"),
        ("postgresql://u:hunter2@a:1,b:2/t?sslmode=verify-full", "postgresql://u:***@a:1,b:2/t?sslmode=verify-full"),
        ("postgresql://u:a@hunter2@db/t", "postgresql://u:***@db/t"),
        ("postgresql://u@[::1]:6000/t", "postgresql://u@[::1]:6000/t"),
        ("postgresql:///t?host=/run/pg&user=u&password=hunter2", "postgresql://u:***@/t?host=/run/pg"),
        ("host=db port=5433 user=u password='hunter2 \\' x' dbname=t", "postgresql://u:***@db:5433/t"),
        ("host=db sslpassword=hunter2", "postgresql://db/?sslpassword=***"),
        ("postgres://u:hunter2@db/audit#auth_mode=azure", "postgresql://u:***@db/audit#auth_mode=azure"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert public(text) == shown
    assert public(shown) == shown


@pytest.mark.parametrize("text", ["", "hunter2", "mysql://u:hunter2@db/t", "host=db hunter2", "host='hunter2"])
def test_what_is_no_connection_string_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(BackupError, match="is no connection string") as refused:
        public(text)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "line",
    [
        "conn_string: postgresql://u:hunter2@db/t",
        "conn_string: postgresql://u:hunter2@db/t   # ours",
        'conn_string: "postgresql://u:hunter2@db/t"',
        'storage: {type: postgresql, conn_string: "postgresql://u:hunter2@db/t", x: y}',
        "storage: {type: postgresql, conn_string: postgresql://u:hunter2@db/t}",
        "- 'postgres://u:hunter2@db:5432/t'",
        "conn_string: host=db user=u password=hunter2 dbname=t",
        "conn_string: \"host=db user=u password='hunter2' dbname=t\"",
    ],
)
def test_the_password_is_found_in_the_file(line: str) -> None:
    text = f"teleport:\n  # conn_string: postgresql://u:old@db/t\n  {line}\n  other: postgresql://u:wrong@else/t\n"
    assert find("postgresql://u:***@db/t", text).keywords["password"] == "hunter2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("conn_string: >-\n  postgresql://u:hunter2\n  @db/t", "cannot be found there"),
        ("a: postgresql://u:hunter2@db/t\nb: postgresql://u:hunter3@db/t", "more than one password"),
    ],
)
def test_a_password_that_cannot_be_told_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BackupError, match=reason) as refused:
        find("postgresql://u:***@db/t", text)
    assert "hunter" not in str(refused.value)


def test_the_environment_of_the_programs() -> None:
    keywords = parse(
        "postgresql://u:p%40@db/t?sslmode=require&pool_max_conns=9&search_path=a b&connect_timeout=3"
    ).keywords
    assert environment(keywords) == {
        "PGUSER": "u",
        "PGPASSWORD": "p@",
        "PGHOST": "db",
        "PGDATABASE": "t",
        "PGSSLMODE": "require",
        "PGOPTIONS": "-c search_path=a\\ b",
        "PGCONNECT_TIMEOUT": "3",
    }
    with pytest.raises(BackupError, match="sslpassword"):
        environment({"sslpassword": "hunter2"})
