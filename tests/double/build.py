# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build official-looking release tarballs of the double.

    python tests/double/build.py --out DIR [--versions 5.2.5 17.7.20-ent ...] [--launcher elf|script]

The launcher is compiled once against the system's Python (Debian: gcc, libpython3-dev); a version differs
from another in a stamp of a few bytes. ``--launcher script`` makes files that any Python runs, for tests
on a machine without a compiler: with them /proc/PID/exe is the interpreter.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from teleport_double.features import has, newest  # noqa: E402
from teleport_double.versions import Version  # noqa: E402

SYSTEM_PYTHON = "/usr/bin/python3"
ENTRY = """import os
import sys

from teleport_double.main import main

sys.exit(main(sys.argv, __loader__.get_data(os.path.join(__loader__.archive, "identity.json"))))
"""
INSTALL = """#!/bin/sh
# Copies the binaries; it restarts nothing.
set -e
[ "$(id -u)" = 0 ] || { echo "ERROR: install must be run as root" >&2; exit 1; }
cd "$(dirname "$0")"
mkdir -p /usr/local/bin /var/lib/teleport
for tool in teleport tctl tsh tbot; do [ ! -e "$tool" ] || cp -f "$tool" /usr/local/bin/; done
echo "Teleport binaries have been copied to /usr/local/bin"
"""
UNIT = """[Unit]
Description=Teleport SSH Service
After=network.target

[Service]
Type=simple
Restart=on-failure
EnvironmentFile=-/etc/default/teleport
ExecStart=/usr/local/bin/teleport start --pid-file=/run/teleport.pid
ExecReload=/bin/kill -HUP $MAINPID
PIDFile=/run/teleport.pid
LimitNOFILE=8192

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Release:
    """One tarball: a version in an edition (community, enterprise, fips)."""

    version: str
    edition: str

    @property
    def folder(self) -> str:
        """Name of the folder inside the tarball."""
        return "teleport" if self.edition == "community" else "teleport-ent"

    @property
    def file_name(self) -> str:
        """Official name of the tarball."""
        fips = "-fips" if self.edition == "fips" else ""
        return f"{self.folder}-v{self.version}-linux-amd64{fips}-bin.tar.gz"

    @classmethod
    def parse(cls, text: str) -> Release:
        """``17.7.20``, ``17.7.20-ent`` or ``17.7.20-ent-fips``."""
        for suffix, edition in (("-ent-fips", "fips"), ("-fips", "fips"), ("-ent", "enterprise")):
            if text.endswith(suffix):
                return cls(text[: -len(suffix)], edition)
        return cls(text, "community")


def catalogue() -> dict[str, Any]:
    """The table of versions built when none are named."""
    return dict(json.loads((HERE / "catalogue.json").read_text()))


def default_releases() -> list[Release]:
    """All releases of the catalogue."""
    table = catalogue()
    releases = [Release(version, "community") for version in table["versions"]]
    releases += [Release(version, "enterprise") for version in table["enterprise"]]
    return releases + [Release(version, "fips") for version in table["fips"]]


def compile_launcher(directory: Path) -> bytes:
    """The ELF that runs the archive behind it, linked to the system's libpython."""
    target = directory / "launcher"
    config = "import sysconfig as s; print(s.get_path('include')); print(s.get_config_var('LDVERSION'))"
    include, library = subprocess.run(
        [SYSTEM_PYTHON, "-c", config], check=True, capture_output=True, text=True
    ).stdout.split()
    source = HERE / "launcher" / "launcher.c"
    command = ["gcc", "-O2", "-Wall", "-Wextra", f"-I{include}", str(source), "-o", str(target), f"-lpython{library}"]
    subprocess.run([*command, "-s"], check=True)
    return target.read_bytes()


def archive(directory: Path, python: str) -> bytes:
    """A zip of the package, PyYAML and the entry, compiled for ``python``."""
    stage = directory / "stage"
    ignore = shutil.ignore_patterns("__pycache__", "*.so", "*.pyi")
    shutil.copytree(HERE / "teleport_double", stage / "teleport_double", ignore=ignore)
    shutil.copytree(Path(yaml.__file__).parent, stage / "yaml", ignore=ignore)
    (stage / "__main__.py").write_text(ENTRY)
    compile_all = ["-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash", "-s", str(stage)]
    subprocess.run([python, *compile_all, str(stage)], check=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for path in sorted(stage.rglob("*")):
            if path.suffix in (".pyc", ".json"):
                bundle.write(path, path.relative_to(stage))
    return buffer.getvalue()


def binary(launcher: bytes, bundle: bytes, stamp: dict[str, str]) -> bytes:
    """Launcher, archive and stamp in one file."""
    buffer = io.BytesIO(launcher + bundle)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as opened:
        opened.writestr("identity.json", json.dumps(stamp))
    return buffer.getvalue()


def stamp(tool: str, release: Release) -> dict[str, str]:
    """What distinguishes this binary from all others."""
    table = catalogue()
    digest = hashlib.sha1(release.version.encode()).hexdigest()[:9]
    return {
        "tool": tool,
        "version": release.version,
        "edition": release.edition,
        "git": f"v{release.version}-0-g{digest}",
        "go": newest(table["go"], Version.parse(release.version)),
        "reported": table["reported"].get(release.version, ""),
    }


def tools(release: Release) -> list[str]:
    """Binaries a release has."""
    names = ["teleport", "tctl", "tsh"]
    return [*names, "tbot"] if has(Version.parse(release.version), "tbot") else names


def members(release: Release, launcher: bytes, bundle: bytes) -> list[tuple[str, bytes, int]]:
    """``(path, content, mode)`` of everything in the tarball."""
    folder = release.folder
    found = [(f"{folder}/{tool}", binary(launcher, bundle, stamp(tool, release)), 0o755) for tool in tools(release)]
    texts = {
        "install": (INSTALL, 0o755),
        "VERSION": (f"v{release.version}\n", 0o644),
        "README.md": ("# A test double of Teleport, not Teleport\n", 0o644),
        "CHANGELOG.md": (f"# Changelog\n\n## {release.version}\n", 0o644),
        "examples/systemd/teleport.service": (UNIT, 0o644),
    }
    return found + [(f"{folder}/{name}", text.encode(), mode) for name, (text, mode) in texts.items()]


def tarball(entries: Sequence[tuple[str, bytes, int]]) -> bytes:
    """A gzipped tar with reproducible metadata."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, content, mode in entries:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), mode, 1600000000
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def write(directory: Path, name: str, content: bytes, checksum: bool = True) -> None:
    """Write an artefact and its ``.sha256`` beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content)
    if checksum:
        (directory / f"{name}.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {name}\n")


