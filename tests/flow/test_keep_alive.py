# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that vanishes is noticed: what Ansible's own connection plugin hands to ssh."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.plugin_utils.keep_alive import OPTIONS
from ansible_collections.lockstep.teleport.tests.flow.flow import environment
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT

pytestmark = pytest.mark.slow

FAKE = "#!/bin/sh\nprintf '%s\\n' \"$*\" >> {log}\nexit 255\n"
ASK = {
    "instance_info": "",
    "instance_upgrade": "version=17.7.20 instance={}",
}


def handed_to_ssh(folder: Path, module: str, *arguments: str) -> str:
    """The arguments of the ssh that a module is run through."""
    own = folder / "collections" / "ansible_collections" / "lockstep" / "teleport"
    own.parent.mkdir(parents=True)
    own.symlink_to(ROOT)
    log, program = folder / "ssh.log", folder / "ssh"
    program.write_text(FAKE.format(log=log))
    program.chmod(0o755)
    command = [str(Path(sys.executable).with_name("ansible")), "vanished", "-i", "vanished,", "-c", "ssh"]
    subprocess.run(
        [*command, "-m", f"lockstep.teleport.{module}", "-a", ASK[module], *arguments],
        env={
            **environment(folder, log),
            "ANSIBLE_SSH_EXECUTABLE": str(program),
        },
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return log.read_text()


@pytest.mark.parametrize("module", ASK)
def test_ssh_asks_for_signs_of_life(tmp_path: Path, module: str) -> None:
    assert OPTIONS in handed_to_ssh(tmp_path, module)


def test_what_the_user_says_about_it_holds(tmp_path: Path) -> None:
    own = '{"ansible_ssh_common_args": "-o ServerAliveInterval=240"}'
    handed = handed_to_ssh(tmp_path, "instance_info", "-e", own)
    assert "ServerAliveInterval=240" in handed
    assert OPTIONS not in handed
