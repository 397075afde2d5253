# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DynamoDB store, against moto's server."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from loopback import Host, eventually, free_ports
from teleport_double.backend.base import BackendError
from teleport_double.backend.dynamodb import DynamoBackend

NewHost = Callable[..., Host]
STORAGE = {"type": "dynamodb", "table_name": "teleport.state", "region": "eu-central-1"}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", url.rpartition(":")[2]]
    with (tmp_path_factory.mktemp("moto") / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    assert eventually(lambda: answers(url), 60)
    yield url
    process.kill()
    process.wait()


@pytest.fixture
def endpoint(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty moto that every process of a test is told of."""
    with urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST"), timeout=10):
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    return moto


def answers(url: str) -> bool:
    """True when moto serves."""
    try:
        with urllib.request.urlopen(f"{url}/moto-api/", timeout=1):
            return True
    except OSError:
        return False


@pytest.mark.usefixtures("endpoint")
def test_every_operation() -> None:
    store = DynamoBackend(STORAGE)
    store.put("/a/one", "1")
    store.put("/a/two", "2", time.time() + 60)
    store.put("/a/gone", "3", time.time() - 1)
    store.put("/b/other", "4")
    assert [(item.key, item.value) for item in store.scan("/a/")] == [("/a/one", "1"), ("/a/two", "2")]
    assert store.get("/a/gone") is None
    assert (store.swap("/a/one", "1", "5"), store.swap("/a/one", "1", "6")) == (True, False)
    assert (store.delete("/a/one"), store.delete("/a/one")) == (True, False)
    store.close()


def test_without_an_endpoint_nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(BackendError, match="AWS_ENDPOINT_URL is not set"):
        DynamoBackend(STORAGE)


@pytest.mark.usefixtures("endpoint")
def test_a_group_shares_its_table(new_host: NewHost) -> None:
    first = new_host("a1", services=("auth",), storage=STORAGE).start("8.3.17")
    first.tctl("users", "add", "ann", "--roles=access")
    first.stop()
    first.upgrade("9.3.13")
    second = new_host("a2", services=("auth",), storage=STORAGE).start("9.3.13")
    assert second.names("users") == ["ann"]
