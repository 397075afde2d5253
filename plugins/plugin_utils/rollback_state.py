# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a rollback has come, judged from what is observed alone: where it leads, who has to go, what is restored."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import CatalogueError
from ansible_collections.lockstep.teleport.plugins.plugin_utils.rollback_input import Backup, Member, Request
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import AUTH


@dataclass(frozen=True)
class State:
    """Where the cluster goes and how.

    :param to: the version to return to, None when it is not known. ``line`` is the place of its release line.
    :param top: the newest version among the auth servers.
    :param backup: the backup to go back to, None without one.
    :param primary: the auth host that goes first, on which the backup is put back.
    :param restores: whether the backend has to be restored still.
    """

    to: Version | None
    line: int | None
    top: Version | None
    top_line: int | None
    backup: Backup | None
    primary: str | None
    restores: bool

    def goes_back(self, member: Member) -> bool:
        """Whether an instance has to change: all auth servers to the one version, the others when they are newer.

        An auth server that is there but held or unfinished is brought up. While the backend is restored all of the
        group are stopped, so all of them take part.
        """
        if not member.reachable or member.version is None or self.to is None:
            return False
        if member.phase == AUTH:
            is_there = member.version == self.to and member.runs
            return self.restores or not is_there or member.held or member.interrupted
        return member.version > self.to or (member.interrupted and member.version == self.to)


def judge(request: Request) -> State:
    """Judge how far the rollback has come."""
    auths = [auth for auth in request.auths if auth.version is not None]
    newest = max(auths, key=lambda auth: auth.version or Version(0, 0, 0), default=None)
    backup = _best(request)
    to = _to(request, backup, newest)
    line = None if to is None else _line(request, to)
    crosses = line is None or newest is None or newest.line != line
    with_backup = request.names_backup or crosses
    restores = bool(with_backup and to is not None and not is_back(request, to))
    chosen = backup if with_backup else None
    return State(
        to=to,
        line=line,
        top=newest.version if newest else None,
        top_line=newest.line if newest else None,
        backup=chosen,
        primary=_primary(request, chosen, to),
        restores=restores,
    )


def is_back(request: Request, to: Version) -> bool:
    """Whether the auth servers have been taken back already, so that another restore would lose what was written since.

    That is so when one of them is at the version and free to run, and every newer one is held. An upgrade that failed
    on a peer leaves it at the old version, too, but nobody holds the newer one then.
    """
    auths = [auth for auth in request.auths if auth.version is not None]
    if not auths:
        return False
    there = [auth for auth in auths if auth.version == to and not auth.held]
    return bool(there) and all(auth.held for auth in auths if auth.version != to)


def _best(request: Request) -> Backup | None:
    """Of what the auth hosts offer: what nothing speaks against, the newest, on a host that runs, by name."""
    running = {auth.host for auth in request.auths if auth.runs}
    offers = sorted(request.backups, key=lambda offer: offer.holder)
    offers.sort(key=lambda offer: offer.holder in running, reverse=True)
    offers.sort(key=lambda offer: offer.created or "", reverse=True)
    offers.sort(key=lambda offer: bool(offer.problems))
    return offers[0] if offers else None


def _to(request: Request, backup: Backup | None, newest: Member | None) -> Version | None:
    if request.names_backup and backup is not None:
        return backup.version
    if request.version is not None:
        return request.version
    if backup is not None and (newest is None or newest.version is None or backup.version is not None):
        return backup.version
    return None


def _line(request: Request, version: Version) -> int | None:
    try:
        return request.catalogue.index(version.line)
    except CatalogueError:
        return None


def _primary(request: Request, backup: Backup | None, to: Version | None) -> str | None:
    """Who goes first: who is there already, else the holder of the backup, else who runs."""
    if to is not None and is_back(request, to):
        return min(auth.host for auth in request.auths if auth.version == to and not auth.held)
    if backup is not None:
        return backup.holder
    ranked = sorted(request.auths, key=lambda auth: (not auth.runs, auth.host))
    return ranked[0].host if ranked else None
