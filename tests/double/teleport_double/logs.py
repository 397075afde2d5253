# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines on stderr in the form of each generation."""

from __future__ import annotations

import sys
import threading
import time

from .features import has
from .versions import Version

_WIDTH = 10
_LOCK = threading.Lock()
_SHORT = {"WARNING": "WARN", "ERROR": "ERRO", "INFO": "INFO", "DEBUG": "DEBU"}


class Log:
    """Logger of one process."""

    def __init__(self, version: Version) -> None:
        self._version = version

    def info(self, component: str, message: str) -> None:
        """What the process did."""
        self._write("INFO", component, message)

    def warn(self, component: str, message: str) -> None:
        """What looks odd and goes on."""
        self._write("WARNING", component, message)

    def failure(self, component: str, message: str) -> None:
        """What failed."""
        self._write("ERROR", component, message)

    def plain(self, text: str) -> None:
        """A line without any decoration, as start banners and usage errors are."""
        with _LOCK:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def banner(self, component: str, text: str) -> None:
        """Start banner: a log line, and before 8 the same text for humans."""
        self.info(component, text)
        if self._version.major < 8:
            width = 15 if has(self._version, "start_banner_version") else _WIDTH
            self.plain(f"[{component}]".ljust(width) + text)

    def _write(self, level: str, component: str, message: str) -> None:
        self.plain(format_line(self._version, _SHORT[level], component, message, time.time()))


def format_line(version: Version, level: str, component: str, message: str, now: float) -> str:
    """One log line; ``now`` is seconds since the epoch."""
    tag = f"[{component}]".ljust(_WIDTH) if component else " " * _WIDTH
    if not has(version, "rfc3339_logs"):
        return f"{level} {tag} {message}"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if has(version, "level_after_component"):
        return f"{stamp} {tag} {level} {message}"
    return f"{stamp} {level} {tag} {message}"
