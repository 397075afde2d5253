# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said against an upgrade or about it: the table of codes, findings, and waiving them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import (
    BLOCKER,
    CODES,
    SEVERITIES,
    WAIVED,
    WARNING,
)

_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_SHOWN_IN_MESSAGE = 100


@dataclass(frozen=True)
class Finding:
    """One thing to know before an upgrade. ``cluster`` and ``host`` are None where it concerns none in particular."""

    code: str
    severity: str
    message: str
    hint: str
    cluster: str | None = None
    host: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """Return the finding as it stands in a plan."""
        return {
            "code": self.code,
            "severity": self.severity,
            "cluster": self.cluster,
            "host": self.host,
            "message": self.message,
            "hint": self.hint,
        }


def finding(
    code: str,
    message: str,
    *,
    cluster: str | None = None,
    host: str | None = None,
    severity: str | None = None,
    hint: str | None = None,
) -> Finding:
    """Make a finding of the planner's own; severity and hint are the code's unless given."""
    row = CODES[code]
    return Finding(code, severity or row.severity, message, row.hint if hint is None else hint, cluster, host)


def foreign(data: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Take over what others found before, e.g. the observation of a host; their codes need not be in the table.

    Blockers of a code that the table does not know can be waived: whoever found them left the decision to the policy.
    A severity nobody knows blocks, so that a finding can never be lost by a misspelling.
    """
    return [
        Finding(
            code=str(item.get("code") or "unnamed"),
            severity=item["severity"] if item.get("severity") in SEVERITIES else BLOCKER,
            message=str(item.get("message") or ""),
            hint=str(item.get("hint") or ""),
            cluster=_text_or_none(item.get("cluster")),
            host=_text_or_none(item.get("host")),
        )
        for item in data
    ]


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def is_waivable(code: str) -> bool:
    """Whether a blocker of this code may be accepted by naming the code."""
    return code not in CODES or CODES[code].waivable


def apply_waivers(findings: Iterable[Finding], waivers: Collection[str]) -> list[Finding]:
    """Return the findings with accepted blockers marked ``waived``, and what is wrong with the waivers themselves."""
    given = list(findings)
    accepted = [
        replace(item, severity=WAIVED)
        if item.severity == BLOCKER and item.code in waivers and is_waivable(item.code)
        else item
        for item in given
    ]
    return accepted + _judge_waivers(waivers, {item.code for item in given})


def _judge_waivers(waivers: Collection[str], found: Collection[str]) -> list[Finding]:
    judged = []
    for code in sorted(set(waivers)):
        if code not in CODES and code not in found:
            judged.append(
                finding("waiver-unknown", f"The waiver {code!r} names no finding that the planner or this run knows.")
            )
        elif not is_waivable(code) and code in found:
            judged.append(
                finding("waiver-refused", f"The waiver {code!r} has no effect: this finding cannot be waived.")
            )
    return judged


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, each once, the gravest first and otherwise in an order that input order cannot change."""
    return sorted(
        set(findings),
        key=lambda item: (
            _RANK[item.severity],
            item.code,
            item.cluster or "",
            item.host or "",
            item.message,
            item.hint,
        ),
    )


def blockers(findings: Iterable[Finding]) -> list[Finding]:
    """Return what forbids the upgrade."""
    return [item for item in findings if item.severity == BLOCKER]


def warnings(findings: Iterable[Finding]) -> list[Finding]:
    """Return what whoever starts the upgrade should read."""
    return [item for item in findings if item.severity == WARNING]


def message(findings: Iterable[Finding]) -> str:
    """Say in plain lines what forbids the upgrade and what to do about it; a long list ends with how many are left."""
    found = blockers(findings)
    noun = "blocker" if len(found) == 1 else "blockers"
    lines = [f"The upgrade is refused, {len(found)} {noun}; nothing has been changed."]
    lines += [
        f"- [{item.code}] {_place(item)}{item.message} {item.hint}".rstrip() for item in found[:_SHOWN_IN_MESSAGE]
    ]
    if len(found) > _SHOWN_IN_MESSAGE:
        lines.append(f"- and {len(found) - _SHOWN_IN_MESSAGE} more, see 'findings'.")
    return "\n".join(lines)


def _place(item: Finding) -> str:
    place = ", ".join(
        text
        for text in (f"cluster {item.cluster}" if item.cluster else "", f"host {item.host}" if item.host else "")
        if text
    )
    return f"{place}: " if place else ""
