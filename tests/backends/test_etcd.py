# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The etcd backend against a real etcd."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import backup, cluster_facts
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd import EtcdBackend
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import PAGE, EtcdClient, KeyValue
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.auth_host import make_host

FOREIGN = {b"/teleport": b"no key of ours", b"/teleport-old/x": b"1", b"/teleport0": b"2", b"/other": b"3"}
KEYS = 2 * PAGE + 17


@pytest.fixture
def client(etcd: Etcd) -> Iterator[EtcdClient]:
    with closing(etcd.client()) as opened:
        opened.delete(b"\0", b"\xff")
        yield opened


@pytest.fixture
def spec(etcd: Etcd, tmp_path: Path) -> backup.BackupSpec:
    instance = make_host(tmp_path)
    instance["config"]["storage"] = etcd.storage
    return backup.spec_from_instance(instance, str(tmp_path / "backups"))


def put(client: EtcdClient, entries: dict[bytes, bytes], lease: int = 0) -> None:
    listed = [KeyValue(key, value, lease) for key, value in entries.items()]
    for start in range(0, len(listed), 100):
        client.put(listed[start : start + 100])


def everything(client: EtcdClient) -> dict[bytes, bytes]:
    revision = client.revision(b"x")
    return {entry.key: entry.value for page in client.pages(b"\0", b"\xff", revision) for entry in page}


def cluster(size: int = KEYS) -> dict[bytes, bytes]:
    return {b"/teleport/nodes/%06d" % number: os.urandom(40) for number in range(size)}


SECONDS = iter(count(1795374000))


def now() -> float:
    return float(next(SECONDS))


def test_single_keys_are_read_while_auth_serves(client: EtcdClient, etcd: Etcd) -> None:
    put(client, {b"/teleport/migrations/current": b'{"version": 1, "phase": 3}', **FOREIGN})
    put(client, {b"/teleport/web/users/alice/pwd": b"secret", b"/teleport/web/usersonline": b"", **cluster(5)})
    with closing(EtcdBackend.from_storage(etcd.storage, None)) as backend:
        found = cluster_facts.read_backend(backend)
        assert backend.peek("/none") is None
    assert found.pop("etcd_version").startswith("3.")
    assert found == {"migration": "number 1 is failed", "users_without_factor": ["alice"]}


@pytest.mark.parametrize(("size", "pages"), [(40, [PAGE, PAGE + 17]), (30_000, [PAGE, PAGE, 17])])
def test_pages_grow_where_values_are_small(client: EtcdClient, size: int, pages: list[int]) -> None:
    entries = [KeyValue(key, bytes(size), 0) for key in cluster()]
    for start in range(0, len(entries), 40):
        client.put(entries[start : start + 40])
    found = list(client.pages(b"\0", b"\xff", client.revision(b"x")))
    assert [len(page) for page in found] == pages


def test_what_is_saved_comes_back_and_nothing_else_is_touched(client: EtcdClient, spec: backup.BackupSpec) -> None:
    saved = cluster()
    put(client, saved)
    put(client, FOREIGN)
    taken = backup.take_backup(spec, serving=True, now=now)
    assert taken.manifest["backend"]["counts"] == {"keys": KEYS, "leased_keys": 0}
    client.delete(b"/teleport/nodes/000100", b"/teleport/nodes/000200")
    put(client, {b"/teleport/authorities/jwt/x": b"new", b"/teleport/nodes/000000": b"changed"})
    restored = backup.restore_backup(taken.path, spec, now=now)
    assert restored.changed
    assert everything(client) == {**saved, **FOREIGN}
    again = backup.restore_backup(taken.path, spec, now=now)
    assert (again.changed, again.evidence) == (False, None)


def test_the_state_found_is_kept_and_can_be_read(client: EtcdClient, spec: backup.BackupSpec) -> None:
    put(client, {b"/teleport/a": b"1"})
    taken = backup.take_backup(spec, now=now)
    put(client, {b"/teleport/a": b"migrated"})
    evidence = backup.restore_backup(taken.path, spec, now=now).evidence
    assert b"bWlncmF0ZWQ=" in Path(str(evidence), "etcd.jsonl").read_bytes()


