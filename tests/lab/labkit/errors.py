# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error the lab shows to its user."""

from __future__ import annotations


class LabError(Exception):
    """Something the user has to act on; the text says what was found, what is needed and what to do next."""
