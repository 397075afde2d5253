# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default output without plays that have no hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: brief
type: stdout
short_description: The default output, without plays that have no hosts
version_added: 0.1.0
description:
  - The upgrade playbook holds plays for more stages than most plans have, and Ansible's default output names each of
    them. This one is the default in all else.
author:
  - Lockstep maintainers (@lockstep)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - To be set as stdout, in C(ansible.cfg) by C(stdout_callback = lockstep.teleport.brief) under C([defaults]), or by
    the environment variable C(ANSIBLE_STDOUT_CALLBACK).
"""

from typing import Any

from ansible.plugins.callback.default import CallbackModule as Default


class CallbackModule(Default):
    """Holds the heading of a play back until something happens in it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "lockstep.teleport.brief"

    def __init__(self) -> None:
        """Begin without a play."""
        super().__init__()
        self._held: Any = None

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Keep the heading for later."""
        self._held = play

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Forget the heading."""
        self._held = None

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Show the heading that was held, then the task's."""
        self._show_held()
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Show the heading that was held, then the handler's."""
        self._show_held()
        super().v2_playbook_on_handler_task_start(task)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Show the heading that was held, then that nobody is left."""
        self._show_held()
        super().v2_playbook_on_no_hosts_remaining()

    def _show_held(self) -> None:
        if self._held is not None:
            super().v2_playbook_on_play_start(self._held)
            self._held = None
