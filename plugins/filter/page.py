# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that turn plans and reports into pages; see the ``.yml`` files beside this one for what each does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils import page


class FilterModule:
    """Names the filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"plan_page": page.plan_page, "report_page": page.report_page}
