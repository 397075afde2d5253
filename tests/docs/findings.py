# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/findings.md: every code that a plan, a host, a gate or a verification can name, and what it means.

Run it after a change to a code, with the folder that holds ansible_collections on PYTHONPATH. What the planner finds is
in its own table; for the others the meanings are here, and a test holds them against the codes in the sources.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import is_waivable
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import CODES
from ansible_collections.lockstep.teleport.plugins.plugin_utils.gate import LASTING
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import rules

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "findings.md"

#: By the file that finds them.
MEANINGS: dict[str, dict[str, str]] = {
    "instance": {
        "not-systemd": "systemd does not run on the host; instances are restarted through it only.",
        "unit-unreadable": "systemd does not answer.",
        "busy": "Another upgrade is at work on the host, and did not end in the time that was waited.",
        "clock-off": "The host's clock is more than a minute off the controller's.",
        "restarting": "systemd had to restart the instance since it was last started: it dies now and then.",
        "unit-masked": "The unit of the instance is masked.",
        "unit-missing": "There is no usable unit of the name in `teleport_service`.",
        "config-unparsable": "`teleport.yaml` cannot be read, or is not what Teleport takes.",
        "config-missing": "There is no `teleport.yaml` at `teleport_config_path`.",
        "nothing-installed": "No Teleport program is in `teleport_bin_dir`.",
        "tools-elsewhere": "A host without a service has client tools in other places than `teleport_bin_dir`."
        " They stay.",
        "package-managed": "Teleport belongs to a package of the system that cannot be upgraded as it is:"
        " it is none of Teleport's own, or no single signed repository with channels per release line is set up.",
        "package-held": "The package is held. It is upgraded all the same, and held again afterwards.",
        "managed-updates": "`teleport-update` installed what runs on a host with an Auth or Proxy Service,"
        " or is disabled.",
        "updater-paused": "A run paused the host's updater and did not come to put it back. The next one does.",
        "updater-enabled": "`teleport-update` or `teleport-upgrade` may change the version. It is paused"
        " during the run.",
        "version-unreadable": "The program does not tell its version.",
        "boto-missing": "The backend is DynamoDB, and the host's Python cannot import boto3, which saves it.",
        "audit-not-saved": "The audit log lies in a store that backups of this backend do not hold.",
        "recordings-not-saved": "Session recordings lie in S3, GCS or Azure and are not part of backups.",
        "restart-pending": "Another version is installed than runs. The one that runs counts.",
    },
    "observed": {
        "backend-needs-command": "The collection cannot save the backend; it needs your own"
        " `teleport_backup_command` and `teleport_restore_command`.",
        "setting-differs": "Hosts have different values of a variable of which a run has only one.",
        "limited": "`--limit` leaves a host out, so what runs there is not known.",
        "duplicate-host": "Two hosts have one host UUID: a clone, or one host under two names.",
        "duplicate-name": "Two instances of a cluster have one node name, so the cluster cannot tell them apart.",
    },
    "trusted_clusters": {
        "trust-undeclared": "A cluster trusts another, and `teleport_clusters` does not say so. May be waived.",
        "trust-missing": "`teleport_clusters` declares a trust that the clusters know nothing of. A warning.",
        "root-unmanaged": "A cluster trusts one of which the inventory has no host. A warning.",
        "leaf-unmanaged": "A leaf of which the inventory has no host trusts a cluster. A warning.",
        "leaf-offline": "A declared leaf is offline. May be waived; a warning while the leaf is itself unfinished.",
    },
    "gate": {
        "gate-silent": "The cluster does not answer.",
        "gate-wrong-cluster": "The Auth Service asked belongs to another cluster.",
        "gate-version": "The Auth Service is not at the version of the stage.",
        "gate-blind": "The cluster does not tell a version, and nobody proved it on the host.",
        "gate-rotation": "A CA rotation is in progress.",
        "gate-ca-pins": "The pins of the CAs changed.",
        "gate-authority": "A certificate authority is gone.",
        "gate-not-listed": "An instance that was upgraded is not listed by its cluster.",
        "gate-instance": "An instance is listed at another version than it was upgraded to.",
        "gate-second-auth": "Another Auth Service is listed at another version on the same backend.",
        "gate-lost": "Instances that were connected before are gone.",
        "gate-agents": "Fewer agents are connected than expected.",
        "gate-leaf": "A leaf cluster that was connected before is not any more.",
        "gate-trust": "The trust in a root cluster is gone or switched off.",
    },
    "verify": {
        "unreachable": "A host could not be observed.",
        "not-running": "The unit of an instance does not run.",
        "not-ready": "An instance says that it is not ready.",
        "interrupted": "A host carries the mark of an unfinished upgrade.",
        "not-restarted": "Another version is installed than runs.",
        "not-at-target": "A host is not at `teleport_target_version`.",
        "no-auth": "A cluster has no auth server that could be observed.",
        "auth-versions": "Auth servers of one cluster run different versions on one backend.",
        "incompatible": "An auth server or a proxy does not serve a host of its cluster.",
        "leaf-incompatible": "A root cluster does not serve a leaf that trusts it.",
        "rotation-in-progress": "A CA rotation is in progress.",
    },
}

