# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RPM packages: dnf or yum fetches, rpm verifies and installs."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from typing import ContextManager, List, Optional, Tuple

from ansible_collections.lockstep.teleport.plugins.module_utils import package_tool
from ansible_collections.lockstep.teleport.plugins.module_utils.host import NOT_FOUND, Completed, Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.package_source import Source
from ansible_collections.lockstep.teleport.plugins.module_utils.package_tool import Offer, PackageTool, Repository

_CACHES = ("/var/cache/dnf/*/packages", "/var/cache/libdnf5/*/packages", "/var/cache/yum/*/*/*/packages")
_LOCKS = ("/etc/dnf/plugins/versionlock.list", "/etc/yum/pluginconf.d/versionlock.list")
_LOCKED_RE = re.compile(r"^(?!\s*[#!])\s*(?:[0-9]+:)?(?P<name>[a-z][a-z-]*?)-(?:[0-9]+:)?[0-9*]", re.MULTILINE)
#: What dnf is asked, and what yum's repoquery is asked.
_QUERY = "%{name} %{version}-%{release} %{downloadsize}\n"
_YUM_QUERY = "%{name} %{version}-%{release} %{packagesize}"
#: What rpm says of a package whose signature it could check; older ones name the digests one by one.
_SIGNED_RE = re.compile(r":.*\b(?:signatures|pgp|gpg)\b.*\bOK\s*$", re.MULTILINE)


#: Name, version and bytes.
_COLUMNS = 3


class Rpm(PackageTool):
    """Red Hat's distributions and their kin."""

    name = "rpm"
    places = ("/etc/yum.repos.d/*.repo",)

    def __init__(self, host: Host, locks: Tuple[str, ...] = _LOCKS, caches: Tuple[str, ...] = _CACHES) -> None:
        """Take the host, the files of the plugin that locks versions, and the folders where packages are kept."""
        super().__init__(host)
        self._locks = locks
        self._caches = caches

    def owner(self, path: str) -> Optional[str]:
        """See `PackageTool`."""
        done = self.host.run(["rpm", "-qf", "--queryformat", "%{NAME}\n", path])
        return done.output.split()[0] if done.status == 0 and done.output.strip() else None

    def installed(self, name: str) -> Optional[str]:
        """See `PackageTool`. Of several, which an upgrade that was killed leaves, none is installed as a whole."""
        done = self.host.run(["rpm", "-q", "--queryformat", "%{VERSION}-%{RELEASE}\n", name])
        found = done.output.split()
        return found[0] if done.status == 0 and len(found) == 1 else None

    def is_held(self, name: str) -> bool:
        """See `PackageTool`. rpm itself knows no hold, and what dnf's plugin keeps is left as it is."""
        return any(name in _LOCKED_RE.findall(text) for text in map(_text, self._locks))

    def set_held(self, name: str, held: bool) -> None:
        """See `PackageTool`. There is nothing to do: a lock of dnf's plugin was neither asked nor changed."""

    def repository(self, source: Source, scratch: str) -> Repository:
        """See `PackageTool`."""
        return RpmRepository(self, source, scratch)

    def cached(self, name: str, version: str) -> Optional[str]:
        """See `PackageTool`."""
        found = sorted(path for folder in self._caches for path in glob.glob(f"{folder}/{name}-{version}-*.rpm"))
        return next((path for path in found if self._is_of(path, name, version)), None)

    def _is_of(self, path: str, name: str, version: str) -> bool:
        done = self.host.run(["rpm", "-qp", "--queryformat", "%{NAME} %{VERSION}-%{RELEASE}\n", path])
        words = done.output.split()
        return done.status == 0 and words[:1] == [name] and package_tool.release_of(words[-1]) == version

    def check_signature(self, path: str) -> None:
        """Let rpm check a package with the keys that were imported on this host.

        :raises HostError: when it is not signed, or by a key that nobody has imported.
        """
        done = self.host.run(["rpm", "--checksig", path], seconds=package_tool.ASK_SECONDS)
        if done.status != 0 or not _SIGNED_RE.search(done.output):
            raise HostError(
                f"{os.path.basename(path)}: its signature is not verified: {done.text[-300:]}. Import the key of the "
                "repository (rpm --import, gpgkey in the .repo file) if it is the right one, and run again."
            )

    def unpack(self, path: str, folder: str) -> None:
        """See `PackageTool`. Into a root of its own, with a database of its own."""
        root = ["--root", folder, "--nodeps", "--noscripts", "--notriggers", "--ignoresize", "--nosignature"]
        done = self.host.run(["rpm", "--install", *root, path], seconds=package_tool.INSTALL_SECONDS)
        self.demand(done, f"unpacking {path}")

    def install(self, path: str) -> None:
        """See `PackageTool`."""
        command = ["rpm", "--upgrade", "--oldpackage", "--replacepkgs", path]
        self.demand(self.host.run(command, seconds=package_tool.INSTALL_SECONDS), f"rpm --upgrade {path}")

    def exclusive(self) -> ContextManager[None]:
        """See `PackageTool`. rpm waits for the end of others by itself, and they for its end."""
        return contextlib.nullcontext()


