# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""teleport-update (managed updates, version 2) as its documentation and ``tool/teleport-update`` have it. One file, for
a host: nothing but the standard library.

It keeps versions in ``ROOT/<namespace>/versions/<version>[_ent[_fips]]``, its settings and state in
``ROOT/<namespace>/update.yaml``, links programs into ``/usr/local/bin``, restarts the unit, and goes back when what it
started dies at once; it remembers that version as one to skip. An edition stays what it is. What the cluster wants is
in ``ROOT/<namespace>/cluster``, in place of a question to a proxy.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(os.environ.get("TELEPORT_UPDATE_ROOT", "/opt/teleport"))
BIN = Path(os.environ.get("TELEPORT_UPDATE_BIN", "/usr/local/bin"))
UNIT = "teleport.service"
PROGRAMS = ("teleport", "tctl", "tsh", "tbot")
LINE = re.compile(r"( *)([a-z_]+):\s*(.*?)\s*")
ITEM = re.compile(r" *- (\S+)")
# Seconds; the real one watches for up to 30.
WATCHED = float(os.environ.get("TELEPORT_UPDATE_WATCHED", "4"))
SUFFIX = {(): "", ("Enterprise",): "_ent", ("Enterprise", "FIPS"): "_ent_fips"}

State = dict[str, str]


class UpdateError(Exception):
    """What is said behind ``ERROR:``; the exit status is 1."""


class Installation:
    """One namespace: its settings (dotted keys), and what is done about them."""

    def __init__(self, namespace: str) -> None:
        self.folder = ROOT / namespace
        self.state: State = {"spec.proxy": '""', "spec.group": "default", "spec.enabled": "false"}
        self.state.update({"spec.pinned": "false", "status.active.flags": "", **self._read()})

    def _read(self) -> State:
        path = self.folder / "update.yaml"
        found: State = {}
        above: dict[int, str] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            if (item := ITEM.fullmatch(line)) and found:
                key = next(reversed(found))
                found[key] = f"{found[key]} {item[1]}".strip()
            elif match := LINE.fullmatch(line):
                above = {depth: key for depth, key in above.items() if depth < len(match[1])}
                above[len(match[1])] = match[2]
                if match[3] or match[2] == "flags":
                    found[".".join(above[depth] for depth in sorted(above))] = match[3]
        return found

    def text(self) -> str:
        """``update.yaml``, as the real one writes it."""
        get = self.state.get
        lines = ["version: v1", "kind: update_config", "spec:"]
        lines += [f"    {key}: {get('spec.' + key)}" for key in ("proxy", "group", "base_url") if get("spec." + key)]
        lines += [f"    enabled: {get('spec.enabled')}", f"    pinned: {get('spec.pinned')}", "status:"]
        for part in ("active", "backup", "skip"):
            version, flags = get(f"status.{part}.version"), get(f"status.{part}.flags", "").split()
            if version:
                listed = [f"            - {flag}" for flag in flags]
                lines += [f"    {part}:", f"        version: {version}", "        flags:" + ("" if listed else " []")]
                lines += listed
        return "\n".join(lines) + "\n"

    def save(self) -> None:
        """Write the settings and the state, whole or not at all."""
        new = self.folder / ".update.yaml.new"
        new.write_text(self.text())
        new.rename(self.folder / "update.yaml")

    @property
    def active(self) -> str:
        """The version that is linked; empty when there is none."""
        return self.state.get("status.active.version", "")

    def programs(self, version: str) -> Path:
        """Where the programs of a version lie."""
        flags = tuple(self.state["status.active.flags"].replace("[]", "").split())
        return self.folder / "versions" / (version + SUFFIX[flags]) / "bin"

    def fetch(self, version: str) -> None:
        """Fetch and verify a version that is not there yet."""
        target = self.programs(version)
        if target.exists():
            return
        kind = target.parent.name.partition("_")[2]
        product, fips = ("teleport-ent" if kind else "teleport"), ("-fips" if "fips" in kind else "")
        url = f"{self.state['spec.base_url']}/{product}-v{version}-linux-amd64{fips}-bin.tar.gz"
        try:
            content, digest = (urllib.request.urlopen(one, timeout=60).read() for one in (url, url + ".sha256"))
        except OSError as error:
            raise UpdateError(f"failed to download {url}: {error}") from error
        if hashlib.sha256(content).hexdigest() != digest.decode().split()[0]:
            raise UpdateError(f"mismatched checksum of {url}")
        target.mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for name in PROGRAMS:
                source = archive.extractfile(f"{product}/{name}")
                (target / name).write_bytes(source.read() if source else b"")
                (target / name).chmod(0o755)

    def link(self, version: str) -> None:
        """Link each program, at once or not at all."""
        for name in PROGRAMS:
            new = BIN / f".{name}.new"
            new.unlink(missing_ok=True)
            new.symlink_to(self.programs(version) / name)
            new.rename(BIN / name)

    def switch(self, version: str) -> None:
        """Bring the host to a version; go back and skip it when it dies."""
        self.fetch(version)
        before = self.active
        if version == before:
            return
        self.link(version)
        if systemctl("is-enabled", "--quiet", UNIT) == 0 and not restarted():
            if before:
                self.link(before)
                systemctl("restart", UNIT)
            self.state.update({"status.skip.version": version, "status.skip.flags": self.state["status.active.flags"]})
            self.save()
            raise UpdateError(f"{version} crashed after its start; reverted to {before}")
        if before:
            self.state.update(
                {"status.backup.version": before, "status.backup.flags": self.state["status.active.flags"]}
            )
        self.state["status.active.version"] = version
        self.save()


