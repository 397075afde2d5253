# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the virtual environments of the tests: ``dev``, ``docs`` and one ``core-X.Y`` per release of ansible-core.

``python3 venvs.py build CORE…`` builds what is missing or outdated below ``$LOCKSTEP_CACHE/venv``; a core that no
Python at hand can run is named and left out, except for the oldest supported one, without which nothing is proved.
``python3 venvs.py ends`` prints the oldest and the newest core that are built.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cores import CONTROLLER_PYTHONS, DEVELOPMENT_PYTHONS, OLDEST, python_for
from interpreters import Release, find_interpreters

REQUIREMENTS = Path(__file__).parent / "requirements"
STAMP = ".requirements-digest"


def digest(interpreter: Path, requirements: str) -> str:
    """Return what an environment is a function of: the interpreter and the requirements."""
    return hashlib.sha256(f"{interpreter.resolve()}\n{requirements}".encode()).hexdigest()


def must_run(command: list[str]) -> None:
    """Run a command or leave with what it said last; pip lists every version there is of what it did not find."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join(line[:300] for line in done.stdout.splitlines()[-10:])
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{said}")


def build(venv: Path, interpreter: Path, requirements: str) -> None:
    """Make one environment, or leave it alone when it was made from the same input.

    Leaves with a message when venv or pip fail; an unfinished environment has no stamp and is made anew next time.
    """
    stamp = venv / STAMP
    wanted = digest(interpreter, requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"building {venv.name} on {interpreter}", flush=True)
    if venv.exists():
        shutil.rmtree(venv)
    must_run([str(interpreter), "-m", "venv", str(venv)])
    listed = venv / "requirements.txt"
    listed.write_text(requirements)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    must_run([*pip, "--requirement", str(listed)])
    stamp.write_text(wanted)


def core_requirements(core: str) -> str:
    """Return the requirements of one ``core-X.Y`` environment."""
    return f"ansible-core~={core}.0\n" + (REQUIREMENTS / "core.txt").read_text()


def development_python(at_hand: dict[Release, Path]) -> Path:
    """Return the interpreter for the ``dev`` environment or leave with a message."""
    for release in DEVELOPMENT_PYTHONS:
        if release in at_hand:
            return at_hand[release]
    sys.exit(f"No Python for the linters: found {names(set(at_hand))}, need one of {names(set(DEVELOPMENT_PYTHONS))}.")


def names(releases: set[Release]) -> str:
    """Return ``3.7, 3.11`` for a set of releases."""
    return ", ".join(f"{major}.{minor}" for major, minor in sorted(releases)) or "none"


def build_all(root: Path, wanted_cores: list[str]) -> None:
    """Build every environment; leave with a message when one that must exist cannot be made."""
    at_hand = find_interpreters(dict(os.environ))
    for name in ("dev", "docs"):
        build(root / name, development_python(at_hand), (REQUIREMENTS / f"{name}.txt").read_text())
    for core in wanted_cores:
        if core not in CONTROLLER_PYTHONS:
            sys.exit(f"ansible-core {core} is not in tests/tools/cores.py; known are {', '.join(CONTROLLER_PYTHONS)}.")
        release = python_for(core, set(at_hand))
        if release:
            build(root / f"core-{core}", at_hand[release], core_requirements(core))
            continue
        lowest, highest = (names({limit}) for limit in CONTROLLER_PYTHONS[core])
        message = f"ansible-core {core} runs on Python {lowest} to {highest}, here are {names(set(at_hand))}"
        if core == OLDEST:
            sys.exit(f"{message}. It is the oldest supported core and must be tested: install such a Python.")
        print(f"NOT BUILT: {message}.")


def built_cores(root: Path) -> list[str]:
    """Return the cores whose environment is complete, oldest first."""
    return [core for core in CONTROLLER_PYTHONS if (root / f"core-{core}" / STAMP).exists()]


def main() -> None:
    root = Path(os.environ["LOCKSTEP_CACHE"]) / "venv"
    command, *arguments = sys.argv[1:]
    if command == "build":
        root.mkdir(parents=True, exist_ok=True)
        build_all(root, arguments)
    elif command == "ends":
        built = built_cores(root)
        print(" ".join(dict.fromkeys([*built[:1], *built[-1:]])))


if __name__ == "__main__":
    main()
