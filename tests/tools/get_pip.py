# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the ``get-pip`` script that ansible-test would download for each of its virtual environments.

ansible-test takes the file from its cache when it is there, as ``get_pip_X_Y_Z.py``, and names it in ``GET_PIP``.
This one takes the pip that Python brings along and has it install the wanted version from where the machine gets its
packages.
"""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
    # ensurepip turns pip's configuration off in os.environ, and with it the machine's certificates and mirrors.
    environment = dict(os.environ)
    ensurepip.bootstrap(default_pip=True)
    name = os.path.splitext(os.path.basename(environment["GET_PIP"]))[0]
    version = name[len("get_pip_") :].replace("_", ".")
    command = [sys.executable, "-m", "pip", "install", "pip==" + version]
    return subprocess.call(command + arguments, env=environment)


if __name__ == "__main__":
    sys.exit(main())
