# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils import client_tools, installation
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost, program


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def layout(fake: FakeHost) -> installation.Layout:
    return installation.Layout(str(fake.versions_dir), str(fake.bin_dir))


def elsewhere(fake: FakeHost) -> dict[str, str | None]:
    places, homes = ("usr", "opt/*/versions/*/bin", "bin"), ("home/*/.tsh/bin",)
    found = client_tools.elsewhere(
        fake.host,
        layout(fake),
        tuple(str(fake.root / place) for place in places),
        tuple(str(fake.root / home) for home in homes),
    )
    return {str(Path(path).relative_to(fake.root)): version for path, version in found.items()}


def test_tools_in_bin_dir_are_asked(fake: FakeHost) -> None:
    program(fake.bin_dir / "tsh", "17.7.20")
    program(fake.bin_dir / "teleport", "17.7.20")
    answers = client_tools.ask(fake.host, layout(fake))
    assert {name: str(answer.output.release) for name, answer in answers.items() if answer.output} == {"tsh": "17.7.20"}


def test_every_usual_place_is_looked_at(fake: FakeHost) -> None:
    program(fake.bin_dir / "tsh", "17.7.20")
    program(fake.root / "usr/tctl", "16.5.12")
    program(fake.root / "opt/default/versions/18.0.1/bin/tbot", "18.0.1")
    assert elsewhere(fake) == {"usr/tctl": "16.5.12", "opt/default/versions/18.0.1/bin/tbot": "18.0.1"}


def test_what_a_user_has_fetched_is_seen_and_not_run(fake: FakeHost) -> None:
    program(fake.root / "home/ops/.tsh/bin/tsh", "18.0.1")
    commands: list[list[str]] = []
    fake.hooks.append(commands.append)
    assert elsewhere(fake) == {"home/ops/.tsh/bin/tsh": None}
    assert commands == []


def test_links_to_one_program_are_one_tool(fake: FakeHost) -> None:
    real = program(fake.root / "opt/default/versions/18.0.1/bin/tsh", "18.0.1")
    (fake.bin_dir / "tsh").symlink_to(real)
    program(fake.versions_dir / "16.5.12/tctl", "16.5.12")
    (fake.root / "usr").mkdir()
    (fake.root / "usr/tctl").symlink_to(fake.versions_dir / "16.5.12/tctl")
    assert elsewhere(fake) == {}


def test_a_tool_that_cannot_tell_is_named(fake: FakeHost) -> None:
    (fake.root / "usr").mkdir()
    (fake.root / "usr/tsh").write_text("no version | \n")
    assert elsewhere(fake) == {"usr/tsh": None}
