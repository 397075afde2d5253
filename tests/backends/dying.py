# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an action in a process that is killed right before a certain step, one step after the other."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.backends.etcd_client import EtcdClient
from ansible_collections.lockstep.teleport.plugins.module_utils.backends.postgresql_client import (
    Client as PostgresqlClient,
)

#: Everything that changes something another process could see.
STEPS = (
    *((os, name) for name in ("rename", "unlink", "mkdir", "fsync", "chown", "chmod")),
    (shutil, "rmtree"),
    *((EtcdClient, name) for name in ("put", "delete", "grant")),
    *((PostgresqlClient, name) for name in ("load", "dump")),
)


def killed_at_every_step(action: Callable[[], object], every: int = 1) -> Iterator[int]:
    """Yield the number of each *every*-th step before which a process with *action* was killed, until one ends."""
    for at in count(0, every):
        died = _run(action, at)
        yield at
        if not died:
            return


def _run(action: Callable[[], object], at: int) -> bool:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _arm(at)
            action()
            status = 0
        finally:
            os._exit(status)
    _pid, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, f"the action failed by itself before step {at}"
    return False


def _arm(at: int) -> None:
    steps = count()

    def deadly(function: Any) -> Any:
        def step(*arguments: Any, **keywords: Any) -> Any:
            if next(steps) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)

        return step

    for owner, name in STEPS:
        setattr(owner, name, deadly(getattr(owner, name)))