def build_one(release: Release, launcher: bytes, bundle: bytes, out: Path) -> str:
    """Build one release; returns its file name."""
    write(out, release.file_name, tarball(members(release, launcher, bundle)))
    return release.file_name


def build_broken(release: Release, launcher: bytes, bundle: bytes, out: Path) -> None:
    """Artefacts a careful installer refuses, one folder per defect under ``broken/``."""
    name = release.file_name
    entries = members(release, launcher, bundle)
    good = tarball(entries)
    wrong = Release("1.2.3", release.edition)
    folder = out / "broken"
    write(folder / "wrong-checksum", name, good, checksum=False)
    (folder / "wrong-checksum" / f"{name}.sha256").write_text(f"{'0' * 64}  {name}\n")
    write(folder / "truncated", name, good[: len(good) // 2])
    write(folder / "html", name, b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n")
    write(folder / "no-checksum", name, good, checksum=False)
    outside = [("../escaped", b"out\n", 0o644), (f"{release.folder}/../../escaped", b"out\n", 0o644)]
    write(folder / "path-traversal", name, tarball([*entries, *outside]))
    write(folder / "wrong-version", name, tarball(_stamped(release, wrong, launcher, bundle)))
    write(folder / "not-executable", name, tarball([(path, content, 0o644) for path, content, _mode in entries]))
    garbage = [(path, b"\x7fELF not a program" if mode == 0o755 else content, mode) for path, content, mode in entries]
    write(folder / "not-a-program", name, tarball(garbage))


def _stamped(release: Release, wrong: Release, launcher: bytes, bundle: bytes) -> list[tuple[str, bytes, int]]:
    """The right names with another version's binaries inside."""
    kept = [entry for entry in members(release, launcher, bundle) if not entry[0].endswith(tuple(tools(release)))]
    wrong_stamp = {**stamp("teleport", release), "version": "5.0.0" if release.version != "5.0.0" else wrong.version}
    other = [
        (f"{release.folder}/{tool}", binary(launcher, bundle, {**wrong_stamp, "tool": tool}), 0o755)
        for tool in tools(release)
    ]
    return other + kept


def parts(kind: str, directory: Path) -> tuple[bytes, bytes]:
    """``(launcher, archive)`` of a kind of binary: ``elf`` or ``script``."""
    if kind == "script":
        return f"#!{sys.executable}\n".encode(), archive(directory, sys.executable)
    return compile_launcher(directory), archive(directory, SYSTEM_PYTHON)


def build(out: Path, releases: Sequence[Release], broken: Sequence[Release], kind: str = "elf") -> list[str]:
    """Build everything into ``out``; the names of the good tarballs."""
    with tempfile.TemporaryDirectory() as temporary:
        launcher, bundle = parts(kind, Path(temporary))
        out.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            names = list(pool.map(lambda release: build_one(release, launcher, bundle, out), releases))
        for release in broken:
            build_broken(release, launcher, bundle, out)
    return names


def unpack(out: Path, releases: Sequence[Release], kind: str = "script") -> dict[str, Path]:
    """Build releases as plain folders ``out/<version>[-ent][-fips]/``, for tests that need no tarball."""
    folders = {}
    with tempfile.TemporaryDirectory() as temporary:
        launcher, bundle = parts(kind, Path(temporary))
        for release in releases:
            suffix = {"community": "", "enterprise": "-ent", "fips": "-ent-fips"}[release.edition]
            folder = out / f"{release.version}{suffix}"
            for path, content, mode in members(release, launcher, bundle):
                target = folder / path.partition("/")[2]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                target.chmod(mode)
            folders[f"{release.version}{suffix}"] = folder
    return folders


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--versions", nargs="*", default=None, help="X.Y.Z, X.Y.Z-ent, X.Y.Z-ent-fips; default: the catalogue"
    )
    parser.add_argument(
        "--broken", nargs="*", default=["5.2.5", "17.7.20"], help="versions to build broken artefacts of"
    )
    parser.add_argument("--launcher", choices=("elf", "script"), default="elf")
    parser.add_argument("--unpacked", action="store_true", help="write folders instead of tarballs")
    arguments = parser.parse_args()
    chosen = default_releases() if arguments.versions is None else [Release.parse(v) for v in arguments.versions]
    if arguments.unpacked:
        print("\n".join(map(str, unpack(arguments.out, chosen, arguments.launcher).values())))
        return 0
    broken = [Release.parse(version) for version in arguments.broken]
    names = build(arguments.out, chosen, broken, arguments.launcher)
    print("\n".join(names))
    return 0


if __name__ == "__main__":
    sys.exit(main())
