# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the optional collections beside this one: ``python3 optional_collections.py FOLDER``.

They are those of ``requirements.yml``, taken out of the package of PyPI that holds them, because pip works where Galaxy
cannot be reached. Nothing is done when they are there already. Needs PyYAML and pip: run it in the ``dev`` environment.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml
from venvs import must_run

ROOT = Path(__file__).parents[2]
LISTED = ROOT / "requirements.yml"
PACKAGE = Path(__file__).parent / "requirements" / "collections.txt"
STAMP = ".optional-collections-digest"


def wanted() -> list[str]:
    """Return the names of the optional collections."""
    return [collection["name"] for collection in yaml.safe_load(LISTED.read_text())["collections"]]


def download(folder: Path) -> Path:
    """Return the wheel of the package, put into the folder, or leave with what pip said."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-qq", "--no-deps"]
    must_run([*pip, "--only-binary=:all:", "--dest", str(folder), "--requirement", str(PACKAGE)])
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, names: list[str], into: Path) -> None:
    """Take the named collections out of the wheel; leave with a message when it lacks one."""
    with zipfile.ZipFile(wheel) as archive:
        members = archive.namelist()
        for name in names:
            prefix = f"ansible_collections/{name.replace('.', '/')}/"
            inside = [member for member in members if member.startswith(prefix)]
            if not inside:
                sys.exit(f"{wheel.name} has no {name}, which {LISTED.name} names; choose another release in {PACKAGE}.")
            shutil.rmtree(into / prefix, ignore_errors=True)
            archive.extractall(into, inside)


def main() -> None:
    into = Path(sys.argv[1])
    stamp = into / STAMP
    made_from = hashlib.sha256((LISTED.read_text() + PACKAGE.read_text()).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == made_from:
        return
    print(f"unpacking {', '.join(wanted())}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        unpack(download(Path(scratch)), wanted(), into)
    stamp.write_text(made_from)


if __name__ == "__main__":
    main()
