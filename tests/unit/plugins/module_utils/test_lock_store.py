# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock's record on disk, and processes that race for it."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import durable
from ansible_collections.lockstep.teleport.plugins.module_utils import lock_decision as rules
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.lock_store import LockStore, moment_now

RACERS = 6
ROUNDS = 800


def claim(run_id: str, **changes: object) -> rules.Claim:
    return rules.Claim(run_id, "main", {"user": run_id})._replace(**changes)  # type: ignore[arg-type]


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> LockStore:
    return LockStore(str(tmp_path / "locks"), "main")


def test_taken_refused_renewed_released(store: LockStore) -> None:
    assert store.claim(claim("a")).decision.action == rules.TAKE
    assert store.claim(claim("b")).decision == (rules.REFUSE, rules.HELD)
    assert store.claim(claim("a")).decision.action == rules.RENEW
    assert not store.release("b")
    assert store.release("a")
    assert not store.release("a")
    assert store.claim(claim("b", running_for=3600)).decision == (rules.REFUSE, rules.OVERTAKEN)
    assert store.claim(claim("b")).decision.action == rules.TAKE


def test_a_late_beat_does_not_take_a_lock_that_was_let_go(store: LockStore) -> None:
    store.claim(claim("a"))
    store.release("a")
    assert store.claim(claim("a", renew_only=True)).decision == (rules.REFUSE, rules.LOST)
    assert not rules.is_held(store.read())


def test_files_are_private(store: LockStore) -> None:
    store.claim(claim("a"))
    assert stat.S_IMODE(os.stat(store.directory).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o600


def test_check_mode_writes_nothing(store: LockStore) -> None:
    assert store.claim(claim("a"), check_mode=True).decision.action == rules.TAKE
    assert not os.path.exists(store.directory)
    store.claim(claim("a"))
    assert store.release("a", check_mode=True)
    assert rules.is_held(store.read())


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "", "..", "ä" * 300])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    store = LockStore(str(tmp_path), name)
    store.claim(claim("a"))
    assert Path(store.path).resolve().parent == tmp_path


def test_names_that_look_alike_are_two_locks(tmp_path: Path) -> None:
    assert LockStore(str(tmp_path), "a/b").path != LockStore(str(tmp_path), "a_b").path


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 7}'])
def test_a_record_that_cannot_be_read_lets_nobody_in(store: LockStore, content: str) -> None:
    durable.private_folder(store.directory)
    Path(store.path).write_text(content)
    with pytest.raises(HostError, match=r"remove the file"):
        store.claim(claim("a"))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="has to become root"):
        LockStore(str(tmp_path / "file" / "locks"), "main").claim(claim("a"))


def test_time_goes_on_within_a_boot() -> None:
    first, second = moment_now(), moment_now()
    assert first.boot
    assert first.boot == second.boot
    assert second.uptime >= first.uptime


def race(directory: str, name: str, start: object, proof: str) -> None:
    """Take and release again and again; whoever holds the lock finds, and leaves, the proof file free."""
    store = LockStore(directory, "main")
    start.wait()  # type: ignore[attr-defined]
    for number in range(ROUNDS):
        run_id = f"{name}-{number}"
        if store.claim(claim(run_id)).decision.action != rules.TAKE:
            continue
        # Fails when another process believes that it holds the lock too.
        os.close(os.open(proof, os.O_CREAT | os.O_EXCL))
        os.unlink(proof)
        with open(f"{proof}.{name}", "a", encoding="ascii") as won:
            won.write("1")
        store.release(run_id)


@pytest.fixture(name="quick_disk")
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Power is not cut in this test, and waiting for the disk would leave the processes little to race for."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("quick_disk")
def test_of_processes_that_race_one_holds_the_lock_at_a_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, proof = context.Event(), str(tmp_path / "proof")
    racers = [
        context.Process(target=race, args=(str(tmp_path / "locks"), f"r{number}", start, proof))
        for number in range(RACERS)
    ]
    for racer in racers:
        racer.start()
    start.set()
    for racer in racers:
        racer.join(60)
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    wins = [len(path.read_text()) for path in tmp_path.glob("proof.r*")]
    assert sum(wins) >= 50, "they did race"


def crash(directory: str) -> None:
    """Claim without end, until killed."""
    store = LockStore(directory, "main")
    while True:
        store.claim(claim("victim"))


def test_a_process_killed_in_the_middle_leaves_a_whole_record(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    store = LockStore(str(tmp_path), "main")
    for _round in range(15):
        victim = context.Process(target=crash, args=(str(tmp_path),))
        victim.start()
        victim.join(0.03)
        victim.kill()
        victim.join()
        with suppress(FileNotFoundError):
            json.loads(Path(store.path).read_text())
        assert store.claim(claim("next", dead="victim")).decision.action in (rules.TAKE_OVER, rules.TAKE)
        assert store.release("next")
