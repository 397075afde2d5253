# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second opinion on a rollback plan: carries it out step by step and says which rule breaks where.

Written against the rules, from the raw input, and shares nothing with the planner but versions and the order of lines.
The rules are those of an upgrade; only the direction differs, and that all auth servers are down during a restore.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.releases import Catalogue

_BACKWARDS = ("client", "agent", "proxy", "auth")
_FORWARDS = ("auth", "proxy", "agent", "client")


def replay(plan: Mapping[str, Any], data: Mapping[str, Any], catalogue: Catalogue) -> list[str]:
    """Return what is wrong with a rollback plan for this input (the options of ``rollback_plan``)."""
    return list(_Replay(plan, data, catalogue).judge())


class _Replay:
    def __init__(self, plan: Mapping[str, Any], data: Mapping[str, Any], catalogue: Catalogue) -> None:
        self.plan = plan
        self.steps = [step for stage in plan["stages"] for step in stage["steps"]]
        self.to = Version.parse(plan["target_version"])
        self.index = catalogue.index
        rows = [row for row in data["instances"] if row.get("version") is not None]
        self.rows = {row["host"]: row for row in rows if str(row.get("cluster") or "main") == plan["cluster"]}
        self.other_auths = [row for row in rows if row["host"] not in self.rows and "auth" in row["services"]]
        self.at = {host: Version.parse(row["version"]) for host, row in self.rows.items()}
        self.roots = {str(name): (row or {}).get("root") for name, row in (data.get("clusters") or {}).items()}

    def judge(self) -> Iterator[str]:
        """Yield everything that is wrong, in the order in which it would happen."""
        yield from self._order()
        for step in self.steps:
            yield from (f"{step['host']}: {text}" for text in self._step(step))
        yield from self._restore()
        if self.steps:
            yield from self._trust()
        yield from self._end()

    def _phase(self, host: str) -> str:
        return str(min(self.rows[host]["services"], key=_FORWARDS.index))

    def _of(self, *phases: str) -> list[str]:
        return [host for host in self.rows if self._phase(host) in phases]

    def _movable(self, host: str) -> bool:
        return bool(self.rows[host].get("state") != "unreachable")

    def _order(self) -> Iterator[str]:
        ranks = [(_BACKWARDS.index(step["phase"]), step["batch"]) for step in self.steps]
        if any(later < earlier for earlier, later in pairwise(ranks)):
            yield "the phases do not go client tools, agents, proxies, auth, or batches do not rise"
        auth = _BACKWARDS.index("auth")
        if len({batch for _rank, batch in ranks}) != len(set(ranks)):
            yield "a batch holds two phases"
        if len({batch for rank, batch in ranks if rank == auth}) != sum(rank == auth for rank, _batch in ranks):
            yield "two auth servers change together"
        if len({step["host"] for step in self.steps}) != len(self.steps):
            yield "a host has two steps"

    def _step(self, step: Mapping[str, Any]) -> Iterator[str]:
        host = step["host"]
        if host not in self.rows or not self._movable(host):
            yield "it cannot be taken back"
            return
        if step["phase"] != self._phase(host) or step["cluster"] != self.plan["cluster"]:
            yield "its phase or cluster is not the one it belongs to"
        if step["from"] != str(self.at[host]) or step["to"] != str(self.to):
            yield f"the step says {step['from']} to {step['to']}, it runs {self.at[host]}"
        if self.index(self.at[host]) - self.index(self.to) > 1:
            yield "it goes back more than one release line"
        if step["phase"] == "auth":
            yield from self._auth_step(host)
        elif self.to > self.at[host]:
            yield "it would be upgraded"
        faults = self._faults(host)
        self.at[host] = self.to
        yield from sorted(self._faults(host) - faults)

    def _auth_step(self, host: str) -> Iterator[str]:
        if self.index(self.at[host]) < self.index(self.to):
            yield "an auth server would be upgraded to another line"
        ahead = [one for one in self._of("proxy", "agent", "client") if self.at[one] > self.to and self._movable(one)]
        if ahead:
            yield f"{ahead[0]} is newer than this auth server becomes"

    def _faults(self, host: str) -> set[str]:
        """Return what is out of order between an instance that is no auth server and those that serve it."""
        phase = self._phase(host)
        if phase == "auth":
            return set()
        own = self.index(self.at[host])
        auths = [self.index(self.at[one]) for one in self._of("auth")]
        served = {"agent": ("proxy",), "client": ("proxy",), "proxy": ()}[phase]
        proxies = [self.index(self.at[one]) for one in self._of(*served)] if served else []
        serving = {"proxy": ("agent", "client"), "agent": (), "client": ()}[phase]
        clients = [self.index(self.at[one]) for one in self._of(*serving) if self._movable(one)] if serving else []
        faults = set()
        if any(own < server - 1 for server in [*auths, *proxies]):
            faults.add("it falls more than one line behind those who serve it")
        if any(own < client for client in clients):
            faults.add("it gets older than those it serves")
        return faults

    def _restore(self) -> Iterator[str]:
        auths = [step for step in self.steps if step["phase"] == "auth"]
        restoring = [step for step in auths if step["restores"]]
        if bool(restoring) != bool(self.plan["restore"]) or len(restoring) > 1 or restoring != auths[: len(restoring)]:
            yield "the backend is not restored once, by the auth server that goes first"
        if restoring and {step["host"] for step in auths} != set(self._of("auth")):
            yield "the backend is restored and not all of the auth servers are stopped for it"
        crossing = [step for step in auths if self.index(Version.parse(step["from"])) > self.index(self.to)]
        free = [step["host"] for step in crossing if not self.rows[step["host"]].get("held")]
        if crossing and not restoring and (free or not self._served()):
            yield "auth servers go back across a release line without a restore"

    def _served(self) -> bool:
        """Whether an auth server at the version to return to owns the backend already."""
        return any(
            Version.parse(self.rows[host]["version"]) == self.to and not self.rows[host].get("held")
            for host in self._of("auth")
        )

    def _trust(self) -> Iterator[str]:
        line = self.index(self.to)
        for row in self.other_auths:
            name, other = str(row.get("cluster") or "main"), self.index(Version.parse(row["version"]))
            if self.roots.get(name) == self.plan["cluster"] and other > line:
                yield f"leaf {name} gets newer than its root"
            if self.roots.get(self.plan["cluster"]) == name and other > line + 1:
                yield f"the cluster falls more than one line behind its root {name}"

    def _end(self) -> Iterator[str]:
        for host, version in sorted(self.at.items()):
            if not self._movable(host):
                continue
            if self._phase(host) == "auth" and version != self.to:
                yield f"auth server {host} ends at {version}, not at {self.to}"
            elif version > self.to:
                yield f"{host} ends at {version}, newer than its auth servers at {self.to}"
