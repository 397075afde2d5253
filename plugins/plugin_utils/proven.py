# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the servers that a run has upgraded still run the processes that were proven then. Pure.

What dies later than its upgrade watched it (``teleport_stable_for``) does so while others are upgraded. To watch it
during its own upgrade would make the outage longer, or keep the peers down; to look at it again costs neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import Plan

HostVars = Mapping[str, Mapping[str, Any]]

#: The variable in which the role of a phase registers what ``instance_upgrade`` returned.
_RESULTS = {"auth": "auth_upgrade", "proxy": "proxy_upgrade"}
SERVERS = tuple(_RESULTS)


def servers(plan: Plan, index: int, phases: Collection[str] = SERVERS) -> list[str]:
    """Return the servers that the stages up to *index* change, each once, in the plan's order."""
    begun = (plan.get("stages") or [])[: index + 1]
    steps = (step for stage in begun for step in stage["steps"] if step["phase"] in phases)
    return list(dict.fromkeys(step["host"] for step in steps))


def looks_of(hosts: Iterable[str], hostvars: HostVars, active: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Return what each of *hosts* registered when it was looked at again (``gate_look``).

    What one that is not *active* any more registered is of an earlier look.
    """
    gone = {"msg": "it is unreachable"}
    return {host: (hostvars[host].get("gate_look") or {}) if host in active else gone for host in hosts}


def losses(looks: Mapping[str, Mapping[str, Any]], hostvars: HostVars) -> dict[str, str]:
    """Return a sentence for each host whose proven process is gone, by host.

    *looks* are the results of ``instance_info``. A host that was not looked at (a dry run looks at none), or was not
    upgraded in this run, has nothing to lose.
    """
    told = {host: _loss(_result(hostvars[host]), look) for host, look in looks.items() if _was_looked_at(look)}
    return {host: f"{host}: {text}" for host, text in told.items() if text}


def watch_left(variables: Mapping[str, Any], seconds: float, now: float) -> float:
    """Return for how long a server has still to be watched until it has been up for *seconds*.

    Seconds, at most *seconds* however far apart the clocks of host and controller are. *variables* are the host's,
    *now* is in seconds since the epoch.
    """
    ready_at = (_result(variables).get("outage") or {}).get("ready_at")
    return min(max(float(ready_at) + seconds - now, 0.0), seconds) if ready_at else 0.0


def _result(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the latest upgrade of a server returned, empty when there was none or it failed."""
    for name in _RESULTS.values():
        result: Mapping[str, Any] = variables.get(name) or {}
        if "instance_after" in result and not result.get("failed"):
            return result
    return {}


def _was_looked_at(look: Mapping[str, Any]) -> bool:
    return bool(look) and not look.get("skipped")


def _loss(result: Mapping[str, Any], look: Mapping[str, Any]) -> str:
    proof = result.get("instance_after") or {}
    pid = proof.get("main_pid")
    if not pid:
        return ""
    seen = look.get("instance")
    if not isinstance(seen, Mapping):
        why = str(look.get("msg") or "it could not be observed").rstrip(".")
        return f"does not answer any more since it was upgraded ({why})."
    unit = seen["unit"]
    proven = f"process {pid}, which was proven at {proof['version']},"
    if seen["state"] != "running":
        state = f"{unit['name']} is {unit.get('active_state')}, Result={unit.get('result')}"
        return f"{proven} is gone, and nothing runs in its place ({state})."
    if seen["running_version"] != proof["version"]:
        return f"{proven} was replaced by {seen['running_version']}."
    if unit.get("main_pid") != pid and unit.get("n_restarts") != 0:
        return f"{proven} has died since; {_restarted(unit.get('n_restarts'))}."
    # Another process that systemd did not restart by itself: somebody did, or the host booted. It is no death.
    return ""


def _restarted(times: int | None) -> str:
    # systemd before 235 does not count, so a restart by hand looks the same there.
    return "another runs in its place" if times is None else f"systemd has restarted it {times} times"
