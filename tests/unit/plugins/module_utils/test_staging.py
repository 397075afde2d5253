# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing releases ahead of an upgrade: what is fetched, what is continued, what is refused, what stays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Dict, List

import pytest
from ansible.module_utils.urls import open_url

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, installation, ways
from ansible_collections.lockstep.teleport.plugins.module_utils.artifact import PARTIAL
from ansible_collections.lockstep.teleport.plugins.module_utils.host import HostError
from ansible_collections.lockstep.teleport.plugins.modules.instance_stage import orders_of, stage
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils import test_upgrade
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.fake_host import FakeHost
from ansible_collections.lockstep.teleport.tests.unit.plugins.module_utils.test_upgrade import (
    NEW,
    NEWER,
    make_order,
    tarball,
)

fake = test_upgrade.fake
_no_waiting_for_disks = test_upgrade._no_waiting_for_disks


class Handler(BaseHTTPRequestHandler):
    """Serves a folder, from the byte that is asked for; keeps what it was asked in ``server.asked``."""

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, with_body: bool) -> None:
        server: Any = self.server
        content = (server.folder / self.path[1:]).read_bytes()
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if server.continues else 0
        server.asked.append((self.command, self.path[1:], begin))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        if with_body:
            cut = server.cut_at.pop(self.path[1:], None)
            self.wfile.write(content[begin:cut])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Keep quiet."""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Any]:
    """A mirror with NEW and NEWER; ``cut_at`` says after how many bytes it breaks off, once, by file name."""
    yield from serve(tmp_path / "mirror")


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Any]:
    """Another one, on a host of the site."""
    yield from serve(tmp_path / "seed")


def serve(folder: Path) -> Iterator[Any]:
    """Serve NEW and NEWER from a new folder."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folder = folder
    server.folder.mkdir()
    server.asked, server.cut_at, server.continues = [], {}, True
    for version in (NEW, NEWER):
        path = tarball(server.folder, version)
        Path(f"{path}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def run(fake: FakeHost, url: str, versions: List[str], check_mode: bool = False, **changes: Any) -> Dict[str, Any]:
    """Stage *versions* on the host as the module does."""
    parameters = {
        "instance": {**make_order(fake, NEW).instance},
        "versions": versions,
        "artifact_url": url,
        "edition": None,
        "checksum": None,
        "versions_dir": str(fake.versions_dir),
        "artifact_file": None,
        "artifact_size": 0,
        **changes,
    }
    return stage(fake.host, orders_of(parameters), open_url, int(changes.get("rate", 0)), check_mode)


def on_host(fake: FakeHost) -> List[str]:
    """Names of what lies in the versions folder, the lock aside."""
    return sorted(name for name in os.listdir(fake.versions_dir) if name != ".lock")


def fetches(mirror: Any) -> List[Any]:
    """Which tarballs were fetched, and from which byte on."""
    return [(name, begin) for method, name, begin in mirror.asked if method == "GET" and name.endswith(".gz")]


def test_the_whole_path_is_brought_and_nothing_that_runs_is_touched(fake: FakeHost, mirror: Any) -> None:
    result = run(fake, mirror.url, [NEW, NEWER])
    assert (result["changed"], result["brought"], result["present"]) == (True, [NEW, NEWER], [NEW, NEWER])
    size = sum(path.stat().st_size for path in mirror.folder.glob("*.gz"))
    assert result["fetched_bytes"] == size
    assert on_host(fake) == [NEW, NEWER]
    assert [line for line in fake.log if "systemctl" in line] == []


def test_a_second_run_fetches_nothing(fake: FakeHost, mirror: Any) -> None:
    run(fake, mirror.url, [NEW])
    mirror.asked.clear()
    result = run(fake, mirror.url, [NEW])
    assert (result["changed"], result["fetched_bytes"], mirror.asked) == (False, 0, [])


def test_what_was_damaged_is_brought_anew(fake: FakeHost, mirror: Any) -> None:
    run(fake, mirror.url, [NEW])
    path = fake.versions_dir / NEW / "tctl"
    content = path.read_bytes()
    path.write_bytes(b"x" * len(content))
    assert run(fake, mirror.url, [NEW])["brought"] == [NEW]
    assert path.read_bytes() == content


def test_check_mode_tells_what_would_be_brought(fake: FakeHost, mirror: Any) -> None:
    result = run(fake, mirror.url, [NEW, NEWER], check_mode=True)
    assert (result["changed"], result["brought"], result["present"]) == (True, [NEW, NEWER], [])
    assert not fake.versions_dir.exists()
    assert fetches(mirror) == []


def test_a_fetch_that_broke_off_is_continued(fake: FakeHost, mirror: Any) -> None:
    name = f"teleport-v{NEW}-linux-amd64-bin.tar.gz"
    size = (mirror.folder / name).stat().st_size
    mirror.cut_at[name] = 100
    with pytest.raises(HostError, match="connection broke"):
        run(fake, mirror.url, [NEW])
    assert on_host(fake) == [PARTIAL + name]
    mirror.asked.clear()
    assert run(fake, mirror.url, [NEW])["fetched_bytes"] == size - 100
    assert fetches(mirror) == [(name, 100)]
    assert on_host(fake) == [NEW]


def test_a_server_that_cannot_continue_sends_all(fake: FakeHost, mirror: Any) -> None:
    name = f"teleport-v{NEW}-linux-amd64-bin.tar.gz"
    fake.versions_dir.mkdir()
    (fake.versions_dir / (PARTIAL + name)).write_bytes((mirror.folder / name).read_bytes()[:100])
    mirror.continues = False
    assert run(fake, mirror.url, [NEW])["fetched_bytes"] == (mirror.folder / name).stat().st_size


def test_a_beginning_of_something_else_does_not_stay(fake: FakeHost, mirror: Any) -> None:
    name = f"teleport-v{NEW}-linux-amd64-bin.tar.gz"
    fake.versions_dir.mkdir()
    (fake.versions_dir / (PARTIAL + name)).write_bytes(b"x" * 100)
    with pytest.raises(HostError, match="SHA-256"):
        run(fake, mirror.url, [NEW])
    assert on_host(fake) == []
    assert run(fake, mirror.url, [NEW])["brought"] == [NEW]


def test_beginnings_of_what_nobody_wants_any_more_are_removed(fake: FakeHost, mirror: Any) -> None:
    fake.versions_dir.mkdir()
    (fake.versions_dir / f"{PARTIAL}teleport-v6.0.0-linux-amd64-bin.tar.gz").write_bytes(b"x")
    run(fake, mirror.url, [NEW])
    assert on_host(fake) == [NEW]


def test_room_is_needed_for_the_whole_path(fake: FakeHost, mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [path.stat().st_size for path in mirror.folder.glob("*.gz")]
    monkeypatch.setattr(durable, "free_bytes", lambda _path: (64 << 20) + 4 * max(sizes))
    assert run(fake, mirror.url, [NEW], check_mode=True)["brought"] == [NEW]
    with pytest.raises(HostError, match="are free.*are needed"):
        run(fake, mirror.url, [NEW, NEWER])
    assert not fake.versions_dir.exists()


def test_the_rate_is_kept(fake: FakeHost, mirror: Any) -> None:
    before = fake.now
    fetched = run(fake, mirror.url, [NEW], rate=10)["fetched_bytes"]
    assert fake.now - before == pytest.approx(fetched / 10, abs=1)


def test_a_later_release_outlives_the_upgrade_to_an_earlier_one(fake: FakeHost, mirror: Any) -> None:
    run(fake, mirror.url, [NEW, NEWER])
    test_upgrade.run(fake, make_order(fake, NEW, keep=1))
    assert installation.kept_versions(make_order(fake).layout) == ["5.2.5", NEW, NEWER]


class Package:
    """A package in a repository, as far as staging asks."""

    def __init__(self) -> None:
        self.log: List[str] = []

    def is_present(self) -> bool:
        return "staged" in self.log

    def check_available(self, _extra_bytes: int) -> None:
        self.log.append("checked")

    def stage(self) -> bool:
        self.log.append("staged")
        return True


def test_packages_are_fetched_from_their_repository(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Package()
    monkeypatch.setattr(ways, "choose", lambda *_arguments: package)
    fake.packages.add(str(fake.bin_dir / "teleport"))
    assert run(fake, "", [NEW], check_mode=True)["brought"] == [NEW]
    result = run(fake, "", [NEW])
    assert (result["changed"], result["brought"], result["present"]) == (True, [NEW], [NEW])
    assert run(fake, "", [NEW])["changed"] is False
    assert package.log == ["checked", "checked", "staged"]


def test_artefacts_of_the_controller_are_asked_for(fake: FakeHost) -> None:
    result = run(fake, "/srv/teleport", [NEW, NEWER])
    assert (result["changed"], result["required"]) == (False, [NEW, NEWER])
    source = tarball(fake.root, NEW)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    brought = run(fake, "/srv/teleport", [NEW], artifact_file=str(source), checksum=digest)
    assert (brought["changed"], brought["brought"], brought["fetched_bytes"]) == (True, [NEW], 0)


def test_no_version_is_nothing_to_do(fake: FakeHost) -> None:
    assert run(fake, "/srv/teleport", [])["changed"] is False


def test_a_seed_gives_the_tarball_and_the_publisher_its_digest(fake: FakeHost, mirror: Any, seed: Any) -> None:
    name = next(path.name for path in mirror.folder.glob(f"*{NEW}*.gz"))
    (seed.folder / name).write_bytes((mirror.folder / name).read_bytes())
    result = run(fake, mirror.url, [NEW], tarball_url=seed.url)
    assert result["brought"] == [NEW]
    assert {asked for _method, asked, _begin in mirror.asked if asked.endswith(".gz")} <= {name}
    assert fetches(mirror) == []
    assert fetches(seed) == [(name, 0)]
    assert not any(asked.endswith(".sha256") for _method, asked, _begin in seed.asked)


def test_a_seed_is_not_believed(fake: FakeHost, mirror: Any, seed: Any) -> None:
    path = next(seed.folder.glob(f"*{NEW}*.gz"))
    path.write_bytes(path.read_bytes() + b"more")
    Path(f"{path}.sha256").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    with pytest.raises(HostError, match="the SHA-256 is .*wanted is"):
        run(fake, mirror.url, [NEW], tarball_url=seed.url)
    assert on_host(fake) == []


def test_with_pins_nobody_but_the_seed_is_asked(fake: FakeHost, mirror: Any, seed: Any) -> None:
    path = next(seed.folder.glob(f"*{NEW}*.gz"))
    pins = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    changes = {"tarball_url": seed.url, "artifact_size": path.stat().st_size, "checksums": pins}
    assert run(fake, mirror.url, [NEW], **changes)["brought"] == [NEW]
    assert mirror.asked == []


def test_a_dry_run_asks_for_digests_and_not_the_seed(fake: FakeHost, mirror: Any, seed: Any) -> None:
    seed.server_close()
    changes = {"tarball_url": seed.url, "artifact_size": 1000}
    assert run(fake, mirror.url, [NEW], check_mode=True, **changes)["brought"] == [NEW]
    assert [(method, name[-7:]) for method, name, _begin in mirror.asked] == [("GET", ".sha256")]


def test_a_seed_has_a_url(fake: FakeHost, mirror: Any) -> None:
    with pytest.raises(HostError, match="tarball_url 'agent1' is no http"):
        run(fake, mirror.url, [NEW], tarball_url="agent1")
