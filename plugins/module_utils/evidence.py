# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a failure: enough to find its cause, bounded in size, without secrets."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional

from ansible_collections.lockstep.teleport.plugins.module_utils import foreign_file, process, readiness, service
from ansible_collections.lockstep.teleport.plugins.module_utils.config_hints import LARGEST_CONFIG
from ansible_collections.lockstep.teleport.plugins.module_utils.host import Host, HostError
from ansible_collections.lockstep.teleport.plugins.module_utils.plain_text import printable, without_login

LINES = 60
_LONGEST_LINE = 400
_LONGEST_READ = 2000
_MASK = "********"
_JOURNAL = ("journalctl", "--no-pager", "--quiet", "--output", "short-iso")

_KEYED_RE = re.compile(
    r"(?i)((?:token|secret|passw(?:or)?d|private[_-]?key|authorization|bearer)[\w.-]{0,40}[\"']?\s{0,9}[=:]\s{0,9}|bearer\s+)"
    r"((?:basic|bearer)\s+\S+|\"[^\"]*\"|'[^']*'|[^\s,;]+)"
)
_PEM_RE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_PEM_END_RE = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")
_IN_CONFIG_RE = re.compile(
    r"(?i)(?:token|secret|passw(?:or)?d|access_key|\bpin)[\w-]{0,60}[\"']?[ \t]{0,9}[:=]"
    r"[ \t]{0,9}[\"']?([^\"'\s#\[{,}]{6,})"
    r"|(?:^[ \t]*-|\[)[ \t]*[\"']?[a-z_,]{1,60}:([^\"'\s#\]]{6,})"
    r"|://[^:/\s]{0,99}:([^@/\s]{6,})@"
)


def secrets_in(configuration: str) -> List[str]:
    """Guess the secrets in a ``teleport.yaml``, so that they can be taken out of logs that repeat them.

    Paths are none: ``auth_token: /path`` names a file.
    """
    # Line by line, and only so far into each: a hostile file must not keep the expression busy for ever.
    lines = (line[:_LONGEST_READ] for line in configuration.splitlines())
    found = {value for line in lines for pair in _IN_CONFIG_RE.findall(line) for value in pair if value}
    # Longer ones first: one may be part of another.
    return sorted((value for value in found if not value.startswith("/")), key=lambda value: (-len(value), value))


def redact(lines: Iterable[str], secrets: Iterable[str] = ()) -> List[str]:
    """Mask what looks like a secret, and every one of *secrets*, and shorten long lines."""
    known = list(secrets)
    result = []
    inside_key = False
    for whole in lines:
        line = _cut(whole)
        inside_key = inside_key or bool(_PEM_RE.search(line))
        if inside_key:
            inside_key = not _PEM_END_RE.search(line)
            result.append(_MASK)
            continue
        for secret in known:
            line = line.replace(secret, _MASK)
        line = without_login(_KEYED_RE.sub(r"\1" + _MASK, line))
        result.append(printable(line)[:_LONGEST_LINE])
    return result


def _cut(line: str) -> str:
    """Shorten a line before it is searched, at a blank: half a secret would not be recognised."""
    if len(line) <= _LONGEST_READ:
        return line
    return line[:_LONGEST_READ].rpartition(" ")[0] or _MASK


def collect(host: Host, instance: Mapping[str, Any], since: float) -> Dict[str, Any]:
    """Look at a failed instance: end of its log since *since* (epoch seconds), readiness, unit, versions.

    Never raises: what cannot be had is said in its place. Of client tools alone there is nothing to see.

    :param instance: what ``instance_info`` returned.
    """
    name, config = (instance.get("unit") or {}).get("name"), instance.get("config") or {}
    if not name or list(instance.get("services") or ()) == ["client"]:
        return {}
    try:
        unit = service.unit_name(str(name))
    except HostError as problem:
        return {"unit": {"error": str(problem)}}
    secrets = secrets_in(_read(str(config.get("path") or "")))
    journal = host.run([*_JOURNAL, "--unit", unit, "--since", f"@{int(since):d}", "--lines", str(LINES)])
    found: Dict[str, Any] = {"journal": redact(journal.text.splitlines()[-LINES:], secrets)}
    try:
        shown = service.show(host, unit)
        found["unit"] = shown.facts()
        found["versions"] = {"running": _running(host, shown.main_pid)}
    except HostError as problem:
        found["unit"] = {"error": str(problem)}
    answer = readiness.probe(config.get("diag_addr"), config.get("data_dir"))
    found["readiness"] = answer.facts() if answer else None
    return found


def _running(host: Host, pid: int) -> Optional[str]:
    if not pid:
        return None
    answer = process.ask_version(host, process.executable_link(host, pid))
    return str(answer.output.release) if answer.output else answer.error


def _read(path: str) -> str:
    try:
        return foreign_file.read(path, LARGEST_CONFIG).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
