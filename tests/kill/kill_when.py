# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command and kills it, with all that it started, as soon as another command succeeds.

``kill_when.py CONDITION LOG COMMAND…``: CONDITION is a line for the shell, LOG receives what the command prints. The
status is 0 when the command was killed, and 1 when it ended before.
"""

from __future__ import annotations

import subprocess
import sys
import time

from processes import kill_tree

SECONDS_BETWEEN = 0.2


def main(condition: str, log: str, command: list[str]) -> int:
    with open(log, "wb") as output:
        run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    while run.poll() is None:
        if subprocess.run(["/bin/sh", "-c", condition], check=False, capture_output=True).returncode == 0:
            kill_tree(run.pid)
            run.wait()
            return 0
        time.sleep(SECONDS_BETWEEN)
    print(f"the command ended with {run.returncode} before '{condition}' was true", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
