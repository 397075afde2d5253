# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release tarballs that a host keeps for the others of its site, and serves to them while they are brought ahead.

What is served is public, and whoever fetches it compares it with a digest that came another way, so it is plain HTTP,
by the standard library's own server, as a user without rights, in a unit that ends by itself.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from ansible_collections.lockstep.teleport.plugins.module_utils import artifact, durable, service, trust
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError

UNIT = "lockstep-teleport-share.service"
_NAME_RE = re.compile(
    r"teleport(?:-ent)?-v(?P<version>[0-9A-Za-z.+-]{1,64})-linux-(?P<architecture>[a-z0-9_]{1,32})(?:-fips)?-bin\.tar\.gz"
)
_DIRECTORY = "teleport_stage_seed_dir"
_ANSWER_SECONDS = 15.0
_LOCK = ".lock"
_PATIENCE = 30.0


@dataclass(frozen=True)
class Share:
    """What is to be served, and how.

    :param names: file names of the tarballs.
    :param base_url: where this host fetches them.
    :param checksums: pinned digests, as for `artifact.pinned`.
    :param address: how others reach this host.
    :param seconds: after that time the server ends, whoever forgot it.
    :param rate: bytes per second to fetch at most, on average; 0 for as fast as it goes.
    """

    directory: str
    address: str
    port: int
    names: Sequence[str] = ()
    base_url: str = ""
    checksums: Mapping[str, Any] = field(default_factory=dict)
    seconds: int = 21600
    rate: int = 0

    @property
    def url(self) -> str:
        """Base URL for those who fetch from here."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"

    @property
    def description(self) -> str:
        """What the unit is called: a server that goes by another description serves something else."""
        return f"Teleport artefacts in {self.directory} on port {self.port}"


class Sharing:
    """A share on one host."""

    def __init__(self, host: Host, share: Share, opener: artifact.Opener) -> None:
        """Take what is wanted, and how to fetch from URLs."""
        self._host = host
        self._share = share
        self._opener = opener

    def offers(self) -> Dict[str, artifact.Offer]:
        """Return what each tarball is, by its name, after asking for it where this host fetches.

        :raises HostError: when one cannot be had, or the share cannot be.
        """
        if not artifact.is_url(self._share.base_url):
            raise HostError(
                f"artifact_url is {self._share.base_url!r}; a host that serves others fetches from an http(s) URL. "
                "Name one, or leave this host out of teleport_stage_seeds."
            )
        return {name: self._offer(name) for name in self._share.names}

    def _offer(self, name: str) -> artifact.Offer:
        parts = _NAME_RE.fullmatch(name)
        if parts is None:
            raise HostError(f"{name!r} is no name of a release tarball. Nothing was fetched.")
        try:
            digest = artifact.pinned(self._share.checksums, name, parts["version"], parts["architecture"])
        except ValueError as problem:
            raise HostError(f"{problem}. Nothing was fetched.") from None
        return artifact.find(self._opener, self._share.base_url, name, digest)

    def missing(self, offers: Mapping[str, artifact.Offer]) -> List[str]:
        """Return the names of those that are not here yet, or not whole any more."""
        return [name for name, offer in offers.items() if not self._is_whole(name, offer)]

    def _is_whole(self, name: str, offer: artifact.Offer) -> bool:
        path = self._path(name)
        return os.path.isfile(path) and durable.hash_file(path).sha256 == offer.sha256

    def check_room(self, offers: Mapping[str, artifact.Offer], missing: Sequence[str]) -> None:
        """Make sure that all of *missing* find room together. Raises :class:`HostError` when not."""
        trust.require(self._share.directory, _DIRECTORY)
        begun = [self._path(artifact.PARTIAL + name) for name in missing]
        here = sum(os.path.getsize(path) for path in begun if os.path.exists(path))
        wanted = sum(offers[name].size or artifact.LIKELY_BYTES for name in missing) - here
        problem = durable.shortage(self._share.directory, wanted, _DIRECTORY) if missing else ""
        if problem:
            raise HostError(problem)

    def fetch(self, offers: Mapping[str, artifact.Offer], missing: Sequence[str]) -> int:
        """Fetch *missing* one after the other, remove what is not wanted any more; return the bytes fetched.

        :raises HostError: when one cannot be had. Those before it are here then.
        """
        self.check_room(offers, missing)
        with self._alone():
            self._sweep(offers)
            return sum(self._fetch(name, offers[name]) for name in missing)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep everybody else out of the folder: a run whose connection was lost goes on fetching for a while."""
        try:
            trust.make_folder(self._share.directory, _DIRECTORY)
            with durable.exclusive(self._path(_LOCK), _PATIENCE):
                yield
        except BlockingIOError:
            raise HostError(
                f"{self._share.directory}: another run is still at work there. Wait until it has ended and run again."
            ) from None
        except OSError as problem:
            raise HostError(f"{self._share.directory}: {problem.strerror}. Mend that and run again.") from problem

    def _fetch(self, name: str, offer: artifact.Offer) -> int:
        partial = self._path(artifact.PARTIAL + name)
        most = durable.room(self._share.directory)
        pace = artifact.paced(self._share.rate, self._host.clock, self._host.sleep)
        fetched = artifact.resume(self._opener, offer, partial, most, pace, self._host.clock)
        os.chmod(partial, 0o644)
        os.replace(partial, self._path(name))
        return fetched

    def _sweep(self, wanted: Mapping[str, Any]) -> None:
        for path in self.tarballs():
            if _whole(os.path.basename(path)) not in wanted:
                os.unlink(path)

    def serve(self) -> bool:
        """Make sure that the folder is served; say whether that had to be begun. Raises :class:`HostError`."""
        if self.is_served():
            return False
        self.stop()
        if self._answers():
            raise HostError(
                f"port {self._share.port} is taken by something else. Nothing is served; name another "
                "teleport_stage_seed_port."
            )
        service.reset_failed(self._host, UNIT)
        done = self._host.run(self._command())
        if done.status:
            raise HostError(f"{UNIT} cannot be started: {done.text[:300]}. Nothing is served.")
        if not self._host.wait_until(lambda: self._answers() or not self._is_active(), _ANSWER_SECONDS):
            raise HostError(f"{UNIT} does not answer on port {self._share.port}. Look at journalctl -u {UNIT}.")
        if not self._is_active():
            raise HostError(f"{UNIT} ended at once. Nothing is served. Look at journalctl -u {UNIT}.")
        return True

    def _command(self) -> List[str]:
        share = self._share
        limits = ("User=nobody", "NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectHome=yes", "ProtectSystem=full")
        properties = (*limits, f"WorkingDirectory={share.directory}", f"RuntimeMaxSec={share.seconds}")
        return [
            "systemd-run",
            "--quiet",
            f"--unit={UNIT}",
            f"--description={share.description}",
            *(f"--property={one}" for one in properties),
            *(sys.executable, "-m", "http.server", str(share.port)),
        ]

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._share.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _is_active(self) -> bool:
        return service.show(self._host, UNIT).active

    def is_served(self) -> bool:
        """Whether this very folder is served on this very port now."""
        done = self._host.run(["systemctl", "show", "--property=ActiveState,Description", UNIT])
        return {"ActiveState=active", f"Description={self._share.description}"} <= set(done.output.splitlines())

    def stop(self) -> bool:
        """Serve no more; say whether that was so before. Raises :class:`HostError` when it goes on."""
        if not self._is_active():
            return False
        service.ask(self._host, "stop", UNIT)
        if not self._host.wait_until(lambda: not self._is_active(), _ANSWER_SECONDS):
            raise HostError(f"{UNIT} does not stop. Look at systemctl status {UNIT}.")
        return True

    def tarballs(self) -> List[str]:
        """Return the paths of all that a share has left in the folder."""
        if not os.path.isdir(self._share.directory):
            return []
        names = sorted(os.listdir(self._share.directory))
        return [self._path(name) for name in names if _NAME_RE.fullmatch(_whole(name))]

    def remove(self) -> bool:
        """Remove the tarballs, and the folder if nothing else is in it; say whether there was anything."""
        if not os.path.isdir(self._share.directory):
            return False
        with self._alone():
            found = self.tarballs()
            for path in found:
                os.unlink(path)
            os.unlink(self._path(_LOCK))
            if os.listdir(self._share.directory):
                return bool(found)
            os.rmdir(self._share.directory)
        return True

    def _path(self, name: str) -> str:
        return os.path.join(self._share.directory, name)


def _whole(name: str) -> str:
    """Return what a file will be called once it is whole."""
    return name[len(artifact.PARTIAL) :] if name.startswith(artifact.PARTIAL) else name
