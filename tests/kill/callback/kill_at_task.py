# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a controller die at a task boundary, for tests.

``LOCKSTEP_TASKS`` names a file that gets one JSON line per task that starts (``number``, ``name``, ``action``);
``LOCKSTEP_KILL_AT`` is the number of the task at whose start everything that this ansible-playbook runs is killed.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase
from processes import kill_tree

DOCUMENTATION = """
name: kill_at_task
type: notification
short_description: Kill the controller at a task boundary
description:
  - For tests only.
"""


class CallbackModule(CallbackBase):
    """Counts tasks, and dies at one of them."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "kill_at_task"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._number = 0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Count a task that is about to start on the first of its hosts."""
        self._number += 1
        if os.environ.get("LOCKSTEP_TASKS"):
            entry = {"number": self._number, "name": task.get_name(), "action": task.action}
            with open(os.environ["LOCKSTEP_TASKS"], "a", encoding="utf-8") as tasks:
                tasks.write(json.dumps(entry) + "\n")
        if self._number == int(os.environ.get("LOCKSTEP_KILL_AT") or 0):
            kill_tree(os.getpid())
