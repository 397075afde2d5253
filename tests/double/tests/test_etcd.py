# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The etcd store with TLS client certificates, against a real etcd."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import witness
from loopback import Host, eventually, free_ports
from teleport_double.backend.base import BackendError
from teleport_double.backend.etcd import EtcdBackend

NewHost = Callable[..., Host]
AUTH = ("auth",)


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificates(folder: Path) -> None:
    """A CA, a server and a client certificate."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(folder, "req", "-x509", *key, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(folder, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "san"]
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """``storage:`` of a real etcd that wants client certificates."""
    if not shutil.which("etcd"):
        pytest.fail("etcd not found; install the package etcd-server")
    folder = tmp_path_factory.mktemp("etcd")
    certificates(folder)
    client, peer = free_ports(2)
    url, peer_url = f"https://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    command = ["etcd", "--data-dir", "data", "--listen-client-urls", url, "--advertise-client-urls", url]
    command += ["--listen-peer-urls", peer_url, "--initial-advertise-peer-urls", peer_url]
    command += ["--initial-cluster", f"default={peer_url}", "--client-cert-auth", "--trusted-ca-file", "ca.pem"]
    command += ["--cert-file", "server.pem", "--key-file", "server.key"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    storage = {"type": "etcd", "peers": [url], "tls_ca_file": str(folder / "ca.pem")}
    storage.update({"tls_cert_file": str(folder / "client.pem"), "tls_key_file": str(folder / "client.key")})
    assert eventually(lambda: answers(storage), 20)
    yield storage
    process.terminate()
    process.wait()


def answers(storage: dict[str, Any]) -> bool:
    """True when this etcd serves."""
    try:
        stored(storage, "/probe", "/x")
    except BackendError:
        return False
    return True


def stored(storage: dict[str, Any], prefix: str, key: str) -> bool:
    """True when etcd has this key."""
    with contextlib.closing(EtcdBackend(storage, prefix)) as store:
        return store.get(key) is not None


def test_every_operation(etcd: dict[str, Any]) -> None:
    store = EtcdBackend(etcd, "/operations")
    store.put("/a/one", "1")
    store.put("/a/two", "2", time.time() + 60)
    store.put("/a/gone", "3", time.time() - 1)
    store.put("/b/other", "4")
    assert [(item.key, item.value) for item in store.scan("/a/")] == [("/a/one", "1"), ("/a/two", "2")]
    assert store.get("/a/gone") is None
    assert (store.swap("/a/one", "1", "5"), store.swap("/a/one", "1", "6")) == (True, False)
    assert (store.delete("/a/one"), store.delete("/a/one")) == (True, False)
    store.close()


def test_without_a_certificate_nothing_is_read(etcd: dict[str, Any]) -> None:
    with pytest.raises(BackendError):
        stored({key: etcd[key] for key in ("type", "peers", "tls_ca_file")}, "/x", "/x")


def test_the_prefix_counts_from_4_3_on(new_host: NewHost, etcd: dict[str, Any]) -> None:
    storage = {**etcd, "prefix": "/cluster-one/"}
    host = new_host(services=AUTH, storage=storage).start("4.2.12")
    host.tctl("users", "add", "ann", "root")
    pins = host.pins()
    assert stored(etcd, "/teleport", "/web/users/ann/params")
    host.upgrade("4.3.10")
    assert stored(etcd, "/cluster-one/", "/web/users/ann/params")
    assert (host.names("users"), host.pins()) == (["ann"], pins)


def test_two_lines_alive_on_one_etcd_are_an_overlap(new_host: NewHost, etcd: dict[str, Any]) -> None:
    storage = {**etcd, "prefix": "/overlap"}
    old = new_host("a1", services=AUTH, storage=storage).start("7.3.21")
    new = new_host("a2", services=AUTH, storage=storage).start("7.3.21")
    assert old.pins() == new.pins()
    assert old.names("auth") == new.names("auth")
    assert len(old.names("auth")) == 2
    new.upgrade("8.3.12")
    assert eventually(lambda: old.witnessed("auth_alive"))
    old.stop()
    new.stop()
    report = witness.judge(witness.read([old.witness, new.witness]))
    assert [clash["lines_differ"] for clash in report.overlaps] == [True]
    assert {auth["version"] for auth in report.overlaps[0]["auths"]} == {"7.3.21", "8.3.12"}


def test_a_shrunk_group_upgrades_cleanly(new_host: NewHost, etcd: dict[str, Any]) -> None:
    storage = {**etcd, "prefix": "/shrunk"}
    first = new_host("a1", services=AUTH, storage=storage).start("8.3.17")
    second = new_host("a2", services=AUTH, storage=storage).start("8.3.17")
    first.tctl("users", "add", "ann", "--roles=access")
    second.stop()
    first.upgrade("9.3.13")
    second.start("9.3.13")
    assert second.names("users") == ["ann"]
    report = witness.judge(witness.read([first.witness, second.witness]))
    assert report.violations == {}
    assert len(report.outages) == 1
