# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept on the controller of a run that failed: which files, and what may stand in them. Pure.

Hosts mask secrets before they send anything. Here everything is masked once more, with what only the controller knows:
the values of the inventory's own secret variables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.lockstep.teleport.plugins.module_utils import evidence

HostVars = Mapping[str, Mapping[str, Any]]

#: Bytes of one file; what is longer is cut, because a folder of evidence is to be sent and read.
MOST_BYTES = 262_144
_MASK = "********"
#: Shorter values would mask parts of ordinary words.
_SHORTEST_SECRET = 6
_SECRET_NAME = re.compile(r"(?i)token|secret|pass(word|wd|phrase|$)|private_?key|credential|_key$|api_?key")
#: Results of the tasks that change a host or judge it.
_RESULTS = (
    "agent_upgrade", "proxy_upgrade", "client_upgrade", "auth_upgrade", "rollback_upgrade", "rollback_restored",
    "lock_renewal",
)  # fmt: skip
_FAILURES = ("auth_failure", "gate_failure")
_KEPT = ("msg", "versions", "timeline", "outage", "rolled_back", "unfinished", "evidence", "backup")


def evidence_files(
    plan: Mapping[str, Any], report: Mapping[str, Any], hostvars: HostVars, hosts: Iterable[str]
) -> list[dict[str, str]]:
    """Return the files of an evidence folder: ``path`` below it and ``content``, at most ``MOST_BYTES`` each.

    There are ``plan.json``, ``findings.json``, ``report.json`` and ``hosts/<name>.json`` for each of *hosts*.
    """
    names = list(hosts)
    secrets = known_secrets(hostvars, names)
    parts: dict[str, Any] = {
        "plan.json": plan,
        "findings.json": plan.get("findings") or [],
        "report.json": {key: value for key, value in report.items() if key != "plan"},
    }
    for name in names:
        parts[f"hosts/{_file_name(name)}.json"] = host_part(name, report, hostvars[name])
    return [{"path": path, "content": _content(part, secrets)} for path, part in parts.items()]


def host_part(name: str, report: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of one host: what it ran, what was done there, and what was seen there at the end."""
    row: Mapping[str, Any] = next((row for row in report["hosts"] if row["host"] == name), {})
    results = {key: variables.get(key) or {} for key in _RESULTS}
    return {
        "host": name,
        "versions": {"before": row.get("before", row.get("from")), "after": row.get("after")},
        "failures": [str(variables[key]) for key in _FAILURES if variables.get(key)],
        "results": {
            task: {key: result[key] for key in _KEPT if key in result}
            for task, result in results.items()
            if isinstance(result, Mapping) and result
        },
        "now": (variables.get("report_seen") or {}).get("evidence") or "could not be asked",
    }


def versions_seen(hostvars: HostVars, hosts: Iterable[str]) -> dict[str, str | None]:
    """Return what each of *hosts* was found to run when it was looked at; hosts that did not answer are left out.

    None means that the unit does not run.
    """
    found: dict[str, str | None] = {}
    for name in hosts:
        seen = (hostvars[name].get("report_seen") or {}).get("evidence") or {}
        if "versions" in seen:
            found[name] = seen["versions"].get("running")
    return found


def known_secrets(hostvars: HostVars, hosts: Iterable[str]) -> list[str]:
    """Return the values of the hosts' variables that are named like secrets, the longest first. Paths are none."""
    found: set[str] = set()
    for host in hosts:
        variables = hostvars[host]
        for name in [name for name in variables if _SECRET_NAME.search(str(name))]:
            value = variables[name]
            if isinstance(value, str) and len(value) >= _SHORTEST_SECRET and not value.startswith("/"):
                found.update(line for line in value.splitlines() if len(line) >= _SHORTEST_SECRET)
    return sorted(found, key=lambda value: (-len(value), value))


def redact(value: Any, secrets: Collection[str]) -> Any:
    """Return *value* with every secret masked: by its key's name, by its look, or because it is one of *secrets*."""
    if isinstance(value, Mapping):
        return {str(key): _redact_item(str(key), item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return _redact_lines(value, secrets)
    if isinstance(value, str):
        return "\n".join(evidence.redact(value.split("\n"), secrets))
    return value


def _redact_item(key: str, value: Any, secrets: Collection[str]) -> Any:
    if _SECRET_NAME.search(key) and isinstance(value, (str, list, tuple)) and value:
        return _MASK
    return redact(value, secrets)


def _redact_lines(value: Iterable[Any], secrets: Collection[str]) -> list[Any]:
    items = list(value)
    if items and all(isinstance(item, str) for item in items):
        # A private key in a log is several entries of one list.
        return evidence.redact(items, secrets)
    return [redact(item, secrets) for item in items]


def _content(part: Any, secrets: Collection[str]) -> str:
    text = json.dumps(redact(part, secrets), indent=2, sort_keys=True, default=str)
    if len(text.encode()) <= MOST_BYTES:
        return text + "\n"
    return text.encode()[:MOST_BYTES].decode(errors="ignore") + "\n… cut here, it is too long.\n"


def _file_name(host: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", host).lstrip(".") or "_"
