# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In-order upgrades, skips and downgrades over one data dir, as measured with real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import witness
from loopback import Host

NewHost = Callable[..., Host]
IN_ORDER = ["4.2.12", "4.3.10", "4.4.12", "5.2.5", "6.2.31", "7.3.21", "8.3.17", "9.3.13", "10.3.16", "11.3.27"]
IN_ORDER += ["12.4.35", "13.4.27", "14.4.1", "15.5.3", "16.5.12", "17.7.20", "18.9.2"]
CONNECTOR = """kind: github
version: v3
metadata: {name: github}
spec: {client_id: x, client_secret: y, teams_to_logins: [{organization: o, team: t, logins: [root]}]}
"""


def seed(host: Host, *users: str) -> None:
    """Users on a fresh cluster."""
    for user in users:
        roles = ["--roles=access", "--logins=root"] if int(host.version.split(".")[0]) >= 6 else []
        host.tctl("users", "add", user, *(roles or ["root"]))


def judged(*hosts: Host) -> witness.Report:
    """What the witnesses of these hosts say."""
    return witness.judge(witness.read(host.witness for host in hosts))


# Each part begins where the one before it ends, so that every neighbouring pair is walked.
@pytest.mark.parametrize("versions", [IN_ORDER[:7], IN_ORDER[6:12], IN_ORDER[11:]], ids=lambda part: part[0])
def test_in_order_upgrade_keeps_everything(new_host: NewHost, versions: list[str]) -> None:
    host = new_host().start(versions[0])
    seed(host, "ann", "bob")
    identity = host.folder / "ann.pem"
    host.tctl("auth", "sign", "--user=ann", f"--out={identity}")
    pins = host.pins()
    for version in versions[1:]:
        host.upgrade(version)
        assert host.names("users") == ["ann", "bob"], version
        assert host.pins() == pins, version
        done = host.tsh(identity, "ssh", "root@h1", "echo", "ok")
        assert (done.returncode, done.stdout) == (0, "ok\n"), (version, done.stderr)
    report = judged(host)
    assert report.violations == {}
    assert [m["to"] for m in report.migrations] == versions[1:]


