# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put release tarballs of the double into a signed apt repository, laid out as Teleport's.

    python tests/double/packages.py --out DIR TARBALL...

Each release line has a channel, ``stable/v17``, which is a component of the one suite. Until 16 a package has its files
where they are called; from 17 on it has them in ``/opt/teleport/system``, and a script makes the links. To make
it harder than the real ones, the scripts also restart the unit. The key is made here, serves once and is forgotten;
hosts find it as ``DIR/key.asc``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

SUITE = "bookworm"
PROGRAMS = ("teleport", "tctl", "tsh", "tbot")
#: First release line whose packages leave the links to a script.
FIRST_LINKED = 17
_NAME_RE = re.compile(r"(teleport(?:-ent)?)-v(\d+)(\.\S+?)-linux-(amd64|arm64)(-fips)?-bin\.tar\.gz")
_POSTINST = """#!/bin/sh
set -e
{link}
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || :
    systemctl restart teleport.service || :
fi
"""
_LINK = """mkdir -p /usr/local/bin /usr/local/lib/systemd/system
for path in /opt/teleport/system/bin/*; do ln -sfn "$path" "/usr/local/bin/$(basename "$path")"; done
ln -sfn /opt/teleport/system/lib/systemd/system/teleport.service /usr/local/lib/systemd/system/teleport.service
"""
_PRERM = """#!/bin/sh
set -e
for path in /opt/teleport/system/bin/*; do rm -f "/usr/local/bin/$(basename "$path")"; done
rm -f /usr/local/lib/systemd/system/teleport.service
"""


@dataclass(frozen=True)
class Package:
    """A release as a package."""

    tarball: Path
    name: str
    line: int
    version: str
    architecture: str

    @classmethod
    def of(cls, tarball: Path) -> Package:
        """What the official name of a tarball says."""
        found = _NAME_RE.fullmatch(tarball.name)
        if found is None:
            raise SystemExit(f"{tarball}: its name is not that of a release tarball")
        product, line, rest, architecture, fips = found.groups()
        return cls(tarball, product + (fips or ""), int(line), f"{line}{rest}", architecture)

    @property
    def file_name(self) -> str:
        """Path below the repository."""
        return f"pool/v{self.line}/{self.name}_{self.version}_{self.architecture}.deb"

    @property
    def channel(self) -> str:
        """Component of the suite."""
        return f"stable/v{self.line}"

    def control(self) -> str:
        """The fields that describe it."""
        fields = {"Package": self.name, "Version": self.version, "Architecture": self.architecture}
        fields.update({"Maintainer": "nobody <nobody@example.com>", "Description": "a test double of Teleport"})
        return "".join(f"{key}: {value}\n" for key, value in fields.items())


def build(package: Package, out: Path) -> Path:
    """Build one package below *out*; returns its path."""
    target = out / package.file_name
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "root"
        root.mkdir(mode=0o755)
        _lay_out(package, root)
        command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(target)]
        subprocess.run(command, check=True, capture_output=True)
    return target


def _lay_out(package: Package, root: Path) -> None:
    linked = package.line >= FIRST_LINKED
    prefix = root / "opt/teleport/system" if linked else root
    programs, units = prefix / ("bin" if linked else "usr/local/bin"), prefix / "lib/systemd/system"
    for folder in (programs, units, root / "DEBIAN"):
        folder.mkdir(parents=True)
    with tarfile.open(package.tarball) as tar:
        for member in tar.getmembers():
            name = os.path.basename(member.name)
            source = tar.extractfile(member)
            if source is None or not (name in PROGRAMS or name == "teleport.service"):
                continue
            target = (programs if name in PROGRAMS else units) / name
            target.write_bytes(source.read())
            target.chmod(0o755 if name in PROGRAMS else 0o644)
    (root / "DEBIAN/control").write_text(package.control())
    scripts = {"postinst": _POSTINST.format(link=_LINK if linked else "")}
    for name, text in {**scripts, **({"prerm": _PRERM} if linked else {})}.items():
        (root / "DEBIAN" / name).write_text(text)
        (root / "DEBIAN" / name).chmod(0o755)


def index(packages: Sequence[Package], out: Path) -> None:
    """Write the lists of all channels and the suite's ``Release``."""
    suite = out / "dists" / SUITE
    shutil.rmtree(suite, ignore_errors=True)
    architecture = packages[0].architecture
    for channel in sorted({package.channel for package in packages}):
        folder = suite / channel / f"binary-{architecture}"
        folder.mkdir(parents=True)
        text = "\n".join(_record(package, out) for package in packages if package.channel == channel)
        (folder / "Packages").write_text(text)
        (folder / "Packages.gz").write_bytes(gzip.compress(text.encode()))
    lists = sorted(path for path in suite.rglob("Packages*") if path.is_file())
    channels = " ".join(sorted({package.channel for package in packages}))
    head = f"Origin: double\nSuite: {SUITE}\nCodename: {SUITE}\nDate: {formatdate(usegmt=True)}\n"
    sums = "".join(f" {_digest(path)} {path.stat().st_size} {path.relative_to(suite)}\n" for path in lists)
    (suite / "Release").write_text(f"{head}Architectures: {architecture}\nComponents: {channels}\nSHA256:\n{sums}")


def _record(package: Package, out: Path) -> str:
    path = out / package.file_name
    place = f"Filename: {package.file_name}\nSize: {path.stat().st_size}\nSHA256: {_digest(path)}\n"
    return package.control() + place


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sign(out: Path) -> None:
    """Sign the suite with a new key, and leave its public half in ``key.asc``."""
    suite = out / "dists" / SUITE
    with tempfile.TemporaryDirectory() as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        run = [*gpg, "--quick-generate-key", "Double <double@example.com>", "ed25519", "sign", "never"]
        subprocess.run(run, check=True, capture_output=True)
        signed = [*gpg, "--yes", "--clearsign", "--output", str(suite / "InRelease"), str(suite / "Release")]
        subprocess.run(signed, check=True, capture_output=True)
        key = subprocess.run([*gpg, "--armor", "--export"], check=True, capture_output=True).stdout
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)
    (out / "key.asc").write_bytes(key)


def publish(tarballs: Sequence[Path], out: Path) -> list[Package]:
    """Build packages of *tarballs* and the signed repository around them."""
    packages = [Package.of(tarball) for tarball in tarballs]
    for package in packages:
        build(package, out)
    index(packages, out)
    sign(out)
    return packages


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("tarballs", type=Path, nargs="+")
    arguments = parser.parse_args()
    for package in publish(arguments.tarballs, arguments.out):
        print(package.file_name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