def systemctl(*words: str) -> int:
    """The exit status of systemctl."""
    return subprocess.run(["systemctl", *words], check=False, capture_output=True).returncode


def restarted() -> bool:
    """Restart the unit, and say whether one process of it lives for a while. It need not be connected."""
    systemctl("reset-failed", UNIT)
    systemctl("restart", UNIT)
    end, seen = time.monotonic() + WATCHED, set()
    while time.monotonic() < end:
        asked = ["systemctl", "show", "--value", "--property=MainPID", UNIT]
        seen.add(subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip())
        time.sleep(0.2)
    return len(seen) == 1 and seen != {"0"}


def enable(one: Installation, given: argparse.Namespace) -> None:
    """Install what the cluster (or the environment) wants, and keep following."""
    if given.base_url:
        one.state["spec.base_url"] = given.base_url
    if given.proxy:
        one.state["spec.proxy"] = f'"{given.proxy}"'
    foreign = [name for name in PROGRAMS if (BIN / name).exists() and not (BIN / name).is_symlink()]
    if foreign and not given.overwrite:
        raise UpdateError(f"refusing to replace {', '.join(foreign)} in {BIN}; use --overwrite")
    if not one.active:
        said = subprocess.run([str(BIN / "teleport"), "version"], check=False, capture_output=True, text=True).stdout
        fips = " FIPS" if "boringcrypto" in said else ""
        one.state["status.active.flags"] = f"Enterprise{fips}" if "Enterprise" in said else ""
    one.state.update({"spec.enabled": "true"})
    one.switch(os.environ.get("TELEPORT_UPDATE_VERSION") or wanted(one))
    one.save()


def pin(one: Installation, given: argparse.Namespace) -> None:
    """Install a version, by default the one that the cluster wants, and stay at it."""
    one.switch(given.force_version or wanted(one))
    # As the real one does: what is pinned is enabled.
    one.state.update({"spec.enabled": "true", "spec.pinned": "true"})
    one.state.pop("status.skip.version", None)
    one.save()


def unpin(one: Installation, _given: argparse.Namespace) -> None:
    """Follow the cluster again."""
    one.state["spec.pinned"] = "false"
    one.save()


def update(one: Installation, _given: argparse.Namespace) -> None:
    """What the timer runs: follow the cluster, unless that is not allowed."""
    get = one.state.get
    target = wanted(one)
    if get("spec.enabled") == "true" and get("spec.pinned") == "false" and target != get("status.skip.version"):
        one.switch(target)


def disable(one: Installation, _given: argparse.Namespace) -> None:
    """Stay at what is there, and follow no more."""
    one.state["spec.enabled"] = "false"
    one.save()


def status(one: Installation, given: argparse.Namespace) -> None:
    """YAML, not JSON."""
    target = wanted(one)
    print(one.text() + f"    target:\n        version: {target}\n    in_window: true\n    jitter: 60s")
    if given.is_up_to_date and target != one.active:
        raise SystemExit(1)


def wanted(one: Installation) -> str:
    """What the cluster wants; what is there, when it says nothing."""
    path = one.folder / "cluster"
    found = path.read_text().strip() if path.exists() else one.active
    if not found:
        raise UpdateError("failed to request version from proxy")
    return found


class Parser(argparse.ArgumentParser):
    """Exits with 1, as the real one does."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say it and end."""
        self.exit(1, f"teleport-update: error: {message}, try --help\n")


def main() -> int:
    """Command line."""
    parser = Parser(prog="teleport-update")
    parser.add_argument("--install-suffix", "-i", default="default")
    commands = parser.add_subparsers(dest="command", required=True)
    for act in (enable, pin, unpin, update, disable, status):
        command = commands.add_parser(act.__name__)
        command.set_defaults(act=act)
        if act in (enable, pin):
            command.add_argument("--force-version", "-V")
            command.add_argument("--base-url", "-b")
            command.add_argument("--proxy", "-p")
            command.add_argument("--overwrite", "-o", action="store_true")
        command.add_argument("--now", action="store_true") if act is update else None
        command.add_argument("--is-up-to-date", action="store_true") if act is status else None
    given = parser.parse_args()
    folder = ROOT / given.install_suffix
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "update.lock").open("w") as lock, (folder / "calls").open("a") as calls:
        fcntl.flock(lock, fcntl.LOCK_EX)
        calls.write(" ".join(sys.argv[1:]) + "\n")
        try:
            given.act(Installation(given.install_suffix), given)
        except UpdateError as error:
            sys.stderr.write(f"ERROR: {error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