def test_the_file_backend_is_imported_once(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("3.2.15")
    seed(host, "ann")
    pins = host.pins()
    assert (host.folder / "data/backend/authorities%2Fhost").exists()
    host.upgrade("4.0.16")
    assert "Successfully imported" in host.log()
    assert (host.names("users"), host.pins()) == (["ann"], pins)
    assert (host.folder / "data/backend/authorities%2Fhost").exists()


def test_migrations_leave_their_marks(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("4.4.12")
    seed(host, "ann")
    connector = host.folder / "github.yaml"
    connector.write_text(CONNECTOR)
    host.tctl("create", str(connector))
    host.upgrade("5.2.5")
    assert 'Migrate: Adding JWT key to existing cluster "example.com"' in host.log()
    host.upgrade("6.2.31")
    assert "Created 1 roles, updated 1 users, 0 trusted clusters and 1 Github connectors." in host.log()
    assert host.get("users")[0]["metadata"]["labels"] == {"migrate-v6.0": "true"}
    roles = host.names("roles")
    assert {"access", "admin", "auditor", "editor"} < set(roles)
    assert host.get("github")[0]["spec"]["teams_to_logins"][0]["logins"][0] in roles
    host.upgrade("7.3.21")
    assert "Successfully migrated CA(name=example.com, type=jwt) to 7.0 storage format." in host.log()
    assert all("active_keys" in ca["spec"] and ca["sub_kind"] for ca in host.get("cas"))


@pytest.mark.parametrize(("first", "second"), [("4.2.12", "5.2.3"), ("4.2.12", "7.3.21"), ("5.2.3", "7.3.21")])
def test_skips_up_to_7_run_all_migrations(new_host: NewHost, first: str, second: str) -> None:
    host = new_host(services=("auth",)).start(first)
    seed(host, "ann")
    pins = host.pins()
    host.upgrade(second)
    assert (host.names("users"), host.pins()) == (["ann"], pins)
    assert judged(host).skipped_lines


@pytest.mark.parametrize("first", ["4.2.12", "5.2.3", "6.2.11"])
def test_8_dies_on_data_that_never_saw_7_and_7_repairs_it(new_host: NewHost, first: str) -> None:
    host = new_host(services=("auth",)).start(first)
    seed(host, "ann")
    host.stop()
    status, text = host.dies("8.3.12")
    assert status == 1
    assert "\x1b[31mERROR: \x1b[0minitialization failed\ncluster ID is required" in text
    host.start("7.3.21")
    host.upgrade("8.3.12")
    assert host.names("users") == ["ann"]


def test_skipping_a_later_line_loses_records_silently(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("8.3.17")
    seed(host, "ann")
    host.upgrade("10.3.16")
    assert host.names("users") == []
    report = judged(host)
    assert report.skipped_lines[0]["skipped"] == ["9"]
    assert report.data_damage[0]["names"] == ["ann"]


def test_downgrade_up_to_8_starts_and_keeps_what_was_seen(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("8.3.12")
    seed(host, "ann")
    pins = host.pins()
    for older in ("7.3.21", "6.2.11", "5.2.3"):
        host.upgrade(older)
        assert (host.names("users"), host.pins()) == (["ann"], pins)
    assert [d["to"] for d in judged(host).downgrades] == ["7.3.21", "6.2.11", "5.2.3"]


def test_downgrade_without_restore_damages_later_lines(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("11.3.27")
    seed(host, "ann")
    host.upgrade("12.4.35")
    host.upgrade("11.3.27")
    assert host.names("users") == ["ann"]
    host.upgrade("12.4.35")
    assert host.names("users") == []
    assert judged(host).data_damage


def test_newest_auths_refuse_jumps_and_downgrades(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("16.5.12")
    host.stop()
    status, text = host.dies("18.9.2")
    assert status == 1
    assert "Unsupported upgrade path detected: from 16.5.12 to 18.9.2." in text
    host.start("17.7.20")
    host.upgrade("16.5.12")
    assert judged(host).downgrades, "16 looks at its own disk only, which 17 has cleared"


def test_backend_guard_refuses_every_downgrade(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("17.7.20")
    host.upgrade("18.9.2")
    host.stop()
    status, text = host.dies("17.7.20")
    assert status == 1
    assert "Unsupported downgrade path detected: from 18.9.2 to 17.7.20." in text
    host.start("17.7.20", TELEPORT_UNSTABLE_SKIP_VERSION_UPGRADE_CHECK="yes")


def test_rotation_in_progress_stops_7(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("6.2.11")
    host.tctl("auth", "rotate", "--manual", "--type=host", "--phase=init")
    host.tctl("auth", "rotate", "--manual", "--type=host", "--phase=update_clients")
    host.stop()
    status, text = host.dies("7.3.21")
    assert status == 1
    assert "CA rotation is in progress; please finish CA rotation before upgrading teleport" in text
    host.start("6.2.11")
    assert "rotating clients (mode: manual" in host.tctl("status")


def test_failed_migration_leaves_damage_behind(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("12.4.35")
    seed(host, "ann", "bob")
    host.stop()
    host.turn(faults=[{"versions": ["13.4.27"], "fail_migration": True}])
    status, _text = host.dies("13.4.27")
    assert status == 1
    assert judged(host).data_damage[0]["names"] == ["bob"]
    host.start("12.4.35")
    assert host.names("users") == ["ann"]


def test_restored_files_are_whole_again(new_host: NewHost, tmp_path: Path) -> None:
    host = new_host(services=("auth",)).start("12.4.35")
    seed(host, "ann")
    host.stop()
    saved = (host.folder / "data/backend/sqlite.db").read_bytes()
    host.start("13.4.27")
    host.stop()
    (host.folder / "data/backend/sqlite.db").write_bytes(saved)
    host.start("12.4.35")
    assert host.names("users") == ["ann"]
    assert judged(host).downgrades == []


def test_the_report_is_json_safe(new_host: NewHost) -> None:
    host = new_host(services=("auth",)).start("8.3.17")
    host.stop()
    assert json.dumps(asdict(judged(host)))
