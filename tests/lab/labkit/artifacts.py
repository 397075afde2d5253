# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release tarballs of a lab and the HTTP server that offers them to its hosts.

Tarballs are those of the Teleport double (``tests/double``), built for the versions that are asked for, or any others
that lie in the artefact folder already.
"""

from __future__ import annotations

import http.client
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .errors import LabError
from .settings import Settings
from .shell import run

MACHINE_TO_RELEASE = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
BUILDER = Path(__file__).parent.parent.parent / "double" / "build.py"
BUILD_SECONDS = 300.0
START_SECONDS = 10.0


def tarball_name(version: str, edition: str) -> str:
    """The name under which Teleport publishes a release for this machine's architecture."""
    product = "teleport-ent" if edition in ("enterprise", "fips") else "teleport"
    suffix = "-fips" if edition == "fips" else ""
    architecture = MACHINE_TO_RELEASE.get(platform.machine(), platform.machine())
    return f"{product}-v{version}-linux-{architecture}{suffix}-bin.tar.gz"


def missing_tarballs(settings: Settings, versions: Iterable[str], edition: str) -> list[str]:
    """Names of the tarballs that the artefact folder does not hold."""
    names = (tarball_name(version, edition) for version in sorted(versions))
    return [name for name in names if not (settings.artifacts / name).is_file()]


def ensure_tarballs(settings: Settings, versions: Iterable[str], edition: str) -> None:
    """Have the double built for the versions that are missing. Raises LabError when one is missing still."""
    wanted = sorted(versions)
    if missing_tarballs(settings, wanted, edition):
        run(
            [sys.executable, str(BUILDER), "--out", str(settings.artifacts), "--edition", edition, *wanted],
            timeout=BUILD_SECONDS,
        )
    missing = missing_tarballs(settings, wanted, edition)
    if missing:
        raise LabError(f"{settings.artifacts}: lacks {', '.join(missing)}, and {BUILDER.name} did not build it")


def serve(settings: Settings, address: str) -> str:
    """Start the artefact server of this lab, unless it runs; returns its URL, which its hosts can reach."""
    port_file = settings.state / "artifacts.port"
    if _running(settings) is None:
        port = _free_port(address)
        with (settings.state / "artifacts.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "http.server",
                    str(port),
                    "--bind",
                    address,
                    "--directory",
                    str(settings.artifacts),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (settings.state / "artifacts.pid").write_text(f"{process.pid}\n", encoding="ascii")
        port_file.write_text(f"{port}\n", encoding="ascii")
        _wait_answering(address, port)
    return f"http://{address}:{port_file.read_text(encoding='ascii').strip()}"


def stop_serving(settings: Settings) -> None:
    """Stop the artefact server of this lab, if it runs."""
    pid = _running(settings)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    (settings.state / "artifacts.pid").unlink(missing_ok=True)


def _running(settings: Settings) -> int | None:
    """The server's process id; None when it is gone or the id belongs to something else by now."""
    try:
        pid = int((settings.state / "artifacts.pid").read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(settings.artifacts).encode() in command else None


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_answering(address: str, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(address, port, timeout=1.0)
        with suppress(OSError, http.client.HTTPException):
            connection.request("HEAD", "/")
            connection.getresponse()
            return
        time.sleep(0.05)
    raise LabError(f"artefact server at {address}:{port}: no answer after {START_SECONDS:.0f} s")
