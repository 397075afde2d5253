# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollback as Markdown: what is lost, every step before it is done, and afterwards what happened. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.stage_view import hosts_of, serial_sizes

_PHASES = {"client": "Client tools", "agent": "Agents", "proxy": "Proxies"}
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def render(plan: Mapping[str, Any], *, refused: bool = False) -> str:
    """Return the Markdown of a rollback plan; of a refused one, what speaks against it."""
    to = plan["target_version"]
    lines = [f"# Rollback of Teleport cluster {plan['cluster']}{f' to {to}' if to else ''}", ""]
    if refused:
        lines += ["**Refused.** Nothing has been changed. What speaks against it is below.", ""]
    elif not plan["stages"]:
        lines += [f"Everything is at {to} already. Nothing is to be done.", ""]
    if plan["backup"]:
        backup = plan["backup"]
        lines += [f"- Backup: `{backup['path']}` on {backup['host']}, of {backup['version']}, {backup['created']}", ""]
    lines += [*_lost(plan["lost"]), *_findings(plan["findings"])]
    steps = plan["preview"] if refused else list(sequence(plan))
    if steps:
        title = "Steps that would follow" if refused else "Steps, in this order"
        lines += [f"## {title}", "", *(f"{number}. {text}" for number, text in enumerate(steps, 1)), ""]
    return "\n".join(lines).rstrip() + "\n"


def sequence(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence for each step of a rollback, in order."""
    to = plan["target_version"]
    for phase, name in _PHASES.items():
        hosts = hosts_of(plan, 0, phase)
        for size in serial_sizes(plan, 0, phase):
            batch, hosts = hosts[:size], hosts[size:]
            yield f"{name} back to {to}, proven on the host: {', '.join(batch)}"
    yield from _auth_steps(plan, hosts_of(plan, 0, "auth"), to)


def _auth_steps(plan: Mapping[str, Any], auths: Sequence[str], to: str) -> Iterator[str]:
    if plan["restore"]:
        backup = plan["backup"]
        yield f"Stop all auth servers, keep them from starting, and prove it on each: {', '.join(auths)}"
        yield (
            f"On {backup['host']}: keep the backend as it is found in `failed-<UTC time>` beside the backups, restore "
            f"{backup['name']}, and compare"
        )
    for number, host in enumerate(auths):
        yield f"Auth server {host} to {to}, released, started and proven"
        if number == 0:
            yield f"Gate: the cluster answers at {to}, and no other auth server does"
    if plan["stages"]:
        yield f"Gate: the cluster lists every instance of it that went back, at {to}"


def span(seconds: int | None) -> str:
    """Say a time span with its two largest units."""
    if seconds is None:
        return "an unknown time"
    parts = []
    for size, name in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'s' * (count > 1)}")
    return " ".join(parts[:2]) or "less than a second"


def _lost(lost: Mapping[str, Any] | None) -> list[str]:
    if not lost:
        return []
    until = lost["until"] or "now"
    return [
        "## What is lost",
        "",
        f"What was written to the backend from {lost['since']} to {until}, **{span(lost['seconds'])}**:",
        "",
        *(f"- {kind}" for kind in lost["kinds"]),
        "",
        "The backend as it is found is kept on the host, so that single records can be looked up later.",
        "",
    ]


def _findings(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    if not findings:
        return []
    lines = ["## Findings", ""]
    for item in findings:
        place = " / ".join(str(item[key]) for key in ("cluster", "host") if item[key])
        where = f"{place}: " if place else ""
        lines.append(f"- **{item['severity']}** `{item['code']}` {where}{item['message']} *{item['hint']}*")
    return [*lines, ""]
