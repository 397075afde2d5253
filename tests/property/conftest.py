# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of hypothesis for all property tests: the same examples each time, so that a change is judged by itself."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "lockstep",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lockstep")
