# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rotation as Markdown: the phases before, what was done afterwards, and the pins of both. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import rotation

_SHOWN = 25


def plan(document: Mapping[str, Any]) -> str:
    """Return the Markdown of what ``rotation_plan.build`` planned or refused."""
    lines = ["# Rotation of certificate authorities", ""]
    if document["refused"]:
        lines += ["**Refused.** Nothing has been changed. What speaks against it is below.", ""]
    for cluster in document["clusters"]:
        lines += _cluster(cluster)
    return "\n".join([*lines, *_findings(document["findings"])]).rstrip() + "\n"


def report(document: Mapping[str, Any]) -> str:
    """Return the Markdown of what ``build_report`` summed up."""
    lines = [
        "# Rotation of certificate authorities",
        "",
        f"**{document['state'].capitalize()}.** {document['reason']}",
        "",
    ]
    for cluster in document["clusters"]:
        lines += [f"## {cluster['cluster']}", ""]
        lines += [f"- {step['at']}: {step['phase']} ({', '.join(step['types'])})" for step in cluster["done"]]
        lines += [f"- left to do: {step['phase']} ({', '.join(step['types'])})" for step in cluster["left"]]
        lines += ["" if cluster["done"] or cluster["left"] else "Nothing was to be done.\n", *_pins(cluster)]
    return "\n".join(lines).rstrip() + "\n"


def build_report(
    planned: Mapping[str, Any], hostvars: Mapping[str, Mapping[str, Any]], record: Mapping[str, Any], dry_run: bool
) -> dict[str, Any]:
    """Sum a rotation up: ``state`` (``completed``, ``refused``, ``stopped``, ``paused``, ``dry run``) and each cluster.

    *hostvars* hold ``rotation_done``, the phases each auth host entered, and ``rotation_now``, its last answer;
    *record* is why the run stopped, if it did.
    """
    clusters = [_outcome(cluster, hostvars.get(cluster["host"]) or {}) for cluster in planned["clusters"]]
    reason = str(record.get("reason") or "")
    if planned["refused"]:
        state, reason = "refused", " ".join(f["message"] for f in planned["findings"] if f["severity"] == "blocker")
    else:
        state = str(record.get("kind") or ("dry run" if dry_run else "completed"))
    document = {"state": state, "reason": reason, "clusters": clusters}
    return {**document, "markdown": report(document)}


def _outcome(cluster: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    done = list(variables.get("rotation_done") or [])
    now = variables.get("rotation_now") or {}
    before, after = cluster["ca_pins"], now.get("ca_pins") or cluster["ca_pins"]
    return {
        "cluster": cluster["cluster"],
        "done": done,
        "left": [{"phase": s["phase"], "types": s["types"]} for s in cluster["steps"][len(done) :]],
        "phases": now.get("phases") or cluster["phases"],
        "ca_pins_before": before,
        "ca_pins": after,
        "ca_pins_gone": sorted(set(before) - set(after)),
        "ca_pins_new": sorted(set(after) - set(before)),
        "configs_to_change": cluster["pinned"] if set(before) - set(after) else [],
    }


def _cluster(cluster: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"## {cluster['cluster']}", "")
    standing = ", ".join(f"{kind}: {phase}" for kind, phase in cluster["phases"].items()) or "unknown"
    yield f"- Authorities: {standing}"
    yield from (f"- CA pin: `{pin}`" for pin in cluster["ca_pins"])
    yield f"- Gate at present: {_gate(cluster)}"
    yield ""
    if not cluster["steps"]:
        yield from ("Nothing is to be done.", "")
    for number, step in enumerate(cluster["steps"], 1):
        yield f"{number}. **{step['phase']}** ({', '.join(step['types'])}): {step['meaning']}"
        yield f"   - gate: {_waits_for(cluster, step)}"
    yield ""
    if any(rotation.HOST in step["types"] and step["phase"] == rotation.INIT for step in cluster["steps"]):
        yield from ("The CA pin changes; the new one is shown once it is made, and in the report.", "")


def _gate(cluster: Mapping[str, Any]) -> str:
    if not cluster["missing"]:
        return f"open, {cluster['reported']} services report the present phase" if cluster["phases"] else "unknown"
    names = [str(entry["host"]) for entry in cluster["missing"]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"closed by {', '.join(names[:_SHOWN])}{more}"


def _waits_for(cluster: Mapping[str, Any], step: Mapping[str, Any]) -> str:
    parts = []
    if rotation.REPORTED in step["types"]:
        parts.append("every instance reports it")
    if cluster["peers"]:
        parts.append(f"the copies of {', '.join(peer['cluster'] for peer in cluster['peers'])} hold the keys")
    if cluster["settle"]:
        parts.append("teleport_rotate_settle has passed, for what nothing shows")
    return ", ".join(parts) or "the Auth Service shows it"


def _pins(cluster: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"- CA pin gone: `{pin}`" for pin in cluster["ca_pins_gone"])
    yield from (f"- CA pin new: `{pin}`" for pin in cluster["ca_pins_new"])
    # A run that goes on where another was killed finds the new pin in place.
    yield from (f"- CA pin as before: `{pin}`" for pin in cluster["ca_pins"] if pin not in cluster["ca_pins_new"])
    if cluster["configs_to_change"]:
        yield f"- teleport.yaml names a pin that is gone: {', '.join(cluster['configs_to_change'])}"
    yield ""


def _findings(findings: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    listed = list(findings)
    if listed:
        yield from ("## Findings", "")
    for item in listed:
        place = " / ".join(str(item[key]) for key in ("cluster", "host") if item[key])
        yield f"- **{item['severity']}** `{item['code']}` {place}: {item['message']} *{item['hint']}*"
