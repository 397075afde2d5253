# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a release onto a host, beside the one that runs: fetched, checked, unpacked, tried, and only then named."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import archive, artifact, durable, installation, process
from ansible_collections.lockstep.teleport.plugins.module_utils.host import CANNOT_EXECUTE, Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.version import COMMUNITY, FIPS, Version, VersionError

#: First version with ``teleport configure --test`` (measured: 6.2 does not know the flag, 7.3 does).
_FIRST_WITH_TEST = Version.parse("7.0.0")
#: A release takes about three times its tarball unpacked; the tarball lies beside it meanwhile.
_UNPACKED_PER_PACKED = 4
_TEMPORARY = (".fetch-", ".unpack-", ".removed-")
_REQUIRED = ("teleport", "tctl", "tsh")
_QUOTED_RE = re.compile(r"`[^`\n]*`|\"[^\"\n]*\"|'[^'\n]*'")


@dataclass(frozen=True)
class Release:
    """A release that is wanted on this host.

    :param base_url: where artefacts are, for this host to fetch; empty when *file* is used.
    :param tarball_url: where tarballs are nearer than at *base_url*. Nobody there is asked for digests.
    :param file: path on this host of the tarball that the controller brought; *checksum* is then needed.
    :param file_size: bytes of the tarball, where somebody knows them; nobody is asked for them then.
    :param unpinned: why its digest is not among those that are pinned; empty when it is, or none are. What is not
        pinned is not brought then.
    :param name: what messages call it, when it comes in something else than its tarball.
    """

    version: str
    edition: str
    architecture: str
    base_url: str = ""
    tarball_url: str = ""
    file: str = ""
    file_size: int = 0
    checksum: str = ""
    unpinned: str = ""
    name: str = ""

    @property
    def folder(self) -> str:
        """Name of its version folder."""
        return installation.folder_name(self.version, self.edition)

    @property
    def artifact(self) -> str:
        """Name of its tarball, or of what it comes in instead."""
        return self.name or artifact.artifact_name(self.version, self.edition, self.architecture)


def is_present(layout: installation.Layout, release: Release) -> bool:
    """Whether the release is complete on the host, and the one asked for; looks at sizes, does not read it."""
    found = installation.manifest(layout.folder(release.folder))
    return found is not None and _is_the_pinned_one(found, release)


def _is_the_pinned_one(found: Dict[str, Any], release: Release) -> bool:
    """Whether a version folder came from the tarball with the wanted digest. One that was adopted came from none."""
    return not release.checksum or found.get("sha256") in (None, release.checksum.lower())


def check_available(layout: installation.Layout, release: Release, opener: artifact.Opener, extra_bytes: int) -> None:
    """Make sure, without changing anything, that the release can be had and that there is room for it.

    :raises HostError: when not.
    """
    check_space(layout, needed_bytes(release, opener) + extra_bytes)


def needed_bytes(release: Release, opener: artifact.Opener) -> int:
    """Return the bytes that bringing the release takes, tarball included, without fetching it.

    :raises HostError: when it cannot be had.
    """
    _check_pinned(release)
    size = release.file_size
    if release.base_url and not size:
        size = artifact.find(opener, release.base_url, release.artifact, release.checksum).size
    return (size or artifact.LIKELY_BYTES) * _UNPACKED_PER_PACKED


def check_space(layout: installation.Layout, needed: int) -> None:
    """Refuse to begin what cannot be finished.

    :raises HostError: when fewer than *needed* bytes, and some spare, are free below the versions folder.
    """
    problem = durable.shortage(layout.versions_dir, needed, "versions_dir")
    if problem:
        raise HostError(problem)


def stage(host: Host, layout: installation.Layout, release: Release, opener: artifact.Opener) -> bool:
    """Make sure that the release is on the host, complete and undamaged; say whether it had to be brought.

    :raises HostError: when it cannot be had or is not what it should be; no version folder is left behind then.
    """
    folder = layout.folder(release.folder)
    if is_present(layout, release) and not installation.damaged(folder):
        return False
    _check_pinned(release)
    with cleaned(layout):
        tarball = release.file or _fetch(layout, release, opener)
        if release.file:
            artifact.check_file(release.file, release.checksum)
            check_space(layout, os.path.getsize(release.file) * _UNPACKED_PER_PACKED)
        fresh = os.path.join(layout.versions_dir, ".unpack-" + release.folder)
        archive.unpack(tarball, fresh, durable.room(layout.versions_dir))
        _check_content(host, fresh, release)
        facts = {"version": release.version, "edition": release.edition, "source": release.artifact}
        publish(layout, fresh, release.folder, {**facts, "sha256": durable.hash_file(tarball).sha256})
    return True


def _check_pinned(release: Release) -> None:
    if release.unpinned:
        raise HostError(f"{release.unpinned}. Nothing was installed.")


def publish(layout: installation.Layout, fresh: str, name: str, facts: Dict[str, Any]) -> None:
    """Turn a filled folder into a version folder, in one step; a damaged one of that name is replaced."""
    installation.write_manifest(fresh, facts)
    for where, _folders, _files in os.walk(fresh):
        durable.sync_folder(where)
    if os.path.lexists(layout.folder(name)):
        durable.remove_folder(layout.folder(name))
    os.rename(fresh, layout.folder(name))
    durable.sync_folder(layout.versions_dir)


