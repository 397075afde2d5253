# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages: apt fetches and verifies, dpkg installs."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import glob
import os
import re
from typing import Iterator, List, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import durable, package_tool
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Completed, Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tool import Offer, PackageTool, Repository

#: Nothing but the one source counts, what is not signed does not count, and nothing is written outside the scratch.
_OPTIONS = (
    "Dir::Etc::SourceParts=/dev/null",
    "Acquire::Languages=none",
    "Acquire::Retries=2",
    "Acquire::http::Timeout=30",
    "Acquire::AllowInsecureRepositories=false",
    "Acquire::AllowWeakRepositories=false",
    "Acquire::AllowDowngradeToInsecureRepositories=false",
    "APT::Get::AllowUnauthenticated=false",
    # Else a server that does not answer is a warning.
    "APT::Update::Error-Mode=any",
)
_RECORD_RE = re.compile(r"^(Package|Version|Size): (.+)$", re.MULTILINE)
_ARCHIVES = "/var/cache/apt/archives"
_FRONTEND_LOCK = "/var/lib/dpkg/lock-frontend"
#: dpkg's own way of saying that the one that runs it has the lock.
_HAVE_LOCK = {"DPKG_FRONTEND_LOCKED": "true", "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}


class Apt(PackageTool):
    """Debian, Ubuntu and their kin."""

    name = "apt"
    places = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources")

    def __init__(self, host: Host, archives: str = _ARCHIVES, lock: str = _FRONTEND_LOCK) -> None:
        """Take the host, and where apt and dpkg keep packages and lock."""
        super().__init__(host)
        self._archives = archives
        self._lock = lock

    def owner(self, path: str) -> Optional[str]:
        """See `PackageTool`."""
        done = self.host.run(["dpkg-query", "--search", path])
        return done.output.split(":", 1)[0].split(",")[0] if done.status == 0 and ":" in done.output else None

    def installed(self, name: str) -> Optional[str]:
        """See `PackageTool`."""
        state = self._state(name)
        return state[2] if len(state) > 2 and state[1] == "installed" else None  # noqa: PLR2004 - want, status, version

    def is_held(self, name: str) -> bool:
        """See `PackageTool`."""
        return self._state(name)[:1] == ["hold"]

    def _state(self, name: str) -> List[str]:
        """What is wanted of a package, how it is, and its version."""
        wanted = "--showformat=${db:Status-Want} ${db:Status-Status} ${Version}\n"
        done = self.host.run(["dpkg-query", "--show", wanted, name])
        return done.output.split() if done.status == 0 else []

    def set_held(self, name: str, held: bool) -> None:
        """See `PackageTool`."""
        if self.is_held(name) == held:
            return
        selection = f"{name} {'hold' if held else 'install'}\n"
        self.demand(self._dpkg(["--set-selections"], data=selection), f"dpkg --set-selections for {name}")

    def repository(self, source: Source, scratch: str) -> Repository:
        """See `PackageTool`."""
        return AptRepository(self, source, scratch)

    def cached(self, name: str, version: str) -> Optional[str]:
        """See `PackageTool`."""
        found = sorted(glob.glob(os.path.join(glob.escape(self._archives), f"{name}_*.deb")))
        return next((path for path in found if self._is_of(path, name, version)), None)

    def _is_of(self, path: str, name: str, version: str) -> bool:
        done = self.host.run(["dpkg-deb", "--show", "--showformat=${Package} ${Version}", path])
        words = done.output.split()
        return done.status == 0 and words[:1] == [name] and package_tool.release_of(words[-1]) == version

    def unpack(self, path: str, folder: str) -> None:
        """See `PackageTool`."""
        done = self.host.run(["dpkg-deb", "--extract", path, folder], seconds=package_tool.INSTALL_SECONDS)
        self.demand(done, f"dpkg-deb --extract {path}")

    def install(self, path: str) -> None:
        """See `PackageTool`."""
        done = self._dpkg(["--force-confold", "--force-confdef", "--install", path])
        self.demand(done, f"dpkg --install {path}")

    def _dpkg(self, arguments: List[str], **more: str) -> Completed:
        host = dataclasses.replace(self.host, environment={**self.host.environment, **_HAVE_LOCK})
        return host.run(["dpkg", *arguments], seconds=package_tool.INSTALL_SECONDS, **more)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """See `PackageTool`. An unattended upgrade must neither be cut short nor come between stop and start."""
        with open(self._lock, "ab") as handle:

            def is_ours() -> bool:
                try:
                    fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True

            if not self.host.wait_until(is_ours, package_tool.LOCK_SECONDS, 1.0):
                raise HostError(
                    f"another package manager has been at work for {package_tool.LOCK_SECONDS:g} s ({self._lock} is "
                    "locked). Nothing was stopped. Wait until it has ended and run again."
                )
            yield


class AptRepository(Repository):
    """One entry of apt's sources, with lists and caches of its own."""

    def __init__(self, tool: Apt, source: Source, scratch: str) -> None:
        """Take the entry and an empty folder."""
        self._tool = tool
        self._source = source
        self._scratch = scratch
        self._fresh = False

    def offers(self, name: str) -> Tuple[Offer, ...]:
        """See `Repository`."""
        self._refresh()
        done = self._run("apt-cache", ["show", "--all-versions", name])
        records = (dict(_RECORD_RE.findall(record)) for record in done.output.split("\n\n"))
        known = [record for record in records if record.get("Package") == name and {"Version", "Size"} <= set(record)]
        return tuple(Offer(name, record["Version"].strip(), package_tool.size_of(record["Size"])) for record in known)

    def fetch(self, offer: Offer, folder: str) -> str:
        """See `Repository`."""
        self._refresh()
        what = f"fetching {offer.name} {offer.version} from {self._source.channel}"
        done = self._run(
            "apt-get", ["download", f"{offer.name}={offer.version}"], package_tool.FETCH_SECONDS, cwd=folder
        )
        self._tool.demand(done, what)
        return package_tool.only_file(folder, ".deb", what)

    def _refresh(self) -> None:
        if self._fresh:
            return
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self._scratch, name))
        # apt checks as a user of its own, who has to get into the folder; what is secret in the entry stays with root.
        durable.write_file(self._list, self._source.alone.encode())
        done = self._run("apt-get", ["update"])
        self._tool.demand(done, f"apt-get update of {self._source.channel} in {self._source.path}")
        self._fresh = True

    @property
    def _list(self) -> str:
        return os.path.join(self._scratch, "only" + os.path.splitext(self._source.path)[1])

    def _run(
        self, program: str, arguments: List[str], seconds: float = package_tool.ASK_SECONDS, **more: str
    ) -> Completed:
        own = (
            f"Dir::Etc::SourceList={self._list}",
            f"Dir::State::Lists={self._scratch}/lists",
            f"Dir::Cache={self._scratch}/cache",
            *_OPTIONS,
        )
        options = [word for option in own for word in ("-o", option)]
        return self._tool.host.run([program, *options, *arguments], seconds=seconds, **more)
