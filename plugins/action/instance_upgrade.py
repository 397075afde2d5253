# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name, brings it an artefact from the controller, and finds its result again.

Restarting Teleport may cut the very connection that Ansible uses. The module then goes on by itself and leaves its
result on the host, where it is collected.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.module_utils import journal
from ansible_collections.lockstep.teleport.plugins.plugin_utils import controller_artifact
from ansible_collections.lockstep.teleport.plugins.plugin_utils.keep_alive import keep_alive

_MODULE = "lockstep.teleport.instance_upgrade"
#: What ssh says when it never got through, so that nothing can have been started.
_NEVER_CONNECTED_RE = re.compile(
    r"connect to host|Could not resolve|Permission denied|Host key verification failed|Invalid/incorrect password"
)
_SECONDS_BETWEEN = 3.0
#: Answers in a row that know of no upgrade, before that is believed: one may fall between its end and its result.
_IDLE_ANSWERS = 2
#: Seconds that a backup, and putting it back, may add.
_BACKUP_SECONDS = 4 * 3600.0


class ActionModule(ActionBase):
    """Upgrades one host: one module execution in the common case."""

    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        keep_alive(self._connection)
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = {**self._task.args, "run_id": uuid.uuid4().hex}
        with _telling():
            local = controller_artifact.path_of(arguments, unless_kept=self._task.check_mode)
            if self._task.check_mode and local:
                arguments.update(controller_artifact.describe(local, arguments))
        try:
            answer = self._execute(arguments, variables)
            if answer.pop("artifact_required", False):
                answer = self._bring_and_execute(local, arguments, variables)
        except AnsibleConnectionFailure as problem:
            answer = _lost(problem, begun=False)
        answer.pop("invocation", None)
        return {**result, **answer}

    def _bring_and_execute(self, local: str, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Copy the artefact to the host and try again. It is checked here first: a fleet must not get a broken one."""
        if not local:
            raise AnsibleActionFail("artifact_url is neither an http(s) URL nor a directory on the controller.")
        with _telling():
            described = controller_artifact.verified(local, arguments)
        folder = self._make_tmp_path()
        try:
            remote = self._connection._shell.join_path(folder, os.path.basename(local))  # noqa: SLF001 - as ansible.builtin.copy
            self._transfer_file(local, remote)
            self._fixup_perms2((folder, remote))
            return self._execute({**arguments, **described, "artifact_file": remote}, variables)
        finally:
            self._remove_tmp_path(folder, force=True)

    # -- execution, and finding the result again

    def _execute(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self._call(arguments, variables)
        except AnsibleConnectionFailure as problem:
            if self._task.check_mode or _NEVER_CONNECTED_RE.search(str(problem)):
                raise
            return self._collect(arguments, variables) or _lost(problem, begun=True)
        if "module_stdout" in answer and not self._task.check_mode:
            # The shell of a session that dies with the unit ends in many ways; what counts is what the host kept.
            return self._collect(arguments, variables) or {**answer, **self._left_behind(answer, arguments, variables)}
        return answer

    def _call(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=variables)
        return answer

    def _collect(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Wait for the result that the host keeps; empty when the host did nothing, or stays away."""
        asked = {**arguments, "collect": True}
        patience = _patience(arguments)
        now = time.monotonic()
        end, away_until, idle = now + _longest_run(arguments), now + patience, 0
        while now < min(end, away_until) and idle < _IDLE_ANSWERS:
            time.sleep(_SECONDS_BETWEEN)
            now = time.monotonic()
            answer = self._ask_again(asked, variables)
            if answer and answer.get("collected"):
                return dict(answer["collected"])
            if answer:
                away_until = now + patience
                idle = 0 if answer["pending"] else idle + 1
        return {}

    def _left_behind(
        self, answer: Mapping[str, Any], arguments: dict[str, Any], variables: dict[str, Any]
    ) -> dict[str, Any]:
        """Say that the module died, and how far it got; Ansible only says that it got no JSON."""
        seen = self._ask_again({**arguments, "collect": True}, variables) or {}
        phase = seen.get("unfinished")
        state = (
            f"It was killed before the switch (its journal says {phase}), so nothing but the old version has run."
            if phase in journal.BEFORE_SWITCH
            else "What the host runs is not known."
        )
        message = (
            f"the upgrade ended on this host without an answer (exit status {answer.get('rc', 'unknown')}): it was "
            f"killed, by the kernel for want of memory, say. {state} Repeat the run, which continues."
        )
        return {"changed": True, "unfinished": phase, "msg": message}

    def _ask_again(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any] | None:
        try:
            self._connection.reset()
            answer = self._call(arguments, variables)
        except AnsibleError:
            return None
        return answer if "pending" in answer else None


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Turn what is wrong with an artefact on the controller into the task's failure."""
    try:
        yield
    except ValueError as problem:
        raise AnsibleActionFail(str(problem)) from None


def _patience(arguments: Mapping[str, Any]) -> float:
    """Seconds that a host may not answer after the connection was lost.

    One that is reached through the instance that restarts answers again when that has come up, or gone back.
    """
    instance = arguments.get("instance")
    rides = isinstance(instance, Mapping) and instance.get("session_inside_unit")
    if rides or boolean(arguments.get("detached", False), strict=False):
        return _longest_run(arguments)
    return _seconds(arguments, "reconnect_timeout", 120)


def _longest_run(arguments: Mapping[str, Any]) -> float:
    """Seconds after which the host must have ended: stop and start, and the same again when it went back."""
    once = _seconds(arguments, "stop_timeout", 330) + _seconds(arguments, "ready_timeout", 300)
    return 60 + 2 * once + (_BACKUP_SECONDS if arguments.get("backup") else 0)


def _seconds(arguments: Mapping[str, Any], name: str, default: float) -> float:
    try:
        return float(arguments.get(name, default))
    except (TypeError, ValueError):
        return default


def _lost(problem: Exception, begun: bool) -> dict[str, Any]:
    """A failure, and not "unreachable": Ansible drops an unreachable host from all that follows, roles could not react.

    :param begun: whether the upgrade may have begun, so that what the host runs is not known.
    """
    state = (
        "What it runs is not known: the upgrade may still go on there, or be half done."
        if begun
        else "Nothing was changed on it."
    )
    message = f"the host does not answer: {problem}. {state} Reach it again and repeat the run, which continues."
    return {"failed": True, "changed": begun, "lost": True, "rolled_back": False, "msg": message}
