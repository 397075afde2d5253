# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real etcd on free loopback ports, with or without TLS and client certificates."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import Access, EtcdClient
from ansible_collections.lockstep.teleport.plugins.module_utils.backup_cipher import Cipher, Encryption
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host
from ansible_collections.lockstep.teleport.tests.backends.postgres import Postgres

_READY_SECONDS = 30.0
_CERTIFICATE = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical, CA:true
keyUsage = keyCertSign
[leaf]
subjectAltName = IP:127.0.0.1, DNS:localhost
extendedKeyUsage = {usage}
"""


def free_port() -> int:
    """Return a port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Etcd:
    """One etcd process with its own data directory, and what a Teleport would write about it in its configuration."""

    def __init__(self, home: Path, certificates: dict[str, Path] | None = None, server: str = "server") -> None:
        scheme = "https" if certificates else "http"
        self.url = f"{scheme}://127.0.0.1:{free_port()}"
        peer = f"http://127.0.0.1:{free_port()}"
        self._command = [
            "etcd", "--data-dir", str(home / "etcd"), "--log-level", "error",
            "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
        ]  # fmt: skip
        self.storage: dict[str, Any] = {"type": "etcd", "peers": [self.url], "prefix": "/teleport"}
        if certificates:
            self._command += [
                "--cert-file", str(certificates[f"{server}.crt"]), "--key-file", str(certificates[f"{server}.key"]),
                "--client-cert-auth", "--trusted-ca-file", str(certificates["ca.crt"]),
            ]  # fmt: skip
            self.storage.update(
                tls_ca_file=str(certificates["ca.crt"]),
                tls_cert_file=str(certificates["client.crt"]),
                tls_key_file=str(certificates["client.key"]),
            )
        self._log = home / "etcd.log"
        #: What it keeps its keys in: a file of Bolt.
        self.database = home / "etcd" / "member" / "snap" / "db"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        """Start the process and, if asked, wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_SECONDS
        while wait and not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"etcd does not start: {self._log.read_text()}")
            time.sleep(0.1)

    def stop(self, committed: bool = False) -> None:
        """End the process; when its file is to be *committed*, it has to end by itself."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM if committed else signal.SIGKILL)
            self._process.wait(_READY_SECONDS)

    def client(self, **changes: Any) -> EtcdClient:
        """Return a client with the rights of the configuration."""
        access = {
            "peers": self.storage["peers"],
            "ca_file": self.storage.get("tls_ca_file"),
            "cert_file": self.storage.get("tls_cert_file"),
            "key_file": self.storage.get("tls_key_file"),
            **changes,
        }
        return EtcdClient(Access(**access), sleep=lambda _seconds: None)

    def _answers(self) -> bool:
        client = self.client()
        try:
            return client.count(b"a", b"b") >= 0
        except BackupError:
            return False
        finally:
            client.close()


def make_certificates(home: Path) -> dict[str, Path]:
    """Make a CA, a server certificate for both sides, one for the server side only, and a client's."""
    paths: dict[str, Path] = {}
    home.mkdir()
    for name, usage in (
        ("ca", "serverAuth"),
        ("server", "serverAuth, clientAuth"),
        ("narrow", "serverAuth"),
        ("client", "clientAuth"),
    ):
        settings = home / f"{name}.cnf"
        settings.write_text(_CERTIFICATE.format(name=name, usage=usage))
        paths[f"{name}.crt"], paths[f"{name}.key"] = home / f"{name}.crt", home / f"{name}.key"
        new = ["openssl", "req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-config", str(settings), "-keyout", str(paths[f"{name}.key"])]  # fmt: skip
        if name == "ca":
            _run([*new, "-x509", "-days", "2", "-extensions", "ca", "-out", str(paths["ca.crt"])])
            continue
        request = home / f"{name}.csr"
        _run([*new, "-out", str(request)])
        _run(["openssl", "x509", "-req", "-days", "2", "-in", str(request), "-CA", str(paths["ca.crt"]),
              "-CAkey", str(paths["ca.key"]), "-CAcreateserial", "-extfile", str(settings), "-extensions", "leaf",
              "-out", str(paths[f"{name}.crt"])])  # fmt: skip
    return paths


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="session", autouse=True)
def _programs() -> None:
    missing = [name for name in ("etcd", "openssl", "age", "gpg") if shutil.which(name) is None]
    if missing:
        pytest.fail(f"{', '.join(missing)} not found; install the packages etcd-server, openssl, age and gnupg")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Certificates for all tests of a run."""
    return make_certificates(tmp_path_factory.mktemp("tls") / "made")


@pytest.fixture(scope="module", params=["plain", "tls"])
def etcd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificates: dict[str, Path]
) -> Any:
    """A running etcd, emptied by the test that needs it so."""
    server = Etcd(tmp_path_factory.mktemp("etcd"), certificates if request.param == "tls" else None)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plain_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A running etcd without TLS, for tests that are not about how to reach it."""
    server = Etcd(tmp_path_factory.mktemp("etcd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def server(certificates: dict[str, Path]) -> Iterator[Postgres]:
    """A running PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="lockstep-postgres-") as home:
        running = Postgres(Path(home), free_port(), certificates)
        running.start()
        yield running
        running.stop()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: a process that is killed loses nothing that the kernel has."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def host() -> Host:
    """This machine."""
    return Host()


@pytest.fixture(scope="session")
def age(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Cipher:
    """An age with a key pair."""
    identity = tmp_path_factory.mktemp("age") / "identity.txt"
    _run(["age-keygen", "-o", str(identity)])
    recipient = subprocess.run(["age-keygen", "-y", str(identity)], check=True, capture_output=True, text=True).stdout
    return Cipher(host, Encryption("age", (recipient.strip(),), identity_file=str(identity)))


@pytest.fixture(scope="session")
def gnupg(host: Host) -> Iterator[Cipher]:
    """A GnuPG with a key pair."""
    # The agent's socket lies in it, and its path must stay below 108 characters.
    with tempfile.TemporaryDirectory(prefix="gpg") as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet"]
        kind = ["backup@example.com", "future-default", "default", "never"]
        _run([*gpg, "--passphrase", "", "--quick-generate-key", *kind])
        listed = subprocess.run([*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True)
        fingerprint, *_subkeys = (line.split(":")[9] for line in listed.stdout.splitlines() if line.startswith("fpr"))
        yield Cipher(host, Encryption("gnupg", (fingerprint,), home=home))
        _run(["gpgconf", "--homedir", home, "--kill", "all"])
