# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole transaction on a model of a host: what it does, in which order, and what it leaves when something fails."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    backup,
    durable,
    hold,
    installation,
    journal,
    order,
    readiness,
    release,
    upgrade,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.transaction import UpgradeFailed
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils import fake_host
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import (
    UNIT,
    FakeHost,
    Killed,
    program,
)

OLD, NEW, NEWER = "5.2.5", "6.2.31", "7.3.21"


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host on which a plain installation of OLD runs."""
    found = FakeHost(tmp_path)
    monkeypatch.setattr(readiness, "probe", found.probe)
    for name in ("teleport", "tctl", "tsh"):
        program(found.bin_dir / name, OLD)
    found.start()
    found.log.clear()
    return found


def tarball(
    root: Path,
    version: str,
    behaviour: str = "",
    says: str | None = None,
    names: tuple[str, ...] = ("teleport", "tctl", "tsh"),
) -> Path:
    """Build a release artefact; *says* is what its VERSION file names."""
    path = root / f"teleport-v{version}-linux-amd64-bin.tar.gz"
    line = f"Teleport v{version} git:v{version}-0-gabc go1.16 | {behaviour}\n".encode()
    with tarfile.open(path, "w:gz") as archive:
        for name in (*names, "VERSION", "examples/unit"):
            content = line if name in names else f"v{says or version}\n".encode()
            member = tarfile.TarInfo(f"teleport/{name}")
            member.size = len(content)
            member.mode = 0o755 if name in names else 0o644
            archive.addfile(member, io.BytesIO(content))
    return path


def make_order(fake: FakeHost, version: str = NEW, artefact: Path | None = None, **changes: Any) -> order.Order:
    """Ask for *version*, from an artefact that was brought to the host."""
    instance = {
        "services": ["agent"],
        "unit": {"name": "teleport"},
        "config": {"path": str(fake.root / "teleport.yaml"), "diag_addr": "127.0.0.1:3000", "data_dir": str(fake.root)},
        "architecture": "amd64",
        "bin_dir": str(fake.bin_dir),
        **changes.pop("instance", {}),
    }
    source = artefact or tarball(fake.root, version)
    wanted = release.Release(
        version, "community", "amd64", file=str(source), checksum=hashlib.sha256(source.read_bytes()).hexdigest()
    )
    layout = installation.Layout(str(fake.versions_dir), str(fake.bin_dir))
    options: dict[str, Any] = {"ready_timeout": 30, "allow_downgrade": True, **changes}
    return order.Order(instance, wanted, layout, **options)


def no_network(*_arguments: Any, **_options: Any) -> Any:
    raise AssertionError("nothing may be fetched")


def run(fake: FakeHost, wanted: order.Order) -> dict[str, Any]:
    return upgrade.Upgrade(fake.host, wanted, no_network).run()


def fail(fake: FakeHost, wanted: order.Order) -> UpgradeFailed:
    with pytest.raises(UpgradeFailed) as caught:
        run(fake, wanted)
    return caught.value


def current(fake: FakeHost) -> str:
    return os.readlink(fake.versions_dir / "current")


def runs(fake: FakeHost) -> str | None:
    """Version of the process."""
    return fake.version(str(fake.proc / str(fake.pid) / "exe"))[1].split()[1].lstrip("v") if fake.pid else None


def events(result: dict[str, Any]) -> list[str]:
    return [entry["event"] for entry in result["timeline"]]


class Backups:
    """Stands in for the backups: a state that is saved and put back."""

    def __init__(self, fake: FakeHost) -> None:
        self.fake = fake
        self.taken: list[str | None] = []
        self.named: list[str] = []
        self.restored: list[str] = []
        self.broken_take = self.killed_take = self.broken_restore = False

    def take(self, spec: backup.BackupSpec, extra: Mapping[str, bytes]) -> backup.Backup:
        assert extra == {}, "the instance of these tests has no tctl to ask"
        self.taken.append(runs(self.fake))
        self.named.append(spec.version)
        if self.killed_take:
            raise Killed
        if self.broken_take:
            raise BackupError("no space for the backup")
        return backup.Backup(f"/backups/{len(self.taken)}", {"version": spec.version})

    def restore(self, path: str, _spec: backup.BackupSpec) -> backup.Restored:
        if self.broken_restore:
            raise BackupError("the backup cannot be read")
        assert not self.fake.pid, "nothing may run during a restore"
        self.restored.append(path)
        return backup.Restored(True, None, {})


@pytest.fixture
def backups(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Backups:
    found = Backups(fake)
    monkeypatch.setattr(backup, "take_backup", found.take)
    monkeypatch.setattr(backup, "restore_backup", found.restore)
    return found


AUTH: dict[str, Any] = {
    "instance": {"services": ["auth"]},
    "backup": {"directory": "/backups", "cluster": "c", "keep": 0},
}


# -- the good case


def test_plain_installation_is_taken_over_and_upgraded(fake: FakeHost) -> None:
    result = run(fake, make_order(fake))
    assert result["changed"]
    assert result["versions"] == {"from": OLD, "to": NEW}
    assert result["instance_after"] == {"version": NEW, "main_pid": fake.pid}
    assert runs(fake) == NEW
    assert current(fake) == NEW
    assert os.readlink(fake.versions_dir / "previous") == OLD
    for name in ("teleport", "tctl", "tsh"):
        assert os.readlink(fake.bin_dir / name) == str(fake.versions_dir / "current" / name)
        assert (fake.versions_dir / OLD / name).read_text().startswith(f"Teleport v{OLD}")


def test_everything_that_can_be_is_done_before_the_stop(fake: FakeHost) -> None:
    result = run(fake, make_order(fake))
    assert events(result) == [
        "staged",
        "adopted",
        "prepared",
        "stop",
        "stopped",
        "switched",
        "start",
        "ready",
        "stable",
    ]
    assert [line for line in fake.log if line.startswith(("stop", "start"))] == [f"stop {UNIT}", f"start {UNIT}"]


def test_outage_ends_with_readiness_and_not_with_calm(fake: FakeHost) -> None:
    source = tarball(fake.root, NEW, "ready_after=3")
    result = run(fake, make_order(fake, artefact=source, stable_for=10))
    assert 3 <= result["outage"]["seconds"] < 4


def test_second_run_changes_nothing_and_touches_nothing(fake: FakeHost) -> None:
    wanted = make_order(fake)
    run(fake, wanted)
    fake.log.clear()
    result = run(fake, wanted)
    assert not result["changed"]
    assert result["outage"] is None
    assert fake.log == []


def test_upgrade_of_an_upgraded_instance_needs_no_taking_over(fake: FakeHost) -> None:
    run(fake, make_order(fake))
    result = run(fake, make_order(fake, NEWER))
    assert "adopted" not in events(result)
    assert runs(fake) == NEWER
    assert os.readlink(fake.versions_dir / "previous") == NEW


def test_going_back_needs_no_artefact(fake: FakeHost) -> None:
    run(fake, make_order(fake))
    wanted = make_order(fake, OLD)
    Path(wanted.release.file).unlink()
    run(fake, wanted)
    assert runs(fake) == OLD


def test_a_plain_installation_of_the_wanted_version_is_taken_over_without_an_outage(fake: FakeHost) -> None:
    pid = fake.pid
    result = run(fake, make_order(fake, OLD))
    assert result["changed"]
    assert result["outage"] is None
    assert fake.pid == pid
    assert current(fake) == OLD


def test_only_the_newest_old_versions_are_kept(fake: FakeHost) -> None:
    for number, version in enumerate(("6.0.0", "6.1.0", "6.2.0")):
        run(fake, make_order(fake, version, keep=2))
        os.utime(fake.versions_dir / version / installation.MANIFEST, (number, number))
    result = run(fake, make_order(fake, NEW, keep=1))
    assert sorted(installation.kept_versions(make_order(fake).layout)) == ["6.2.0", NEW]
    assert "6.1.0" in result["pruned"]


def test_new_programs_get_links_and_vanished_ones_lose_theirs(fake: FakeHost) -> None:
    run(fake, make_order(fake, artefact=tarball(fake.root, NEW, names=("teleport", "tctl", "tsh", "tbot", "install"))))
    assert (fake.bin_dir / "tbot").exists()
    assert not os.path.lexists(fake.bin_dir / "install")
    run(fake, make_order(fake, NEWER))
    assert not os.path.lexists(fake.bin_dir / "tbot")


# -- stopped, held, client


def test_stopped_and_disabled_stays_stopped(fake: FakeHost) -> None:
    fake.end("success", "inactive")
    fake.unit_file_state = "disabled"
    result = run(fake, make_order(fake))
    assert result["changed"]
    assert runs(fake) is None
    assert current(fake) == NEW
    assert not run(fake, make_order(fake))["changed"]


def test_stopped_but_enabled_is_started(fake: FakeHost) -> None:
    fake.end("success", "inactive")
    assert run(fake, make_order(fake))["outage"] is None
    assert runs(fake) == NEW


def test_failed_unit_is_reset_and_started(fake: FakeHost) -> None:
    fake.end("exit-code", "failed")
    fake.restarts = 5
    run(fake, make_order(fake))
    assert runs(fake) == NEW


def test_held_instance_is_released_at_the_new_version(fake: FakeHost) -> None:
    fake.end("success", "inactive")
    fake.unit_file_state = "disabled"
    hold.put(fake.host, UNIT)
    run(fake, make_order(fake))
    assert runs(fake) == NEW
    assert not hold.is_held(fake.host, UNIT)


def test_held_instance_is_held_again_when_the_new_version_fails(fake: FakeHost) -> None:
    fake.end("success", "inactive")
    hold.put(fake.host, UNIT)
    problem = fail(fake, make_order(fake, artefact=tarball(fake.root, NEW, "dies")))
    assert problem.rolled_back
    assert hold.is_held(fake.host, UNIT)
    assert runs(fake) is None
    assert current(fake) == OLD


def test_client_tools_are_switched_without_a_unit(fake: FakeHost) -> None:
    fake.end("success", "inactive")
    fake.load_state = "not-found"
    (fake.bin_dir / "teleport").unlink()
    result = run(fake, make_order(fake, instance={"services": ["client"]}))
    assert result["versions"] == {"from": OLD, "to": NEW}
    assert not os.path.lexists(fake.bin_dir / "teleport")
    assert not run(fake, make_order(fake, instance={"services": ["client"]}))["changed"]


# -- refusals: nothing may have changed


def unchanged(fake: FakeHost) -> bool:
    return runs(fake) == OLD and not (fake.bin_dir / "teleport").is_symlink() and not fake.log


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda fake: setattr(fake, "exec_path", "/opt/teleport-versions/5.2.5/teleport"), "ExecStart"),
        (lambda fake: setattr(fake, "load_state", "masked"), "masked"),
        (lambda fake: fake.packages.add(str(fake.bin_dir / "teleport")), "package"),
        (lambda fake: fake.versions_dir.mkdir(mode=0o777) or fake.versions_dir.chmod(0o777), "writable for everybody"),
        (lambda fake: fake.versions_dir.symlink_to(fake.root), "symbolic link"),
    ],
)
def test_refusal_comes_before_any_change(fake: FakeHost, prepare: Callable[[FakeHost], None], words: str) -> None:
    prepare(fake)
    wanted = make_order(fake)
    with pytest.raises(HostError, match=words):
        run(fake, wanted)
    assert unchanged(fake)


def test_unexpected_version_is_refused(fake: FakeHost) -> None:
    with pytest.raises(HostError, match=r"5\.2\.5 is there, 4\.4\.12 was expected"):
        run(fake, make_order(fake, expect_version="4.4.12"))
    assert unchanged(fake)


def test_an_older_version_is_no_slip_only_when_it_is_asked_for(fake: FakeHost) -> None:
    run(fake, make_order(fake))
    fake.log.clear()
    with pytest.raises(HostError, match=f"{NEW} is there and {OLD} is older"):
        run(fake, make_order(fake, OLD, allow_downgrade=False))
    assert runs(fake) == NEW
    assert fake.log == []


def test_a_refused_artefact_leaves_the_host_as_it_was(fake: FakeHost) -> None:
    wanted = make_order(fake, artefact=tarball(fake.root, NEW, says="6.2.30"))
    before = everything(fake.root)
    with pytest.raises(HostError, match="Nothing was installed"):
        run(fake, wanted)
    assert everything(fake.root) == before


def everything(root: Path) -> dict[str, str]:
    """Every path below a folder, with what a link leads to or a file holds."""
    return {
        str(path.relative_to(root)): os.readlink(path)
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(root.rglob("*"))
    }


def test_expected_version_may_be_reached_already(fake: FakeHost) -> None:
    run(fake, make_order(fake, expect_version=OLD))
    assert not run(fake, make_order(fake, expect_version=OLD))["changed"]


@pytest.mark.parametrize(
    ("behaviour", "says", "words"),
    [
        ("", "6.2.30", "VERSION says 6.2.30"),
        ("wrong_machine", None, "cannot be executed here"),
    ],
)
def test_wrong_artefact_leaves_no_version_folder(fake: FakeHost, behaviour: str, says: str | None, words: str) -> None:
    wanted = make_order(fake, artefact=tarball(fake.root, NEW, behaviour, says))
    with pytest.raises(HostError, match=words):
        run(fake, wanted)
    assert runs(fake) == OLD
    assert unchanged(fake)


def test_rejected_configuration_stops_nothing(fake: FakeHost) -> None:
    wanted = make_order(fake, "7.3.21", artefact=tarball(fake.root, "7.3.21", "rejects"))
    with pytest.raises(HostError, match="rejects") as caught:
        run(fake, wanted)
    assert runs(fake) == OLD
    assert "hunter2" not in str(caught.value)


def test_damaged_version_folder_is_brought_again(fake: FakeHost) -> None:
    wanted = make_order(fake)
    run(fake, wanted)
    run(fake, make_order(fake, OLD))
    damaged = fake.versions_dir / NEW / "teleport"
    damaged.write_text(damaged.read_text().replace("gabc", "gxyz"))
    result = run(fake, wanted)
    assert "staged" in events(result)
    assert "gabc" in damaged.read_text()


def test_full_disk_is_noticed_before(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "free_bytes", lambda _path: 1 << 20)
    with pytest.raises(HostError, match="1 MiB are free"):
        run(fake, make_order(fake))
    assert unchanged(fake)


def test_disk_that_fills_up_meanwhile_leaves_nothing(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    wanted = make_order(fake)
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(HostError, match="No space left on device"):
        run(fake, wanted)
    assert unchanged(fake)
    assert not fake.versions_dir.exists()


def test_two_upgrades_at_once_are_refused(fake: FakeHost) -> None:
    fake.versions_dir.mkdir()
    with journal.alone(str(fake.versions_dir)), pytest.raises(HostError, match="another upgrade"):
        run(fake, make_order(fake))


# -- failures after the stop


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("dies", "does not come up"),
        ("dies_after=1", "restarted|does not come up"),
        ("never_ready", "was not ready within 30 s: diag answers 400"),
        ("answered_by=7", "diag is answered by process 7 instead of"),
        ("degraded_at=2", "diag answers 503"),
        ("reports=6.2.30", "runs 6.2.30 instead of 6.2.31"),
    ],
)
def test_new_version_that_fails_is_replaced_by_the_old(fake: FakeHost, behaviour: str, words: str) -> None:
    problem = fail(fake, make_order(fake, artefact=tarball(fake.root, NEW, behaviour)))
    assert problem.rolled_back
    assert runs(fake) == OLD
    assert current(fake) == OLD
    assert not os.path.exists(journal.journal_path(str(fake.versions_dir)))
    assert re.search(words, str(problem))
    assert "switched back to 5.2.5, which runs again" in str(problem)


def test_evidence_is_there_and_holds_no_secret(fake: FakeHost) -> None:
    (fake.root / "teleport.yaml").write_text("teleport:\n  auth_token: hunter2hunter2\n")
    problem = fail(fake, make_order(fake, artefact=tarball(fake.root, NEW, "never_ready")))
    assert problem.evidence["journal"][0] == "ERROR: initialization failed"
    assert problem.evidence["readiness"]["http_status"] == 400
    assert problem.evidence["versions"]["running"] == NEW
    assert "hunter2" not in json.dumps(problem.evidence)


def test_old_version_that_fails_as_well_is_said_and_finished_by_the_next_run(fake: FakeHost) -> None:
    run(fake, make_order(fake))
    teleport = fake.versions_dir / NEW / "teleport"

    def old_version_breaks(words: list[str]) -> None:
        if words[1:2] == ["configure"]:
            program(teleport, NEW, "dies")

    fake.hooks.append(old_version_breaks)
    problem = fail(fake, make_order(fake, NEWER, artefact=tarball(fake.root, NEWER, "dies")))
    assert not problem.rolled_back
    assert "FAILED as well" in str(problem)
    fake.hooks.clear()
    program(teleport, NEW)
    run(fake, make_order(fake, OLD))
    assert runs(fake) == OLD
    assert journal.read(str(fake.versions_dir)) is None


def test_process_that_cannot_be_stopped_keeps_running(fake: FakeHost) -> None:
    fake.stop_seconds = 10_000
    fake.ignores_kill = True
    problem = fail(fake, make_order(fake, stop_timeout=20))
    assert "could not be stopped within 20 s" in str(problem)


def test_slow_stop_that_ends_in_a_kill_is_noted(fake: FakeHost) -> None:
    fake.stop_seconds = 90
    result = run(fake, make_order(fake))
    assert "killed" in events(result)
    assert result["outage"]["seconds"] >= 90
    assert runs(fake) == NEW


def test_processes_that_outlive_the_unit_are_ended(fake: FakeHost) -> None:
    fake.leave_behind(4711)
    result = run(fake, make_order(fake))
    assert "kill 4711 SIGKILL" in fake.log
    assert "killed" in events(result)


def test_on_failure_stop_leaves_it_stopped(fake: FakeHost) -> None:
    problem = fail(fake, make_order(fake, artefact=tarball(fake.root, NEW, "dies"), stop_on_failure=True))
    assert problem.rolled_back
    assert runs(fake) is None
    assert current(fake) == OLD


def test_right_version_that_is_not_ready_is_waited_for(fake: FakeHost) -> None:
    run(fake, make_order(fake))
    fake.not_ready_until = fake.now + 20
    assert not run(fake, make_order(fake))["changed"]
    assert fake.now >= fake.not_ready_until


def test_right_version_that_never_gets_ready_fails_without_a_change(fake: FakeHost) -> None:
    run(fake, make_order(fake))
    fake.not_ready_until = float("inf")
    problem = fail(fake, make_order(fake))
    assert "nothing was changed" in str(problem)
    assert runs(fake) == NEW


# -- backup


def test_backup_is_taken_while_nothing_runs(fake: FakeHost, backups: Backups) -> None:
    result = run(fake, make_order(fake, **AUTH))
    assert backups.taken == [None]
    assert result["backup"]["path"] == "/backups/1"
    assert events(result).index("backed_up") < events(result).index("switched")


def test_backup_carries_the_version_it_is_of_in_every_hop(fake: FakeHost, backups: Backups) -> None:
    observed = {"instance": {**AUTH["instance"], "version": OLD, "running_version": OLD}, "backup": AUTH["backup"]}
    run(fake, make_order(fake, **observed))
    result = run(fake, make_order(fake, NEWER, **observed))
    assert backups.named == [OLD, NEW]
    assert result["backup"]["manifest"] == {"version": NEW}


def test_backup_of_a_resumed_upgrade_carries_the_version_before_it(fake: FakeHost, backups: Backups) -> None:
    wanted = make_order(fake, **AUTH)
    backups.killed_take = True
    with pytest.raises(Killed):
        run(fake, wanted)
    backups.killed_take = False
    run(fake, wanted)
    assert backups.named == [OLD, OLD]


def test_failing_backup_starts_the_old_version_again(fake: FakeHost, backups: Backups) -> None:
    backups.broken_take = True
    problem = fail(fake, make_order(fake, **AUTH))
    assert "no space for the backup" in str(problem)
    assert runs(fake) == OLD
    assert backups.restored == []


def test_failing_version_gets_its_backend_restored(fake: FakeHost, backups: Backups) -> None:
    problem = fail(fake, make_order(fake, artefact=tarball(fake.root, NEW, "dies"), **AUTH))
    assert backups.restored == ["/backups/1"]
    assert runs(fake) == OLD
    assert "restored from /backups/1" in str(problem)


def test_failing_restore_starts_nothing(fake: FakeHost, backups: Backups) -> None:
    backups.broken_restore = True
    problem = fail(fake, make_order(fake, artefact=tarball(fake.root, NEW, "dies"), **AUTH))
    assert not problem.rolled_back
    assert runs(fake) is None
    backups.broken_restore = False
    shutil.rmtree(fake.versions_dir / NEW)
    result = run(fake, make_order(fake, **AUTH))
    assert backups.restored == ["/backups/1"]
    assert result["versions"]["to"] == NEW
    assert runs(fake) == NEW


# -- killed at any point


def killed_at(fake: FakeHost, wanted: order.Order, moment: int) -> bool:
    """Run and kill before the *moment*-th command; say whether it was killed."""
    left = [moment]

    def count(_words: list[str]) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    fake.hooks.append(count)
    try:
        run(fake, wanted)
    except Killed:
        return True
    finally:
        fake.hooks.clear()
    return False


@pytest.mark.parametrize("power_cut", [False, True])
@pytest.mark.parametrize("behaviour", ["ready_after=1", "dies"])
def test_killed_anywhere_the_next_run_finishes_or_undoes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, power_cut: bool
) -> None:
    moment = 0
    while True:
        root = tmp_path / str(moment)
        root.mkdir()
        found = FakeHost(root)
        monkeypatch.setattr(readiness, "probe", found.probe)
        backups = Backups(found)
        monkeypatch.setattr(backup, "take_backup", backups.take)
        monkeypatch.setattr(backup, "restore_backup", backups.restore)
        for name in ("teleport", "tctl", "tsh"):
            program(found.bin_dir / name, OLD)
        found.start()
        wanted = make_order(found, artefact=tarball(found.root, NEW, behaviour), **AUTH)
        try:
            if not killed_at(found, wanted, moment):
                break
        except UpgradeFailed:
            break
        if power_cut:
            found.end("success", "inactive")
            found.reload()
            found.start()
        finish(found, wanted, works=behaviour != "dies")
        moment += 1
    assert moment > 10


def finish(fake: FakeHost, wanted: order.Order, works: bool) -> None:
    """Run again after a kill, and check that what is left is whole."""
    outcome = run if works else fail
    assert getattr(outcome(fake, wanted), "rolled_back", True)
    assert runs(fake) == (NEW if works else OLD)
    assert current(fake) == (NEW if works else OLD)
    assert journal.read(str(fake.versions_dir)) is None


def killed_while_it_starts(fake: FakeHost, wanted: order.Order) -> None:
    """Run and kill once the new version was started."""
    started = [0]

    def kill_while_starting(words: list[str]) -> None:
        started[0] += "start" in words
        if started[0] and "show" in words:
            raise Killed

    fake.hooks.append(kill_while_starting)
    with pytest.raises(Killed):
        run(fake, wanted)
    fake.hooks.clear()


def test_a_hold_that_was_put_since_does_not_keep_a_killed_upgrade_from_its_end(
    fake: FakeHost, backups: Backups
) -> None:
    wanted = make_order(fake, artefact=tarball(fake.root, NEW, "ready_after=1"), **AUTH)
    killed_while_it_starts(fake, wanted)
    fake.end("success", "inactive")
    hold.put(fake.host, UNIT)
    run(fake, wanted)
    assert runs(fake) == NEW
    assert not hold.is_held(fake.host, UNIT)


def test_a_hold_that_was_put_since_stays_when_a_killed_upgrade_is_undone(fake: FakeHost, backups: Backups) -> None:
    killed_while_it_starts(fake, make_order(fake, artefact=tarball(fake.root, NEW, "dies"), **AUTH))
    fake.end("success", "inactive")
    hold.put(fake.host, UNIT)
    problem = fail(fake, make_order(fake, NEWER, artefact=tarball(fake.root, NEWER, "dies"), **AUTH))
    assert backups.restored[0] == "/backups/1"
    assert problem.rolled_back
    assert hold.is_held(fake.host, UNIT)
    assert runs(fake) is None


def test_what_only_the_backup_of_a_killed_run_can_mend_is_upgraded_from_the_start(
    fake: FakeHost, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restore_and_mend(path: str, spec: backup.BackupSpec) -> backup.Restored:
        monkeypatch.setattr(fake_host, "traits", lambda _path: {"ready_after": "1"})
        return backups.restore(path, spec)

    monkeypatch.setattr(backup, "restore_backup", restore_and_mend)
    wanted = make_order(fake, artefact=tarball(fake.root, NEW, "dies"), **AUTH)
    killed_while_it_starts(fake, wanted)
    fake.end("exit-code", "failed")
    result = run(fake, wanted)
    assert backups.restored == ["/backups/1"]
    assert backups.taken == [None, None], "the second is of what was restored"
    assert runs(fake) == NEW
    assert "repeated" in events(result)
    assert result["backup"]["path"] == "/backups/2"
    assert result["versions"] == {"from": OLD, "to": NEW}


def test_what_keeps_dying_is_repeated_once(fake: FakeHost, backups: Backups) -> None:
    wanted = make_order(fake, artefact=tarball(fake.root, NEW, "dies"), **AUTH)
    killed_while_it_starts(fake, wanted)
    assert fail(fake, wanted).rolled_back
    assert backups.restored == ["/backups/1", "/backups/2"]
    assert runs(fake) == OLD


def test_a_migration_is_not_undone_without_its_backup(fake: FakeHost, backups: Backups) -> None:
    killed_while_it_starts(fake, make_order(fake, artefact=tarball(fake.root, NEW, "dies"), **AUTH))
    problem = fail(fake, make_order(fake, NEWER))
    assert "whose backup is /backups/1" in str(problem)
    assert journal.read(str(fake.versions_dir)) is not None
    assert backups.restored == []


def test_unfinished_upgrade_to_another_version_is_undone_first(fake: FakeHost, backups: Backups) -> None:
    killed_while_it_starts(fake, make_order(fake, artefact=tarball(fake.root, NEW, "dies"), **AUTH))
    result = run(fake, make_order(fake, NEWER, **AUTH))
    assert backups.restored == ["/backups/1"]
    assert backups.taken == [None, None]
    assert result["versions"] == {"from": OLD, "to": NEWER}


def test_interrupted_upgrade_whose_artefact_is_gone_brings_the_old_version_back(fake: FakeHost) -> None:
    def kill_after_stop(words: list[str]) -> None:
        if "show" in words and fake.log and fake.log[-1].startswith("stop"):
            raise Killed

    fake.hooks.append(kill_after_stop)
    wanted = make_order(fake)
    with pytest.raises(Killed):
        run(fake, wanted)
    fake.hooks.clear()
    shutil.rmtree(fake.versions_dir / NEW)
    Path(wanted.release.file).write_bytes(b"<html>")
    problem = fail(fake, wanted)
    assert problem.rolled_back
    assert runs(fake) == OLD


# -- check mode


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else str(path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
    }


def test_check_mode_says_what_would_change_and_changes_nothing(fake: FakeHost) -> None:
    wanted = make_order(fake)
    before = tree(fake.root)
    result = upgrade.Upgrade(fake.host, wanted, no_network).preview()
    assert result["changed"]
    assert f"version: {OLD}" in result["diff"]["before"]
    assert f"version: {NEW}" in result["diff"]["after"]
    assert tree(fake.root) == before
    assert fake.log == []


def test_check_mode_of_what_is_there_is_unchanged(fake: FakeHost) -> None:
    run(fake, make_order(fake))
    assert not upgrade.Upgrade(fake.host, make_order(fake), no_network).preview()["changed"]


def test_controller_is_asked_for_an_artefact_only_when_it_is_needed(fake: FakeHost) -> None:
    wanted = make_order(fake)
    bare = order.Order(wanted.instance, release.Release(NEW, "community", "amd64"), wanted.layout, ready_timeout=30)
    assert upgrade.Upgrade(fake.host, bare, no_network).needs_artifact()
    run(fake, wanted)
    assert not upgrade.Upgrade(fake.host, bare, no_network).needs_artifact()
