# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade of one instance has to do, decided from what was found. Pure: nothing here touches the host."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import installation
from ansible_collections.lockstep.teleport.plugins.module_utils.service import Unit
from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version


class Wish(NamedTuple):
    """What is asked for. *folder* is the name of the wanted version folder; *client* means tools without a service.

    *allow_downgrade* says that going back to an older version is meant, and no slip.
    """

    version: str
    folder: str
    client: bool
    expect_version: Optional[str] = None
    allow_downgrade: bool = False


class Found(NamedTuple):
    """What is there.

    :param unit: None where nothing but client tools is expected.
    :param running: release of the process, None when none runs.
    :param installed: release in ``bin_dir``, None when it cannot be told; *installed_error* then says why.
    :param current: name of the folder that ``current`` leads to.
    :param linked: whether everything in ``bin_dir`` leads to the wanted folder through ``current``.
    :param adopted: whether ``bin_dir`` leads through ``current`` at all, to a complete folder.
    :param ready: False when the instance says that it is not; True also when it cannot say.
    :param journal: journal of an unfinished transaction.
    """

    unit: Optional[Unit]
    exec_path: Optional[str]
    program: str
    running: Optional[str]
    installed: Optional[str]
    installed_error: Optional[str]
    edition: str
    method: str
    current: Optional[str]
    linked: bool
    adopted: bool
    ready: bool
    held: bool
    journal: Optional[Mapping[str, Any]]

    @property
    def version(self) -> Optional[str]:
        """The version that counts: what runs, else what is installed."""
        return self.running or self.installed


class Decision(NamedTuple):
    """What to do.

    :param adopt: folder name that the plain installation is copied to first, None when that is not needed.
    :param way_back: folder to switch back to when the upgrade fails.
    :param switch: whether ``current`` or links change.
    :param restart: whether the process has to be replaced (or started).
    :param run: whether the instance has to run at the end.
    :param was_running: whether a failed upgrade must leave it running.
    """

    adopt: Optional[str]
    way_back: str
    switch: bool
    restart: bool
    run: bool
    was_running: bool

    @property
    def nothing(self) -> bool:
        """Whether everything is as wanted already."""
        return not (self.adopt or self.switch or self.restart)


def refusal(found: Found, wish: Wish) -> str:
    """Say why this instance must not be upgraded, with what to do; empty when it may."""
    checks = (
        _install_refusal(found),
        "" if wish.client else _unit_refusal(found),
        _version_refusal(found, wish),
    )
    return next((reason for reason in checks if reason), "")


def _install_refusal(found: Found) -> str:
    if found.method == installation.NONE:
        return "no Teleport program is installed in the bin_dir; only what is there can be upgraded"
    return ""


def _unit_refusal(found: Found) -> str:
    unit = found.unit
    if unit is None or not unit.exists:
        state = unit.load_state if unit else "unknown"
        return f"the unit of the instance cannot be used ({state}); name it in service, unmask it, or create it"
    if found.exec_path != found.program:
        return (
            f"{unit.fragment_path or unit.name} starts {found.exec_path or 'nothing that can be read'}; it has to "
            f"start {found.program}, which is what gets switched. Change ExecStart, or name the right bin_dir."
        )
    return ""


def _version_refusal(found: Found, wish: Wish) -> str:
    if found.version is None:
        return f"the present version cannot be told ({found.installed_error}); without it there is no way back"
    expected = wish.expect_version
    if expected and found.version not in (expected, wish.version) and not found.journal:
        return f"{found.version} is there, {expected} was expected; observe and plan again"
    # What an interrupted run left is settled first, and may be newer than what it goes back to.
    if not (wish.allow_downgrade or found.journal) and Version.parse(found.version) > Version.parse(wish.version):
        return (
            f"{found.version} is there and {wish.version} is older; an upgrade does not go back. Going back is what "
            "lockstep.teleport.rollback is for, which restores what the newer version has changed."
        )
    return ""


def decide(found: Found, wish: Wish) -> Decision:
    """Choose what to do for an instance that `refusal` has nothing against."""
    journal = found.journal or {}
    unit = found.unit
    is_up = bool(unit and (unit.active or unit.main_pid))
    was_running = is_up or bool(journal.get("was_running"))
    run = not wish.client and (was_running or found.held or bool(journal) or bool(unit and unit.enabled))
    adopt = None if found.adopted else installation.folder_name(str(found.version), found.edition)
    return Decision(
        adopt=adopt,
        way_back=str(adopt or found.current),
        switch=not found.linked or found.current != wish.folder,
        restart=run and (found.running != wish.version or found.held or not is_up),
        run=run,
        was_running=was_running,
    )


def diff(found: Found, decision: Decision, wish: Wish) -> Dict[str, str]:
    """What changes, for ``--diff``."""

    def lines(version: Optional[str], current: Optional[str], runs: bool) -> str:
        state = "client tools" if wish.client else "running" if runs else "stopped"
        return f"version: {version}\ncurrent: {current}\nstate: {state}\n"

    before = lines(found.version, found.current, bool(found.running))
    return {"before": before, "after": lines(wish.version, wish.folder, decision.run)}


def summary(found: Found, decision: Decision, wish: Wish) -> str:
    """One sentence on what is done."""
    if decision.nothing:
        return f"{wish.version} is there already"
    parts: List[str] = []
    if decision.adopt:
        parts.append(f"take over {found.version}")
    if decision.switch:
        parts.append(f"switch {found.current or found.version} to {wish.folder}")
    if decision.restart:
        parts.append("restart" if found.running else "start")
    return ", ".join(parts)
