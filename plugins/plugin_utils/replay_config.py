# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes of configurations that a plan is replayed with: each is made when it is needed, once, and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue
from ansible_collections.lockstep.teleport.plugins.plugin_utils.replay_fleet import Host


class PendingEdits:
    """What is still to be changed on each host, the next change first."""

    def __init__(self, data: Mapping[str, Any], catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._pending = {
            str(row["host"]): deque(row["config_edits"])
            for row in data.get("instances") or ()
            if row.get("config_edits")
        }

    def judge(self, host: Host, line: int, planned: Mapping[str, Any] | None) -> Iterator[str]:
        """Say what is wrong with what a step to *line* changes; *host* is as it is before the step."""
        due = list(self._due(host.name, line)) if line > host.line else []
        if any(earlier["after"] != later["before"] for earlier, later in pairwise(due)):
            yield "the changes of its teleport.yaml do not follow from each other"
        if [edit["rule"] for edit in due] != list((planned or {}).get("rules", [])):
            yield "its teleport.yaml is not changed as the line it enters needs"
        elif planned and (planned["before"], planned["after"]) != (due[0]["before"], due[-1]["after"]):
            yield "its teleport.yaml is changed to something else than was worked out for it"

    def _due(self, host: str, line: int) -> Iterator[Mapping[str, Any]]:
        pending = self._pending.get(host)
        while pending and self._catalogue.index(rules()[pending[0]["rule"]].first) <= line:
            yield pending.popleft()
