# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hop in four runs of their own: which part of a plan belongs to which phase, and whether it may run now. Pure.

A phase is decided from a plan that was made just now, never from what an earlier run said it did: what is still to be
done is what stands in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils.version import Version
from ansible_collections.lockstep.teleport.plugins.plugin_utils.plan import sealed

Plan = Mapping[str, Any]
Step = Mapping[str, Any]
HostVars = Mapping[str, Mapping[str, Any]]

AUTH, PROXIES, AGENTS, LEAVES = "auth", "proxies", "agents", "leaves"
#: In the order in which they have to run.
PHASES = (AUTH, PROXIES, AGENTS, LEAVES)
PLAYBOOKS = {phase: f"lockstep.teleport.upgrade_{phase}" for phase in PHASES}

#: What a job has to know of a server to reach and observe it. No secrets: those are the credential's business.
DOOR = (
    "ansible_become",
    "ansible_become_method",
    "ansible_become_user",
    "ansible_connection",
    "ansible_host",
    "ansible_port",
    "ansible_python_interpreter",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_user",
    "teleport_bin_dir",
    "teleport_cluster",
    "teleport_config_path",
    "teleport_diag_addr",
    "teleport_lock_dir",
    "teleport_service",
    "teleport_versions_dir",
)
SERVERS = {"auth", "proxy"}

_PHASE_OF_ROOTS = {"auth": AUTH, "proxy": PROXIES, "agent": AGENTS, "client": AGENTS}
_MOST_NAMED = 10


def target(
    instances: Iterable[Mapping[str, Any]],
    phase: str,
    approved: Mapping[str, Any],
    clusters: Mapping[str, Any],
    wanted: str = "",
) -> str:
    """Return the version that a phase goes to: that of the approved hop, else that of the roots' auth servers now.

    Proxies, agents and leaves follow the auth servers of the root clusters, so these say where the hop goes that is
    under way. Only auth servers move on towards the version that is *wanted*.

    :raises ValueError: for a phase that there is none of.
    """
    _known(phase)
    if approved:
        return str(approved["to"])
    leaves = {name for name, cluster in clusters.items() if (cluster or {}).get("root")}
    roots = [
        Version.parse(instance["version"])
        for instance in instances
        if "auth" in instance["services"] and instance["version"] and instance["cluster"] not in leaves
    ]
    return wanted if phase == AUTH or not roots else str(max(roots))


def part(plan: Plan, phase: str) -> dict[str, Any]:
    """Return the plan with only those stages and steps of its first hop that belong to a phase.

    :raises ValueError: for a phase that there is none of.
    """
    _known(phase)
    stages: list[dict[str, Any]] = []
    for stage, steps in _by_stage(plan, phase):
        stages.append({**stage, "index": len(stages), "steps": steps})
    return sealed({**{key: value for key, value in plan.items() if key != "digest"}, "stages": stages})


def approvable(plan: Plan, instances: Iterable[Mapping[str, Any]], hostvars: HostVars) -> dict[str, Any]:
    """Return what is approved with the first hop of a plan, small enough to be handed from job to job.

    ``digest`` of the whole plan, its ``target_version``, ``to``, the version that the hop goes to, ``hops``, how many
    there are, ``work``: for each phase the hosts by the version they go to, and ``servers``: how the auth servers and
    proxies are reached, for jobs whose share of the inventory lacks them.
    """
    work: dict[str, dict[str, list[str]]] = {phase: defaultdict(list) for phase in PHASES}
    for phase in PHASES:
        for _stage, steps in _by_stage(plan, phase):
            for step in steps:
                work[phase][step["to"]].append(step["host"])
    return {
        "digest": plan["digest"],
        "target_version": plan["target_version"],
        "to": _hop_of(plan)["to"] if plan["stages"] else plan["target_version"],
        "hops": len(plan["hops"]),
        "work": {phase: dict(hosts) for phase, hosts in work.items()},
        "servers": {
            instance["host"]: _door(hostvars[instance["host"]])
            for instance in instances
            if not SERVERS.isdisjoint(instance["services"])
        },
    }


def _door(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: variables[name] for name in DOOR if variables.get(name) is not None}


def refusal(plan: Plan, phase: str, approved: Mapping[str, Any]) -> str:
    """Say why a phase must not run now; empty when it may.

    *approved* is what `approvable` returned before the hop, empty when nothing was.

    :raises ValueError: for a phase that there is none of.
    """
    _known(phase)
    return _too_early(plan, phase) or _unapproved(plan, phase, approved)


