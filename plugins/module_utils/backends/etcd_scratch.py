# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away etcd of our own, to restore into where the cluster's must not be touched."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
from typing import Iterator, List, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import Access, EtcdClient
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host

_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0

#: Larger than any store that etcd advises to have (https://etcd.io/docs/v3.5/dev-guide/limit/).
_QUOTA_BYTES = 8 << 30


def program() -> Optional[str]:
    """Return the path of etcd on this host, ``None`` when there is none."""
    return shutil.which("etcd")


@contextlib.contextmanager
def scratch_etcd(folder: str, host: Host) -> Iterator[EtcdClient]:
    """Run an etcd with its data in *folder* on free ports of the loopback, for as long as the block runs.

    It is a cluster of one with a name of its own and knows no other member. Raises :class:`BackupError`.
    """
    url, peer = (f"http://127.0.0.1:{port}" for port in _free_ports(2))
    # fmt: off
    command = [
        program() or "etcd", "--name", "drill", "--data-dir", os.path.join(folder, "etcd"),
        "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peer,
        "--initial-advertise-peer-urls", peer, "--initial-cluster", f"drill={peer}",
        "--initial-cluster-token", "lockstep-drill", "--quota-backend-bytes", str(_QUOTA_BYTES),
    ]
    # fmt: on
    log = os.path.join(folder, "etcd.log")
    pid = _start(command, log, host)
    # Settings of the cluster's own etcd, such as ETCD_DATA_DIR, are not ours: see _start.
    client = EtcdClient(Access(peers=[url], timeout=60.0), sleep=lambda _seconds: None)
    try:
        if not host.wait_until(lambda: _answers(client), _READY_SECONDS):
            raise BackupError(f"the scratch etcd does not start: {_last_line(log)}")
        yield client
    finally:
        client.close()
        _stop(pid, host)


def _start(command: List[str], log: str, host: Host) -> int:
    # A shell of its own lets go of it, since run_command waits for the end of what it starts itself.
    words = " ".join(shlex.quote(word) for word in command)
    started = host.run(["/bin/sh", "-c", f'env -i PATH="$PATH" {words} >{shlex.quote(log)} 2>&1 </dev/null & echo $!'])
    if started.status != 0 or not started.output.strip().isdigit():
        raise BackupError(f"the scratch etcd does not start: {started.text}")
    return int(started.output)


def _stop(pid: int, host: Host) -> None:
    with contextlib.suppress(ProcessLookupError):
        host.kill(pid, signal.SIGKILL)
        host.wait_until(lambda: not os.path.exists(os.path.join(host.proc, str(pid))), _STOP_SECONDS)


def _answers(client: EtcdClient) -> bool:
    try:
        return client.count(b"a", b"b") == 0
    except BackupError:
        return False


def _free_ports(number: int) -> List[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _one in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _last_line(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as handle:
        return next((line.strip() for line in reversed(handle.readlines()) if line.strip()), "it said nothing")
