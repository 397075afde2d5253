# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A planned change of a configuration is part of the transaction: tested, made, undone with it, and nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import (
    config_edit,
    config_place,
    order,
    readiness,
    release,
    upgrade,
)
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.transaction import UpgradeFailed
from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_cures
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost, Killed, program
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.test_upgrade import (
    events,
    fail,
    make_order,
    no_network,
    run,
    runs,
    tarball,
)

TEXT = """\
teleport:
  # ünser Token
  auth_token: hunter2
  ciphersuites: [tls-rsa-with-aes-128-cbc-sha, tls-ecdhe-rsa-with-aes-128-gcm-sha256]
auth_service: {assist: {}, enabled: yes}
"""
IN_16 = TEXT.replace("assist: {}, ", "")
IN_18 = IN_16.replace("tls-rsa-with-aes-128-cbc-sha, ", "")
CHAIN = config_cures.chain(TEXT, ["assist-removed", "ciphersuites-removed"], "15.5.4", ["all"])
TO_16, TO_18 = ({**edit, "rules": [edit["rule"]]} for edit in CHAIN)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A host on which a plain installation of 15.5.4 runs."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    found = FakeHost(tmp_path)
    monkeypatch.setattr(readiness, "probe", found.probe)
    for name in ("teleport", "tctl", "tsh"):
        program(found.bin_dir / name, "15.5.4")
    config(found).write_text(TEXT, encoding="utf-8")
    config(found).chmod(0o640)
    found.start()
    return found


def config(fake: FakeHost) -> Path:
    return fake.root / "teleport.yaml"


def text(fake: FakeHost) -> str:
    return config(fake).read_text(encoding="utf-8")


def beside(fake: FakeHost) -> list[str]:
    return sorted(path.name for path in fake.root.glob("teleport.yaml?*"))


def asked(fake: FakeHost, version: str, planned: Any = None, **more: Any) -> order.Order:
    return make_order(fake, version, instance={"config_edits": CHAIN}, config_edit=planned, **more)


def test_each_hop_makes_its_change_and_keeps_what_was_there(fake: FakeHost) -> None:
    result = run(fake, asked(fake, "16.5.18", TO_16))
    assert text(fake) == IN_16
    assert config(fake).stat().st_mode & 0o777 == 0o640
    assert events(result).index("stopped") < events(result).index("config_changed") < events(result).index("start")
    assert "- auth_service.assist (line 5, 1 line)" in result["diff"]["after"]
    assert Path(result["config_edit"]["kept"]).read_text(encoding="utf-8") == TEXT
    run(fake, asked(fake, "18.9.2", TO_18))
    assert text(fake) == IN_18
    assert len(beside(fake)) == 2
    assert "hunter2" not in str(result)


def test_nothing_is_changed_that_is_not_planned(fake: FakeHost) -> None:
    result = run(fake, asked(fake, "16.5.18"))
    assert text(fake) == TEXT
    assert "config_edit" not in result
    assert beside(fake) == []