class RpmRepository(Repository):
    """One section of a ``.repo`` file, asked by dnf, or by yum where there is no dnf."""

    def __init__(self, tool: Rpm, source: Source, scratch: str) -> None:
        """Take the section and an empty folder."""
        self._tool = tool
        self._source = source
        self._scratch = scratch

    def offers(self, name: str) -> Tuple[Offer, ...]:
        """See `Repository`."""
        done = self._run(
            ["repoquery", "--quiet", "--show-duplicates", "--queryformat", _QUERY, name],
            ["repoquery", "--show-duplicates", "--queryformat", _YUM_QUERY, name],
        )
        self._tool.demand(done, f"asking {self._source.channel} of {self._source.path} for {name}")
        rows = [line.split() for line in done.output.splitlines()]
        found = [row for row in rows if len(row) == _COLUMNS and row[0] == name]
        return tuple(Offer(name, row[1], package_tool.size_of(row[2])) for row in reversed(found))

    def fetch(self, offer: Offer, folder: str) -> str:
        """See `Repository`."""
        wanted = f"{offer.name}-{offer.version}"
        what = f"fetching {wanted} from {self._source.channel}"
        done = self._run(
            ["download", "--destdir", folder, wanted],
            ["yumdownloader", "--destdir", folder, wanted],
            package_tool.FETCH_SECONDS,
        )
        self._tool.demand(done, what)
        path = package_tool.only_file(folder, ".rpm", what)
        self._tool.check_signature(path)
        return path

    def _run(self, dnf: List[str], yum: List[str], seconds: float = package_tool.ASK_SECONDS) -> Completed:
        """Run a command of dnf, or the program of yum-utils that does the same."""
        if self._source.is_unsigned:
            raise HostError(f"{self._source.path} turns the check of signatures off. Set gpgcheck=1 and run again.")
        places = os.path.join(self._scratch, "repos")
        os.makedirs(places, mode=0o700, exist_ok=True)
        with open(os.path.join(places, "only.repo"), "w", encoding="utf-8") as target:
            target.write(self._source.alone)
        own = [
            f"--setopt=reposdir={places}",
            f"--setopt=cachedir={self._scratch}/cache",
            "--setopt=timeout=30",
            "--disableexcludes=all",
            "--disableplugin=versionlock,local",
        ]
        done = self._tool.host.run(["dnf", *own, "--assumeyes", *dnf], seconds=seconds)
        if done.status != NOT_FOUND:
            return done
        return self._tool.host.run([yum[0], "-c", _yum_settings(self._scratch), *yum[1:]], seconds=seconds)


def _yum_settings(scratch: str) -> str:
    """Write a yum.conf for programs of yum-utils, which know no ``--setopt``."""
    path = os.path.join(scratch, "yum.conf")
    with open(path, "w", encoding="utf-8") as target:
        target.write(f"[main]\nreposdir={scratch}/repos\ncachedir={scratch}/cache\ntimeout=30\nplugins=0\n")
    return path


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read()
    except OSError:
        return ""
