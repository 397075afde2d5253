# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which releases of ansible-core are tested, and on which Pythons each of them runs.

Source of the ranges: ``CONTROLLER_PYTHON_VERSIONS`` in ansible-test of each release.
"""

from __future__ import annotations

from interpreters import Release

CONTROLLER_PYTHONS: dict[str, tuple[Release, Release]] = {
    "2.16": ((3, 10), (3, 12)),
    "2.17": ((3, 10), (3, 12)),
    "2.18": ((3, 11), (3, 13)),
    "2.19": ((3, 11), (3, 13)),
    "2.20": ((3, 12), (3, 14)),
    "2.21": ((3, 12), (3, 14)),
}
OLDEST = "2.16"
# The linters and molecule: the newest core that Debian 12's own Python can run.
DEVELOPMENT_PYTHONS: tuple[Release, ...] = ((3, 11), (3, 12), (3, 13), (3, 14))


def python_for(core: str, at_hand: set[Release]) -> Release | None:
    """Return the Python at hand to run an ansible-core with, None when there is none.

    The oldest core gets the oldest Python, every other the newest, so that both ends of the supported range are run.
    """
    lowest, highest = CONTROLLER_PYTHONS[core]
    choose = min if core == OLDEST else max
    return choose((release for release in at_hand if lowest <= release <= highest), default=None)
