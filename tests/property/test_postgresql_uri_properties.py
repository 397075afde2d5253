# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No password of a connection string is ever shown, and each is read as it was meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql_uri import parse, public

_TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(user=_TEXT, password=_TEXT, name=_TEXT)
def test_any_password_is_masked_and_read(user: str, password: str, name: str) -> None:
    quoted = [value.replace("\\", "\\\\").replace("'", "\\'") for value in (user, password, name)]
    text = "host=db user='{}' password='{}' dbname='{}'".format(*quoted)
    assert parse(text).keywords == {"host": "db", "user": user, "password": password, "dbname": name}
    shown = public(text)
    assert public(shown) == shown
    assert shown.startswith("postgresql://")
    assert ":***@db/" in shown
