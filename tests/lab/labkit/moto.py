# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's DynamoDB: a moto server on this machine, and boto3 for the hosts that have to reach it.

Both come from the development environment of ``make setup``, so that the hosts' image needs neither.
"""

from __future__ import annotations

import http.client
import io
import os
import signal
import socket
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path

from .errors import LabError
from .settings import Settings
from .shell import run
from .waiting import wait_until

REGION = "eu-central-1"
TABLE = "teleport.state"
#: Where Debian's python3 looks for modules.
MODULES = "usr/lib/python3/dist-packages"
#: boto3 and all it imports; of AWS' services those that are used.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3")
SINGLE_MODULES = ("six.py",)
SERVICES = ("dynamodb", "application-autoscaling")
START_SECONDS = 60.0


def serve(settings: Settings, address: str) -> str:
    """Start moto for this lab, unless it runs; returns its URL, which its hosts can reach."""
    noted = settings.state / "moto.url"
    if _running(settings) is None:
        port = _free_port(address)
        log = settings.state / "moto.log"
        command = [_python(settings), "-m", "moto.server", "-H", address, "-p", str(port)]
        # By this the process is known to be the one of this lab.
        environment = {**os.environ, "LAB_STATE": str(settings.state)}
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=environment
            )
        (settings.state / "moto.pid").write_text(f"{process.pid}\n", encoding="ascii")
        noted.write_text(f"http://{address}:{port}", encoding="ascii")
        wait_until(lambda: _answers(address, port, "GET", "/moto-api/"), START_SECONDS, f"moto, see {log}")
    return noted.read_text(encoding="ascii")


def empty(settings: Settings) -> None:
    """Forget all tables, if moto runs."""
    if _running(settings) is not None:
        host, _colon, port = (settings.state / "moto.url").read_text(encoding="ascii").rpartition("/")[2].partition(":")
        _answers(host, int(port), "POST", "/moto-api/reset")


def stop(settings: Settings) -> None:
    """Stop moto, if it runs."""
    pid = _running(settings)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    (settings.state / "moto.pid").unlink(missing_ok=True)


def boto3_archive(settings: Settings) -> bytes:
    """boto3 as a tar archive with paths relative to /. Raises LabError when the development environment has none."""
    where = run([_python(settings), "-c", "import boto3; print(boto3.__file__)"], label="boto3 of make setup").stdout
    folder = Path(where.decode().strip()).parent.parent
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in (*PACKAGES, *SINGLE_MODULES):
            archive.add(folder / name, f"{MODULES}/{name}", filter=_wanted)
    return buffer.getvalue()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(entry.name).parts
    if "__pycache__" in parts:
        return None
    data = parts[parts.index("data") + 1 :] if "botocore" in parts and "data" in parts else ()
    # Beside the folders of the services lie a few files that are needed by all.
    foreign = bool(data) and data[0] not in SERVICES and not data[0].endswith((".json", ".gz"))
    entry.uid = entry.gid = 0
    return None if foreign else entry


def _python(settings: Settings) -> str:
    python = settings.cache / "venv" / "dev" / "bin" / "python"
    if not python.exists():
        raise LabError(f"{python}: not there, and a cluster on dynamodb needs its moto and boto3; run `make setup`")
    return str(python)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _answers(host: str, port: int, method: str, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _running(settings: Settings) -> int | None:
    """The server's process id; None when it is gone or the id belongs to something else by now."""
    try:
        pid = int((settings.state / "moto.pid").read_text(encoding="ascii"))
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if f"LAB_STATE={settings.state}".encode() in environment else None
