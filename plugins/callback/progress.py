# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says how far an upgrade has come."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: How far an upgrade has come, and when it will be done
version_added: 0.1.0
description:
  - Adds a line to the output of C(lockstep.teleport.upgrade) whenever a batch is done, a host failed, or half a minute
    has passed. It says hop, stage and batch, how many hosts of the phase are done, failed and waiting, and how long the
    rest of the plan will take at the pace so far.
  - Works beside any stdout callback, on a terminal as in logs. Says nothing about plays without hosts, nor in other
    playbooks.
author:
  - Lockstep maintainers (@lockstep)
requirements:
  - To be enabled, in C(ansible.cfg) by C(callbacks_enabled = lockstep.teleport.progress) under C([defaults]), or by the
    environment variable C(ANSIBLE_CALLBACKS_ENABLED).
"""

import time
from typing import Any

from ansible.plugins.callback import CallbackBase

from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import printable
from ansible_collections.lockstep.teleport.plugins.plugin_utils.progress import Progress

_PLANS = "lockstep.teleport.upgrade_plan"
_UPGRADES = "lockstep.teleport.instance_upgrade"


class CallbackModule(CallbackBase):
    """Hands what happens to a :class:`.Progress` and shows what that says."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "lockstep.teleport.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin without a plan."""
        super().__init__()
        self._progress: Progress | None = None
        self._stage: int | None = None

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember which stage the tasks that follow belong to."""
        self._stage = play.vars.get("teleport_stage")

    def v2_runner_on_ok(self, result: Any) -> None:
        """Take the plan when it has been made, and count the hosts that are done."""
        if result._task.action == _PLANS and result._result.get("plan"):  # noqa: SLF001 - as all callbacks read it
            self._progress = Progress(result._result["plan"], time.monotonic())  # noqa: SLF001
        self._count(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002 - given
        """Count a host whose upgrade failed."""
        self._count(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Count a host that does not answer."""
        self._count(result, failed=True)

    def _count(self, result: Any, *, failed: bool) -> None:
        if result._task.action != _UPGRADES or self._progress is None or self._stage is None:  # noqa: SLF001
            return
        host = result._host.get_name()  # noqa: SLF001
        line = self._progress.finished(int(self._stage), host, time.monotonic(), failed=failed)
        if line:
            self._display.display(f"[teleport] {printable(line)}")