def _fetch(layout: installation.Layout, release: Release, opener: artifact.Opener) -> str:
    offer = artifact.find(opener, release.base_url, release.artifact, release.checksum)
    check_space(layout, (offer.size or artifact.LIKELY_BYTES) * _UNPACKED_PER_PACKED)
    target = os.path.join(layout.versions_dir, ".fetch-" + release.artifact)
    artifact.download(opener, offer, target, min(artifact.MOST_BYTES, durable.room(layout.versions_dir)))
    return target


def clean(layout: installation.Layout) -> None:
    """Remove what killed runs left behind. The caller holds the lock, so nobody is still writing there."""
    for name in os.listdir(layout.versions_dir):
        path = layout.folder(name)
        if name.startswith(_TEMPORARY):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


@contextlib.contextmanager
def cleaned(layout: installation.Layout) -> Iterator[None]:
    """Leave nothing half done behind, and turn a full disk into a message."""
    clean(layout)
    try:
        yield
    except OSError as problem:
        advice = "Make room" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else "Check the file system"
        where, reason = problem.filename or layout.versions_dir, problem.strerror or problem
        raise HostError(f"{where}: {reason}. Nothing was installed. {advice} and run again.") from problem
    finally:
        clean(layout)


def _check_content(host: Host, folder: str, release: Release) -> None:
    missing = [name for name in _REQUIRED if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        raise HostError("{}: holds no {}. Nothing was installed.".format(release.artifact, ", ".join(missing)))
    named = _version_file(folder)
    if named not in (None, release.version):
        raise HostError(
            f"{release.artifact}: its file VERSION says {named}, wanted is {release.version}. Nothing was installed."
        )
    check_program(host, os.path.join(folder, "teleport"), release)


def _version_file(folder: str) -> Optional[str]:
    try:
        with open(os.path.join(folder, "VERSION"), encoding="utf-8", errors="replace") as source:
            return source.readline(100).strip().lstrip("v")
    except OSError:
        return None


def check_program(host: Host, path: str, release: Release) -> None:
    """Run a program and make sure that it is the release that is wanted.

    :raises HostError: when it cannot be executed here, or is another version or edition.
    """
    done = host.run([path, "version"])
    if done.status == CANNOT_EXECUTE or "format error" in done.text:
        raise HostError(
            f"{release.artifact}: its programs cannot be executed here, this host is {release.architecture}: "
            f"{done.text[:200]}. Nothing was installed."
        )
    answer = process.ask_version(host, path)
    if answer.output is None:
        raise HostError(f"{release.artifact}: {answer.error}. Nothing was installed.")
    found = answer.output
    # Not every FIPS build says that it is one, but one that does is no plain one.
    same_edition = (found.edition == COMMUNITY) == (release.edition == COMMUNITY) and (
        found.edition != FIPS or release.edition == FIPS
    )
    if str(found.release) != release.version or not same_edition:
        raise HostError(
            f"{release.artifact}: its teleport is {found.release} ({found.edition}), wanted is {release.version} "
            f"({release.edition}). Nothing was installed."
        )


def try_configuration(host: Host, layout: installation.Layout, release: Release, config_path: str) -> Optional[str]:
    """Let the new version judge the real configuration, where it can. Returns why it could not, None when it is fine.

    :raises HostError: when it rejects the configuration. Quoted parts of its answer are masked: they may be values.
    """
    if Version.parse(release.version) < _FIRST_WITH_TEST:
        return f"{release.version} cannot test a configuration"
    program = os.path.join(layout.folder(release.folder), "teleport")
    done = host.run([program, "configure", "--test=" + config_path], seconds=30)
    if done.status == 0:
        return None
    # 8.3 asks for the default data directory even when the configuration names another one.
    if "unknown long flag" in done.text or "path '/var/lib/teleport' does not exist" in done.text:
        return "teleport configure --test gave no verdict"
    raise HostError(
        "{} rejects {}: {}. Nothing was stopped or switched. Correct the configuration and run again.".format(
            release.version, config_path, _QUOTED_RE.sub("'…'", done.text)[:500]
        )
    )


def _is_newer(layout: installation.Layout, name: str, than: Optional[str]) -> bool:
    """Whether one version folder holds a newer release than another; False where that cannot be told."""
    try:
        found = [str((installation.manifest(layout.folder(one)) or {})["version"]) for one in (name, than or "")]
        return Version.parse(found[0]) > Version.parse(found[1])
    except (KeyError, VersionError):
        return False


def prune(
    layout: installation.Layout, keep: int, needed: List[Optional[str]], remove: Callable[[str], None]
) -> List[str]:
    """Remove all but the newest *keep* version folders beside those in *needed*; return the names removed.

    The first of *needed* is the release that counts. The way back is another and counts as one of the kept. Releases
    that are newer were brought ahead of a later hop and stay.
    """
    others = [
        name
        for name in installation.kept_versions(layout)
        if name not in needed and not _is_newer(layout, name, needed[0])
    ]
    others.sort(
        key=lambda name: os.stat(os.path.join(layout.folder(name), installation.MANIFEST)).st_mtime, reverse=True
    )
    spared = max(0, keep - len([name for name in needed[1:] if name]))
    for name in others[spared:]:
        remove(layout.folder(name))
    return others[spared:]