def test_the_new_version_tests_what_is_planned_before_anything_stops(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def judge(_host: Any, _layout: Any, _release: Any, path: str) -> None:
        seen.append((Path(path).read_text(encoding="utf-8"), os.stat(path).st_mode & 0o777, runs(fake)))

    monkeypatch.setattr(release, "try_configuration", judge)
    run(fake, asked(fake, "16.5.18", TO_16))
    assert seen == [(IN_16, 0o600, "15.5.4")]
    assert not list(fake.versions_dir.glob(".teleport.yaml*"))


def test_a_version_that_does_not_come_up_gets_its_configuration_back(fake: FakeHost) -> None:
    inode = config(fake).stat().st_ino
    failure = fail(fake, asked(fake, "16.5.18", TO_16, artefact=tarball(fake.root, "16.5.18", "dies")))
    assert failure.rolled_back
    assert text(fake) == TEXT
    assert config(fake).stat().st_ino == inode, "the very file, with all that hangs on it"
    assert runs(fake) == "15.5.4"
    assert beside(fake) == []


def test_a_file_that_somebody_changed_meanwhile_is_not_touched(fake: FakeHost) -> None:
    config(fake).write_text(TEXT + "# mine\n", encoding="utf-8")
    with pytest.raises(HostError, match="changed since it was observed"):
        run(fake, asked(fake, "16.5.18", TO_16))
    assert text(fake) == TEXT + "# mine\n"
    assert runs(fake) == "15.5.4"


def test_a_dry_run_shows_the_changes_of_all_hops_and_makes_none(fake: FakeHost) -> None:
    for version, planned in (("16.5.18", TO_16), ("18.9.2", TO_18)):
        shown = upgrade.Upgrade(fake.host, asked(fake, version, planned), no_network).preview()
        assert planned["lines"][0] in shown["diff"]["after"]
    assert text(fake) == TEXT
    assert beside(fake) == []


def test_a_dry_run_notices_a_file_that_somebody_changed(fake: FakeHost) -> None:
    config(fake).write_text(TEXT + "# mine\n", encoding="utf-8")
    with pytest.raises(HostError, match="changed since it was observed"):
        upgrade.Upgrade(fake.host, asked(fake, "18.9.2", TO_18), no_network).preview()


def test_bytes_that_do_not_lead_to_the_plan_are_refused(fake: FakeHost) -> None:
    with pytest.raises(HostError, match="would not become what the plan says"):
        run(fake, asked(fake, "16.5.18", {**TO_16, "after": "0" * 64}))
    assert text(fake) == TEXT


@pytest.mark.parametrize("planned", [{"before": "x"}, {"before": "0" * 64}, {"rules": []}])
def test_what_stands_in_no_plan_is_refused(planned: dict[str, Any]) -> None:
    with pytest.raises(HostError, match="config_edit"):
        order._config_edit(planned)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("healthy", [True, False])
def test_a_run_that_was_killed_around_the_change_is_finished_or_undone(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch, moment: str, *, healthy: bool
) -> None:
    write = config_place.write_like

    def killed(path: str, content: bytes) -> None:
        if moment == "after":
            write(path, content)
        raise Killed

    artefact = tarball(fake.root, "16.5.18", "" if healthy else "dies")
    with monkeypatch.context() as patched:
        patched.setattr(config_place, "write_like", killed)
        with pytest.raises(Killed):
            run(fake, asked(fake, "16.5.18", TO_16, artefact=artefact))
    # The next run plans from what it finds: a file that is changed already needs no change.
    again = asked(fake, "16.5.18", TO_16 if moment == "before" else None, artefact=artefact)
    if healthy:
        run(fake, again)
        assert (text(fake), runs(fake)) == (IN_16, "16.5.18")
    else:
        assert fail(fake, again).rolled_back
        assert (text(fake), runs(fake)) == (TEXT, "15.5.4")


def test_a_rollback_puts_back_what_the_older_version_had(fake: FakeHost) -> None:
    run(fake, asked(fake, "16.5.18", TO_16))
    run(fake, asked(fake, "18.9.2", TO_18))
    result = run(fake, asked(fake, "16.5.18"))
    assert (text(fake), runs(fake)) == (IN_16, "16.5.18")
    assert "config_changed" in events(result)
    run(fake, asked(fake, "15.5.4"))
    assert (text(fake), runs(fake)) == (TEXT, "15.5.4")


def test_a_rollback_that_fails_leaves_the_newer_version_its_configuration(fake: FakeHost) -> None:
    run(fake, asked(fake, "16.5.18", TO_16))
    program(fake.versions_dir / "15.5.4" / "teleport", "15.5.4", "dies")
    with pytest.raises(UpgradeFailed):
        run(fake, asked(fake, "15.5.4", artefact=tarball(fake.root, "15.5.4", "dies")))
    assert (text(fake), runs(fake)) == (IN_16, "16.5.18")


def test_a_rollback_leaves_what_somebody_changed_since(fake: FakeHost) -> None:
    run(fake, asked(fake, "16.5.18", TO_16))
    config(fake).write_text(IN_16 + "# mine\n", encoding="utf-8")
    run(fake, asked(fake, "15.5.4"))
    assert text(fake) == IN_16 + "# mine\n"


def test_what_was_there_goes_with_the_version_it_belongs_to(fake: FakeHost) -> None:
    run(fake, asked(fake, "16.5.18", TO_16))
    edits = config_edit.ConfigEdits(str(fake.versions_dir))
    edits.prune(["15.5.4"])
    assert len(beside(fake)) == 1
    edits.prune(["16.5.18"])
    assert beside(fake) == []
    assert not (fake.versions_dir / ".config-edits.json").exists()


def test_a_file_system_without_links_keeps_a_copy(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_arguments: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    fail(fake, asked(fake, "16.5.18", TO_16, artefact=tarball(fake.root, "16.5.18", "dies")))
    assert text(fake) == TEXT
    assert config(fake).stat().st_mode & 0o777 == 0o640


def test_a_folder_that_others_may_write_to_is_no_place_to_change_files_in(fake: FakeHost) -> None:
    elsewhere = fake.root / "open"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    path = elsewhere / "teleport.yaml"
    path.write_text(TEXT, encoding="utf-8")
    wanted = make_order(
        fake, "16.5.18", config_edit=TO_16, instance={"config_edits": CHAIN, "config": {"path": str(path)}}
    )
    assert "is writable for everybody" in str(fail(fake, wanted))
    assert runs(fake) == "15.5.4"
    assert path.read_text(encoding="utf-8") == TEXT


def test_a_link_is_followed_and_stays(fake: FakeHost) -> None:
    real = fake.root / "real.yaml"
    config(fake).rename(real)
    config(fake).symlink_to(real)
    run(fake, asked(fake, "16.5.18", TO_16))
    assert config(fake).is_symlink()
    assert real.read_text(encoding="utf-8") == IN_16


@pytest.mark.parametrize(
    "document",
    [None, {}, {"path": "/a", "kept": "/etc/shadow", "before": "0", "after": "1"}, {"path": "/a", "kept": 1}],
)
def test_a_journal_cannot_name_another_file(document: Any) -> None:
    assert not config_edit.is_document(document)


def test_the_digest_is_that_of_the_file(fake: FakeHost) -> None:
    assert TO_16["before"] == hashlib.sha256(config(fake).read_bytes()).hexdigest()
