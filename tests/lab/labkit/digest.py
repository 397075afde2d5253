# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proof that nothing changed: a digest of the files and units of hosts, and the differences of two such digests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from . import podman
from .parallel import on_each
from .settings import Settings

SCRIPT = podman.SCRIPTS / "digest_host.py"
# Everything an upgrade may touch. Missing folders are fine: their coming into being is a difference.
ROOTS = (
    "/etc",
    "/usr/local",
    "/opt",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/root/.tsh",
    "/var/lib/teleport*",
    "/var/lib/lockstep*",
    "/var/cache/lockstep*",
    "/var/backups",
    "/var/tmp",
    "/home",
)
# What running processes and logins change by themselves. Of these only kind, mode and owner count.
VOLATILE_CONTENT = (
    # Heartbeats are written to the backend all the time.
    "/var/lib/teleport*/backend/*",
    "/var/lib/teleport*/*.db*",
    "/var/lib/teleport*/proc/*",
    "/var/lib/teleport*/cache/*",
    "/var/lib/teleport*/log/*",
)
# Left behind by Ansible's own connection, or by systemd for its units; what SQLite has only while it writes.
IGNORED = (
    "/home/ops/.ansible*",
    "/var/tmp/systemd-private-*",
    "/var/tmp/ansible*",
    "/var/lib/teleport*/backend/*-journal",
)


def digest_hosts(settings: Settings, hosts: Sequence[str]) -> dict[str, Any]:
    """``{host: {files: {path: …}, units: {unit: {property: value}}}}``; files are described as digest_host.py says."""
    question = json.dumps({"roots": ROOTS, "volatile": VOLATILE_CONTENT, "ignored": IGNORED})
    script = SCRIPT.read_bytes()

    def ask(host: str) -> Any:
        return json.loads(podman.execute(settings, host, ["python3", "-", question], stdin=script).stdout)

    return dict(zip(hosts, on_each(ask, hosts, workers=3), strict=True))


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line per difference, ``host: subject: what``; empty when the digests are equal."""
    lines = []
    for host in sorted({*before, *after}):
        if host not in before or host not in after:
            lines.append(f"{host}: only in the {'first' if host in before else 'second'} digest")
            continue
        for part in ("files", "units"):
            lines += [f"{host}: {line}" for line in _compare_part(before[host][part], after[host][part])]
    return lines


def _compare_part(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in sorted({*before, *after}):
        if name not in before:
            lines.append(f"{name}: new")
        elif name not in after:
            lines.append(f"{name}: gone")
        else:
            keys = sorted({*before[name], *after[name]})
            changed = [key for key in keys if before[name].get(key) != after[name].get(key)]
            lines += [f"{name}: {key}: {before[name].get(key)} -> {after[name].get(key)}" for key in changed]
    return lines
