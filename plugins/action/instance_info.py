# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name, parses the configuration it read, and returns what may be shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from ansible_collections.lockstep.teleport.plugins.plugin_utils import config_cures, instance, preflight_rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.keep_alive import keep_alive

_MODULE = "lockstep.teleport.instance_info"
# Read here, before Ansible forks: a worker that has to read them does so for its one host.
preflight_rules.rules()


class ActionModule(ActionBase):
    """Observes one host: one module execution, a second one only where the host guessed a path wrong."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return ``instance``, or the module's failure."""
        keep_alive(self._connection)
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = dict(self._task.args)
        answer = self._observe(arguments, variables)
        if "observed" not in answer:
            return {**result, **answer}
        request, observed = answer["request"], answer["observed"]
        parsed = instance.parse_config(observed)
        wrong = instance.corrections(observed, parsed, request.get("diag_addr"))
        if wrong:
            answer = self._observe({**arguments, **wrong}, variables)
            if "observed" not in answer:
                return {**result, **answer}
            observed = answer["observed"]
            parsed = instance.parse_config(observed)
        wrong_cures = config_cures.wrong_cures(request.get("config_cures") or [])
        if wrong_cures:
            known = "the codes of docs/checks.md that say what is changed, and all"
            message = f"config_cures names {', '.join(wrong_cures)}; allowed are {known}."
            return {**result, "failed": True, "msg": message}
        host = str(self._task.delegate_to or variables.get("inventory_hostname", ""))
        result.update(changed=False, instance=instance.assemble(host, observed, parsed, request))
        return result

    def _observe(self, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        asked_at = time.time()
        try:
            with self._nothing_logged():
                answer: dict[str, Any] = self._execute_module(
                    module_name=_MODULE, module_args=arguments, task_vars=variables
                )
        except AnsibleConnectionFailure:
            # Why it cannot be reached is kept out of the log as well. This has nothing to hide, and says it.
            self._low_level_execute_command("true", sudoable=False)
            raise
        if "observed" in answer:
            answer["observed"]["clock_off"] = instance.clock_off(answer["observed"]["wall"], asked_at, time.time())
        return answer

    @contextmanager
    def _nothing_logged(self) -> Iterator[None]:
        """Keep the module's answer, which holds the raw configuration, out of -vvv and the target's system log.

        The connection has a play context of its own, and it is the connection that shows what it received.
        """
        holders = [self._task, self._play_context, self._connection._play_context]  # noqa: SLF001 - no public way
        before = [holder.no_log for holder in holders]
        for holder in holders:
            holder.no_log = True
        try:
            yield
        finally:
            for holder, value in zip(holders, before, strict=True):
                holder.no_log = value
