# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release tarballs of a lab and the HTTP server that offers them to its hosts.

Tarballs are those of the Teleport double (``tests/double``). They lie in a folder named after the double's sources, so
that a change to the double is never tested with what was built before it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .errors import LabError
from .locking import waiting_lock
from .settings import Settings
from .shell import run
from .waiting import wait_until

MACHINE_TO_RELEASE = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
EDITION_SUFFIX = {"community": "", "enterprise": "-ent", "fips": "-ent-fips"}
DOUBLE = Path(__file__).parent.parent.parent / "double"
SOURCES = ("*.py", "*.json", "launcher/*", "teleport_double/**/*.py", "teleport_double/**/*.json")
BUILD_SECONDS = 300.0
START_SECONDS = 10.0
# In a folder of tarballs: its catalogue is complete, and was last asked for when this file was touched.
COMPLETE = ".complete"
FORGET_AFTER_SECONDS = 6 * 3600.0


def tarball_name(version: str, edition: str) -> str:
    """The name under which Teleport publishes a release for this machine's architecture."""
    product = "teleport-ent" if edition in ("enterprise", "fips") else "teleport"
    suffix = "-fips" if edition == "fips" else ""
    architecture = MACHINE_TO_RELEASE.get(platform.machine(), platform.machine())
    return f"{product}-v{version}-linux-{architecture}{suffix}-bin.tar.gz"


def folder_name(double: Path = DOUBLE) -> str:
    """The folder below ``Settings.artifacts`` for what the double's present sources build."""
    files = sorted({file for pattern in SOURCES for file in double.glob(pattern) if file.is_file()})
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(double)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def ensure_tarballs(settings: Settings, versions: Iterable[str], edition: str) -> Path:
    """Have the double built: its whole catalogue once, further versions when asked for; returns their folder.

    Raises LabError when a tarball is missing still.
    """
    folder = settings.artifacts / folder_name()
    wanted = sorted(versions)
    with waiting_lock(settings.artifacts / "build.lock"):
        if not (folder / COMPLETE).exists():
            _build(folder, [])
            _forget_old(settings.artifacts)
        (folder / COMPLETE).touch()
        lacking = [version for version in wanted if not (folder / tarball_name(version, edition)).is_file()]
        if lacking:
            names = [f"{version}{EDITION_SUFFIX[edition]}" for version in lacking]
            _build(folder, ["--broken", "--versions", *names])
    missing = [name for name in (tarball_name(version, edition) for version in wanted) if not (folder / name).is_file()]
    if missing:
        raise LabError(f"{folder}: lacks {', '.join(missing)}, and the double's build.py did not make it")
    return folder


def _forget_old(artifacts: Path) -> None:
    """Remove what earlier states of the double built and no lab has asked for lately."""
    for mark in artifacts.glob(f"*/{COMPLETE}"):
        if time.time() - mark.stat().st_mtime > FORGET_AFTER_SECONDS:
            shutil.rmtree(mark.parent, ignore_errors=True)


def _build(folder: Path, arguments: list[str]) -> None:
    python = sys.executable if importlib.util.find_spec("yaml") else "/usr/bin/python3"
    run(
        [python, str(DOUBLE / "build.py"), "--out", str(folder), *arguments],
        timeout=BUILD_SECONDS,
        label="tests/double/build.py",
    )


def serve(settings: Settings, address: str) -> str:
    """Start the artefact server of this lab, unless it runs; returns its URL, which its hosts can reach.

    Every request becomes a line of ``requests.jsonl`` in the state directory.
    """
    announced = settings.state / "artifacts.out"
    if _running(settings) is None:
        command = [sys.executable, str(DOUBLE / "serve.py"), str(settings.artifacts), "--bind", address, "--port", "0"]
        with announced.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--log", str(settings.state / "requests.jsonl")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        (settings.state / "artifacts.pid").write_text(f"{process.pid}\n", encoding="ascii")
        wait_until(lambda: " at http://" in _first_line(announced), START_SECONDS, f"artefact server, see {announced}")
    return _first_line(announced).rpartition(" at ")[2]


def stop_serving(settings: Settings) -> None:
    """Stop the artefact server of this lab, if it runs."""
    pid = _running(settings)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    (settings.state / "artifacts.pid").unlink(missing_ok=True)


def _first_line(file: Path) -> str:
    return next(iter(file.read_text(encoding="utf-8").splitlines()), "")


def _running(settings: Settings) -> int | None:
    """The server's process id; None when it is gone or the id belongs to something else by now."""
    try:
        pid = int((settings.state / "artifacts.pid").read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(settings.state).encode() in command else None
