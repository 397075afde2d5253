# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says who asks for a lock, whether its holder on this controller still lives, and keeps the lock alive."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - as all of Ansible calls it
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.lockstep.teleport.plugins.module_utils import lock_decision
from ansible_collections.lockstep.teleport.plugins.plugin_utils import lock_keeper, run_identity

_MODULE = "lockstep.teleport.cluster_lock"

display = Display()


class ActionModule(ActionBase):
    """One execution of the module in the common case, two when the lock of a dead run is in the way."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        # Tasks run in children of the process that is the run.
        process = run_identity.identify(os.getppid())
        arguments = {
            **self._task.args,
            "run_id": run_identity.run_id(process, socket.gethostname()),
            "owner": run_identity.owner(process, variables, os.environ),
            "running_for": run_identity.seconds_running(process),
        }
        if arguments.get("state") == "absent":
            lock_keeper.end(self._pid_file(arguments, variables))
        answer = self._call(arguments, variables)
        if answer.get("refused") == lock_decision.HELD and _is_dead(answer["holder"]):
            answer = self._call({**arguments, "dead": answer["holder"]["run_id"]}, variables)
        if self._is_to_be_kept(arguments, answer):
            self._keep(arguments, variables, process, answer["holder"]["ttl"])
        answer.pop("invocation", None)
        return {**result, **answer}

    def _call(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=variables)
        return answer

    def _is_to_be_kept(self, arguments: dict[str, Any], answer: dict[str, Any]) -> bool:
        wanted = arguments.get("state", "present") == "present" and boolean(arguments.get("keep", True), strict=False)
        return bool(wanted and answer.get("held") and not self._task.check_mode)

    def _keep(self, arguments: dict[str, Any], variables: dict[str, Any], process: dict[str, Any], ttl: float) -> None:
        pid_file = self._pid_file(arguments, variables)
        if pid_file.exists():
            return

        def call(state: str, **more: Any) -> dict[str, Any]:
            # The task has ended, and its folder on the host with it.
            self._connection._shell.tmpdir = None  # noqa: SLF001 - as Ansible itself does between tasks
            try:
                return self._call({**arguments, **more, "state": state}, variables)
            finally:
                self.cleanup(force=True)

        def renew() -> bool:
            return call("renewed").get("refused") != lock_decision.LOST

        def release() -> None:
            # The keeper sleeps until the run's end, so that was now.
            call("absent", ended=run_identity.now())

        def is_alive() -> bool:
            return run_identity.is_running(process["pid"], process["started"])

        def work() -> None:
            # What this process says would go to the run, which may be gone.
            display._final_q = None  # noqa: SLF001 - there is no other way to take a process out of it
            with tempfile.TemporaryDirectory() as own:
                # The run removes its own when it ends, which is when this process lets go of the lock.
                C.DEFAULT_LOCAL_TMP = own  # type: ignore[attr-defined]
                sleep = run_identity.sleeper(process)
                lock_keeper.keep(renew, release, is_alive, ttl / lock_keeper.BEATS, sleep)

        lock_keeper.detach(work, pid_file)

    def _pid_file(self, arguments: dict[str, Any], variables: dict[str, Any]) -> Path:
        """In the run's own private folder, which Ansible makes and removes."""
        host = self._task.delegate_to or variables.get("inventory_hostname")
        named = f"{host}\0{arguments.get('cluster')}\0{arguments.get('directory')}"
        private = Path(C.DEFAULT_LOCAL_TMP)  # type: ignore[attr-defined]  # Ansible sets its constants as it starts
        return private / f"lockstep-keeper-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def _is_dead(holder: Any) -> bool:
    return run_identity.is_dead((holder.get("owner") or {}).get("process") or {})