TEMPLATE = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by tests/docs/findings.py from the tables of codes. Change those instead. -->
# Findings

Whatever speaks against an upgrade is a finding with a code, and every finding says what to do. A *blocker* refuses
the plan before anything is touched. A blocker that may be waived is accepted by naming its code in `teleport_waivers`;
the plan shows it then as *waived*.

## Of the plan

{planner}

Besides these, what a release line no longer takes is found by rules, each with a code of its own: see
[What is checked](checks.md).

## Of a host

Found when the host is observed. All are blockers, but for `audit-not-saved`, `boto-missing`, `restarting` and
`updater-paused`, which warn, and `package-held`, `recordings-not-saved`, `restart-pending`, `tools-elsewhere` and
`updater-enabled`, which only inform.

{instance}

## Of the inventory

{observed}

## Of trusted clusters

Found when the clusters are asked who trusts them and whom they trust, and their answers are held against
`teleport_clusters`. A declared leaf that is offline is given `teleport_gate_patience` to come back before it counts.

{trusted_clusters}

## Of a gate

A gate asks a cluster again until it shows what the stage was to reach, or until `teleport_gate_patience` has passed;
then the run stops. Gates cannot be waived. What waiting cannot cure stops at once.

{gate}

## Of a verification

`lockstep.teleport.verify` fails with these. None of them can be waived.

{verify}
"""

_CODE = re.compile(r"[a-z]+(?:-[a-z]+)+")
_FUNCTIONS = ("_finding", "_blocker")


def codes_in(source: str) -> set[str]:
    """Return the codes that a source names: what its findings are made with, and whatever else is written like one."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and node.args:
            found.update(_text(node.args[0]))
        elif isinstance(node, ast.Constant):
            found.update(text for text in _text(node) if _CODE.fullmatch(text))
    return found


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def render() -> str:
    """Return the page."""
    waivable = {code: "yes" if is_waivable(code) else "no" for of in MEANINGS.values() for code in of}
    host, inventory = (
        _table(
            ("Code", "May be waived", "What it means"), ((f"`{c}`", waivable[c], m) for c, m in MEANINGS[name].items())
        )
        for name in ("instance", "observed")
    )
    return TEMPLATE.format(
        planner=_table(
            ("Code", "Severity", "May be waived", "What it means", "What to do"),
            (
                (f"`{code}`", row.severity, "yes" if row.waivable else "–", row.meaning, row.hint)
                for code, row in CODES.items()
                if code not in rules()
            ),
        ),
        instance=host,
        observed=inventory,
        gate=_table(
            ("Code", "Waits", "What it means"),
            ((f"`{code}`", "no" if code in LASTING else "yes", meaning) for code, meaning in MEANINGS["gate"].items()),
        ),
        trusted_clusters=_table(
            ("Code", "What it means"), ((f"`{code}`", text) for code, text in MEANINGS["trusted_clusters"].items())
        ),
        verify=_table(("Code", "What it means"), ((f"`{code}`", text) for code, text in MEANINGS["verify"].items())),
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _cell in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