def test_a_backup_is_of_one_revision(
    client: EtcdClient, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = cluster()
    put(client, saved)
    original = EtcdClient.pages

    def writing_between(self: EtcdClient, *arguments: Any) -> Iterator[list[KeyValue]]:
        for page in original(self, *arguments):
            put(client, {b"/teleport/nodes/%06d" % (KEYS - 1): b"late", b"/teleport/zzz": b"late"})
            yield page

    # Only the reading of the backup itself, not of the estimate before it.
    monkeypatch.setattr(EtcdBackend, "size_bytes", lambda _self: 1000)
    monkeypatch.setattr(EtcdClient, "pages", writing_between)
    taken = backup.take_backup(spec, serving=True, now=now)
    monkeypatch.undo()
    backup.restore_backup(taken.path, spec, now=now)
    assert everything(client) == saved


def test_a_compacted_revision_is_read_again(
    client: EtcdClient, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, cluster())
    original, compactions = EtcdClient.pages, iter([True])

    def compacting(self: EtcdClient, start: bytes, end: bytes, revision: int) -> Iterator[list[KeyValue]]:
        for page in original(self, start, end, revision):
            yield page
            if next(compactions, False):
                put(client, {b"/other": b"1"})
                client.call("kv/compaction", {"revision": str(client.revision(b"x"))})

    monkeypatch.setattr(EtcdBackend, "size_bytes", lambda _self: 1000)
    monkeypatch.setattr(EtcdClient, "pages", compacting)
    assert backup.take_backup(spec, now=now).manifest["backend"]["counts"]["keys"] == KEYS


def test_leases_come_back_with_the_time_they_had_left(
    client: EtcdClient, spec: backup.BackupSpec, tmp_path: Path
) -> None:
    long, short = client.grant(600), client.grant(120)
    put(client, {b"/teleport/keep": b"for ever"})
    put(client, {b"/teleport/nodes/a": b"1", b"/teleport/nodes/b": b"2"}, long)
    put(client, {b"/teleport/tokens/c": b"3"}, short)
    clock = [1000.0]
    with closing(EtcdBackend("/teleport", client, clock=lambda: clock[0])) as backend:
        saved = backend.save(str(tmp_path), serving=True)
        assert saved.counts == {"keys": 4, "leased_keys": 3}
        clock[0] += 200
        backend.restore(str(tmp_path), {"counts": saved.counts}, {})
        entries = {
            entry.key: entry
            for page in client.pages(b"/teleport/", b"/teleport0", client.revision(b"x"))
            for entry in page
        }
        assert sorted(entries) == [b"/teleport/keep", b"/teleport/nodes/a", b"/teleport/nodes/b"]
        assert entries[b"/teleport/keep"].lease == 0
        assert entries[b"/teleport/nodes/a"].lease == entries[b"/teleport/nodes/b"].lease != long
        assert 390 <= client.time_to_live(entries[b"/teleport/nodes/a"].lease) <= 400
        assert backend.matches(str(tmp_path), {}, {})
        put(client, {b"/teleport/nodes/a": b"1"})
        assert not backend.matches(str(tmp_path), {}, {}), "a key that lost its lease is not the same"


def test_killed_anywhere_a_second_restore_finishes(client: EtcdClient, spec: backup.BackupSpec) -> None:
    saved = cluster(250)
    put(client, saved)
    put(client, {b"/teleport/session": b"leased"}, client.grant(500))
    taken = backup.take_backup(spec, now=now)
    for at in count():
        put(client, {b"/teleport/nodes/000001": b"migrated"})
        died = restore_and_die(taken.path, spec, at)
        backup.restore_backup(taken.path, spec, now=now)
        assert everything(client) == {**saved, b"/teleport/session": b"leased"}
        if not died:
            break
    assert at > 3


def restore_and_die(folder: str, spec: backup.BackupSpec, at: int) -> bool:
    """Restore in a process that ends right after its *at*-th change of etcd."""
    pid = os.fork()
    if pid == 0:
        changes = count()
        original = EtcdClient.call

        def deadly(self: EtcdClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
            answer = original(self, path, body)
            if path != "kv/range" and "timetolive" not in path and next(changes) == at:
                os._exit(9)
            return answer

        EtcdClient.call = deadly  # type: ignore[method-assign]
        backup.restore_backup(folder, spec, now=now)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def test_someone_else_writing_is_noticed(
    client: EtcdClient, spec: backup.BackupSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, cluster(10))
    taken = backup.take_backup(spec, now=now)
    put(client, {b"/teleport/nodes/000001": b"migrated"})
    original = EtcdBackend.restore

    def with_another_auth(self: EtcdBackend, *arguments: Any) -> None:
        original(self, *arguments)
        put(client, {b"/teleport/authservers/other": b"alive"})

    monkeypatch.setattr(EtcdBackend, "restore", with_another_auth)
    with pytest.raises(BackupError, match=r"something else writes"):
        backup.restore_backup(taken.path, spec, now=now)


def test_an_empty_range_is_no_backup(client: EtcdClient, spec: backup.BackupSpec) -> None:
    put(client, FOREIGN)
    with pytest.raises(BackupError, match=r"no key below /teleport/. Check storage.prefix"):
        backup.take_backup(spec, now=now)


def test_before_4_3_the_prefix_does_not_count(client: EtcdClient, etcd: Etcd, tmp_path: Path) -> None:
    put(client, {b"/teleport/a": b"1", b"/custom/b": b"2"})
    found = {}
    for version in ("4.2.12", "4.3.10"):
        instance = make_host(tmp_path / version)
        instance.update(version=version, running_version=version)
        instance["config"]["storage"] = {**etcd.storage, "prefix": "/custom"}
        taken = backup.take_backup(backup.spec_from_instance(instance, str(tmp_path / version / "b")), now=now)
        found[version] = (taken.manifest["backend"]["location"], taken.manifest["backend"]["counts"]["keys"])
    assert found == {"4.2.12": ("/teleport/", 1), "4.3.10": ("/custom/", 1)}


def test_values_of_any_bytes_and_of_a_megabyte(client: EtcdClient, spec: backup.BackupSpec) -> None:
    saved = {
        b"/teleport/\xff\x00key": bytes(range(256)),
        b"/teleport/big": os.urandom(1_200_000),
        b"/teleport/small": b"x",
    }
    put(client, {b"/teleport/\xff\x00key": saved[b"/teleport/\xff\x00key"], b"/teleport/small": b"x"})
    put(client, {b"/teleport/big": saved[b"/teleport/big"]})
    taken = backup.take_backup(spec, now=now)
    client.delete(b"/teleport/", b"/teleport0")
    backup.restore_backup(taken.path, spec, now=now)
    assert everything(client) == saved


def test_the_next_member_is_asked_when_one_is_down(client: EtcdClient, etcd: Etcd) -> None:
    put(client, {b"/teleport/a": b"1"})
    scheme = etcd.url.split(":")[0]
    with closing(etcd.client(peers=[f"{scheme}://127.0.0.1:1", etcd.url])) as other:
        assert other.count(b"/teleport/", b"/teleport0") == 1


def test_nobody_there_is_one_message(etcd: Etcd) -> None:
    scheme = etcd.url.split(":")[0]
    with (
        closing(etcd.client(peers=[f"{scheme}://127.0.0.1:1", f"{scheme}://127.0.0.1:2"])) as nobody,
        pytest.raises(BackupError, match=r"etcd does not answer: .*127.0.0.1:1: .*refused; .*127.0.0.1:2: .*refused"),
    ):
        nobody.count(b"a", b"b")
