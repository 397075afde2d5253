# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a module of the collection stop dead at one of its changes, on a host of the tests.

A ``.pth`` file has every Python of the host import this. It listens to the interpreter's own audit events, so the
collection needs no hooks for it. Whatever a module is about to change is a point: a line of ``/run/tripwire.log``.
``/run/tripwire.json`` (``{"point": "…", "mode": "die"|"freeze"}``) arms one point, once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from typing import Any

FOLDER = "/run"
LOG = FOLDER + "/tripwire.log"
ARMED = FOLDER + "/tripwire.json"
#: Holds the process that stopped there.
HIT = FOLDER + "/tripwire.hit"

_COLLECTION = "ansible_collections.lockstep.teleport.plugins.module_utils.host"
_CHANGES = {"os.rename": 1, "os.remove": 0, "os.symlink": 1, "os.mkdir": 0, "os.rmdir": 0, "shutil.rmtree": 0}
_WRITING = os.O_WRONLY | os.O_RDWR
#: Below these lies what an upgrade may change.
_PLACES = ("/opt/", "/etc/", "/usr/local/", "/var/lib/teleport", "/var/lib/lockstep-teleport")
_VERBS = ("start", "stop", "kill", "daemon-reload", "reset-failed")
#: What differs from run to run: process numbers, times.
_VARYING_RE = re.compile(r"\d{8}T\d{6}Z|(?<=-)\d+(?=$|/|-)")
_counts: dict[str, int] = {}
_busy = False


def hear(event: str, arguments: tuple[Any, ...]) -> None:
    """Take one audit event of the interpreter."""
    global _busy  # noqa: PLW0603 - what is done here raises events itself
    if _busy or _COLLECTION not in sys.modules:
        return
    _busy = True
    try:
        change = _change(event, arguments)
        if change:
            _reach(change)
    finally:
        _busy = False


def _change(event: str, arguments: tuple[Any, ...]) -> str:
    """What is about to change; empty when nothing is that matters here."""
    if event == "subprocess.Popen":
        words = [os.fsdecode(word) for word in arguments[1]]
        verb = next((word for word in words if word in _VERBS), "") if "systemctl" in words else ""
        return f"systemctl {verb}" if verb else ""
    if event == "open":
        path, _mode, flags = arguments
        return _named("write", path) if isinstance(flags, int) and flags & _WRITING else ""
    return _named(event.rpartition(".")[2], arguments[_CHANGES[event]]) if event in _CHANGES else ""


def _named(verb: str, path: Any) -> str:
    if not isinstance(path, str) or not path.startswith(_PLACES):
        return ""
    return f"{verb} {_VARYING_RE.sub('*', path)}"


def _reach(change: str) -> None:
    module = os.path.splitext(os.path.basename(getattr(sys.modules["__main__"], "__file__", None) or "unknown"))[0]
    name = f"{module}: {change}"
    _counts[name] = _counts.get(name, 0) + 1
    point = f"{name} #{_counts[name]}"
    with open(LOG, "a", encoding="utf-8") as log:
        log.write(point + "\n")
    try:
        with open(ARMED, encoding="utf-8") as source:
            armed = json.load(source)
    except (OSError, ValueError):
        return
    if armed["point"] != point:
        return
    os.unlink(ARMED)
    with open(HIT + ".new", "w", encoding="utf-8") as hit:
        hit.write(str(os.getpid()))
    os.rename(HIT + ".new", HIT)
    os.kill(os.getpid(), signal.SIGKILL if armed["mode"] == "die" else signal.SIGSTOP)


with contextlib.suppress(AttributeError):
    sys.addaudithook(hear)