def slice_refusal(hosts: Iterable[str], phase: str, approved: Mapping[str, Any]) -> str:
    """Say why a phase must not run with nothing but these hosts in its inventory; empty when it may.

    AWX tells no job that it is one slice of several; but a slice does not see all the hosts that the plan saw.

    :raises ValueError: for a phase that there is none of.
    """
    _known(phase)
    if phase == AGENTS:
        return ""
    wanted = {host for names in approved.get("work", {}).get(phase, {}).values() for host in names}
    missing = sorted((wanted | set(approved.get("servers", {}))) - set(hosts))
    if not missing:
        return ""
    return (
        f"This run does not see {_named(missing)}, which the plan has. Only {PLAYBOOKS[AGENTS]} may work on a share of "
        "the inventory: set the job slicing of this template to 1. If hosts were taken out of the inventory, plan anew."
    )


def limit_refusal(hosts: Collection[str], limit: str, phase: str, approved: Mapping[str, Any]) -> str:
    """Say why a run must not be limited as it is; empty when it may.

    A limit hides the controller, and with it the plan, from all plays. Agents have no order among themselves: once it
    is known which servers to ask (*approved*), some can be upgraded without the others. *hosts* are those that the
    *limit* leaves; *phase* is empty in playbooks that have none.
    """
    if "localhost" in hosts or (phase == AGENTS and approved.get("servers")):
        return ""
    told = (
        f"This run is limited to {limit!r}. The order can only be kept over all hosts, so nothing has been done. "
        f"Run {f'{PLAYBOOKS[phase]} ' if phase else ''}without --limit (in AWX, relaunch on all hosts: the run goes on "
        "from what it finds, and a host that is done costs one look); to work on a part of the inventory, name all "
        "hosts of whole clusters with -e teleport_hosts=PATTERN."
    )
    if phase == AGENTS:
        told += (
            " Agents alone can be run with a limit where teleport_approved_hop is given, which lockstep.teleport.plan "
            "hands on and which names the servers to ask."
        )
    return told


def _too_early(plan: Plan, phase: str) -> str:
    for earlier in PHASES[: PHASES.index(phase)]:
        waiting = [step["host"] for _stage, steps in _by_stage(plan, earlier) for step in steps]
        if waiting:
            return (
                f"It is not yet the turn of the {phase}: on the way to {_hop_of(plan)['to']}, "
                f"{_named(waiting)} come first. Run {PLAYBOOKS[earlier]}."
            )
    return ""


def _unapproved(plan: Plan, phase: str, approved: Mapping[str, Any]) -> str:
    if not approved:
        return ""
    allowed = {(host, to) for to, hosts in approved["work"][phase].items() for host in hosts}
    more = [
        f"{step['host']} to {step['to']}"
        for _stage, steps in _by_stage(plan, phase)
        for step in steps
        if (step["host"], step["to"]) not in allowed
    ]
    if not more:
        return ""
    return (
        f"What is observed now needs more than was approved (plan {approved['digest'][:12]}): {_named(more)}. "
        "Plan and approve anew."
    )


def _by_stage(plan: Plan, phase: str) -> Iterator[tuple[Mapping[str, Any], list[Step]]]:
    """Yield the stages of the first hop that have steps of a phase, with these steps."""
    stages = plan["stages"]
    own = [stage for stage in stages if stage["hop"] == stages[0]["hop"]]
    for place, stage in enumerate(own):
        steps = [step for step in stage["steps"] if _phase_of(stage, step, own[place:]) == phase]
        if steps:
            yield stage, steps


def _phase_of(stage: Mapping[str, Any], step: Step, onwards: Iterable[Mapping[str, Any]]) -> str:
    # Whoever would be cut off by the roots' auth servers has to be brought up before these move, in leaves too.
    if stage["kind"] == "laggards" and any(later["level"] == 0 for later in onwards):
        return AUTH
    return LEAVES if stage["level"] > 0 else _PHASE_OF_ROOTS[step["phase"]]


def _hop_of(plan: Plan) -> Mapping[str, Any]:
    hop: Mapping[str, Any] = plan["hops"][plan["stages"][0]["hop"]]
    return hop


def _known(phase: str) -> None:
    if phase not in PHASES:
        raise ValueError(f"{phase!r} is no phase; allowed are {', '.join(PHASES)}")


def _named(names: list[str]) -> str:
    listed = list(dict.fromkeys(names))
    more = len(listed) - _MOST_NAMED
    return ", ".join(listed[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
