# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an execution environment is told to install is enough to plan in, and the archive lacks nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.lockstep.teleport.tests.flow import flow
from ansible_collections.lockstep.teleport.tests.unit.sources import ROOT, tracked_files

TOOLS = Path(sys.executable).parent
STAND_IN = ROOT / "tests" / "flow" / "stand_in.py"


def run(*command: str | Path, path: Path = TOOLS, folder: Path = ROOT, **environment: str) -> str:
    """Run a command that has to succeed, and return what it said; nothing of this process' Ansible or Python."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    own = {**kept, "PATH": f"{path}:/usr/bin:/bin", **environment}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the built collection was installed."""
    folder = tmp_path_factory.mktemp("collection")
    sources = folder / "sources"
    for file in tracked_files():
        target = sources / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    run("ansible-galaxy", "collection", "build", "--output-path", folder, folder=sources, HOME=str(folder))
    (archive,) = folder.glob("*.tar.gz")
    run("ansible-galaxy", "collection", "install", "--offline", archive, "-p", folder / "installed", HOME=str(folder))
    return folder / "installed"


def test_what_is_introspected_is_enough_to_plan_in(installed: Path, tmp_path: Path) -> None:
    run(
        "ansible-builder",
        "introspect",
        installed,
        "--write-pip",
        tmp_path / "pip.txt",
        "--write-bindep",
        tmp_path / "sys",
    )
    assert "openssh-clients [platform:rpm]" in (tmp_path / "sys").read_text()
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv)
    run(venv / "bin" / "pip", "install", "-q", "ansible-core>=2.16", "ansible-runner>=2.3", "-r", tmp_path / "pip.txt")

    actions = installed / "ansible_collections" / "lockstep" / "teleport" / "plugins" / "action"
    for name in ("instance_info", "cluster_info"):
        (actions / f"{name}.py").write_text(STAND_IN.read_text())
    hosts = {"a1": flow.host("a1", "auth"), "n1": flow.host("n1")}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"teleport": {"hosts": hosts}}))
    given = {"teleport_target_version": "17.7.20", "teleport_plan_file": str(tmp_path / "plan.json")}
    program: list[str | Path] = [
        venv / "bin" / "ansible-playbook",
        "-i",
        tmp_path / "inventory.yml",
        "lockstep.teleport.plan",
    ]
    own = {"HOME": str(tmp_path), "FLOW_LOG": str(tmp_path / "calls"), "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    run(*program, "-e", json.dumps(given), path=venv / "bin", folder=tmp_path, **own)
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert [hop["to"].split(".")[0] for hop in plan["hops"]] == ["16", "17"]


def test_the_definition_makes_a_context_that_installs_the_collection(tmp_path: Path) -> None:
    definition = ROOT / "execution-environment.yml"
    run("ansible-builder", "create", "-f", definition, "-c", tmp_path / "context", "--output-filename", "Containerfile")
    galaxy = yaml.safe_load((tmp_path / "context" / "_build" / "requirements.yml").read_text())
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert {"name": "lockstep.teleport", "version": version} in galaxy["collections"]
    optional = {row["name"] for row in yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]}
    assert {row["name"] for row in galaxy["collections"]} - {"lockstep.teleport"} <= optional
    assert "ansible-core>=2.16" in (tmp_path / "context" / "Containerfile").read_text()
