# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an etcd lets a client in: certificates, passwords, and what is said when it does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.base import BackupError
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import EtcdClient, KeyValue
from ansible_collections.lockstep.teleport.tests.backends.conftest import Etcd

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def tls_etcd(tmp_path_factory: pytest.TempPathFactory, certificates: dict[str, Path]) -> Iterator[Etcd]:
    server = Etcd(tmp_path_factory.mktemp("etcd"), certificates)
    server.start()
    yield server
    server.stop()


def test_a_client_without_a_certificate_is_told_what_to_check(tls_etcd: Etcd) -> None:
    with (
        closing(tls_etcd.client(cert_file=None, key_file=None)) as client,
        pytest.raises(BackupError, match=r"TLS files"),
    ):
        client.count(b"a", b"b")


def test_a_server_of_another_ca_is_not_trusted(tls_etcd: Etcd) -> None:
    with (
        closing(tls_etcd.client(ca_file=None)) as client,
        pytest.raises(BackupError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"),
    ):
        client.count(b"a", b"b")


def test_missing_tls_files_are_named(tls_etcd: Etcd) -> None:
    with (
        closing(tls_etcd.client(ca_file="/nowhere/ca.crt")) as client,
        pytest.raises(BackupError, match=r"/nowhere/ca.crt"),
    ):
        client.count(b"a", b"b")


def test_a_server_certificate_the_gateway_cannot_use_is_explained(
    tmp_path: Path, certificates: dict[str, Path]
) -> None:
    server = Etcd(tmp_path, certificates, server="narrow")
    server.start(wait=False)
    try:
        with closing(server.client()) as client, pytest.raises(BackupError, match=r"clientAuth too"):
            _until_it_listens(client)
    finally:
        server.stop()


def _until_it_listens(client: EtcdClient) -> None:
    for _attempt in range(100):
        try:
            client.count(b"a", b"b")
        except BackupError as error:
            if "refused" not in str(error):
                raise
        time.sleep(0.1)


@pytest.fixture(scope="module")
def locked_etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    home = tmp_path_factory.mktemp("etcd")
    server = Etcd(home)
    server.start()
    with closing(server.client()) as client:
        client.put([KeyValue(b"/teleport/a", b"1", 0)])
        client.call("auth/user/add", {"name": "root", "password": PASSWORD})
        client.call("auth/user/grant", {"user": "root", "role": "root"})
        client.call("auth/enable", {})
    (home / "password").write_text(f"{PASSWORD}\n")
    server.storage.update(username="root", password_file=str(home / "password"))
    yield server
    server.stop()


def test_a_login_with_a_password_file(locked_etcd: Etcd) -> None:
    login = {key: locked_etcd.storage[key] for key in ("username", "password_file")}
    with closing(locked_etcd.client(**login)) as client:
        assert client.count(b"/teleport/", b"/teleport0") == 1
        client._token = "stale.1"
        assert client.count(b"/teleport/", b"/teleport0") == 1


def test_no_login_is_explained(locked_etcd: Etcd) -> None:
    with closing(locked_etcd.client()) as client, pytest.raises(BackupError, match=r"username and password_file"):
        client.count(b"a", b"b")


def test_a_wrong_password_is_refused_without_showing_it(locked_etcd: Etcd, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("battery staple")
    login = {"username": "root", "password_file": str(tmp_path / "wrong")}
    with (
        closing(locked_etcd.client(**login)) as client,
        pytest.raises(BackupError, match=r"refuses the login of 'root'") as caught,
    ):
        client.count(b"a", b"b")
    assert "battery" not in str(caught.value)
