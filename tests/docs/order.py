# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the example in docs/order.md: the plan for the inventory of trusted clusters.

Run it after a change to the planner, to the catalogue or to that inventory, with the folder that holds
ansible_collections on PYTHONPATH.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner import plan_upgrade

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "order.md"
INVENTORY = DOCS / "examples" / "trusted_clusters.yml"

BEGIN = "<!-- plan: written by tests/docs/order.py -->\n"
END = "<!-- end of the plan -->\n"
TARGET = "17.7.20"
#: What is observed on the hosts that run more than an agent, or another version than 15.5.3.
OBSERVED: dict[str, dict[str, Any]] = {
    "auth1.example.com": {"services": ["auth"]},
    "auth2.example.com": {"services": ["auth"]},
    "proxy1.example.com": {"services": ["proxy"]},
    "branch-auth.example.com": {"services": ["auth", "proxy"], "version": "14.3.33"},
    "workshop-auth.example.com": {"services": ["auth", "proxy"], "version": "14.3.33"},
    "lathe-3.example.com": {"version": "13.4.26"},
}
PHASES = ("auth", "proxy", "agent")


def plan() -> Mapping[str, Any]:
    """Return the plan for the example; ends with a message when it is refused."""
    teleport = yaml.safe_load(INVENTORY.read_text())["teleport"]
    instances = [
        {
            "host": host,
            "cluster": group["vars"]["teleport_cluster"],
            "services": ["agent"],
            "version": "15.5.3",
            "edition": "community",
            "state": "running",
            **OBSERVED.get(host, {}),
        }
        for group in teleport["children"].values()
        for host in group["hosts"]
    ]
    clusters = teleport["vars"]["teleport_clusters"]
    outcome = plan_upgrade({"target_version": TARGET, "instances": instances, "clusters": clusters})
    if outcome.refused:
        raise SystemExit(outcome.message)
    return outcome.plan


def table(planned: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table: a row for each stage, the hosts of a phase in their order."""
    yield "| stage | to | auth | proxies | agents |\n|---|---|---|---|---|\n"
    for stage in planned["stages"]:
        hosts = [", then ".join(_hosts(stage, phase)) or "–" for phase in PHASES]
        yield f"| {stage['index']} | {stage['to']} | {' | '.join(hosts)} |\n"


def _hosts(stage: Mapping[str, Any], phase: str) -> list[str]:
    steps = [step for step in stage["steps"] if step["phase"] == phase]
    return [f"{step['host'].removesuffix('.example.com')} (from {step['from']})" for step in steps]


def page(text: str) -> str:
    """Return the page with the example as it is now."""
    observed = "".join(f"- `{host.removesuffix('.example.com')}`: {_said(seen)}\n" for host, seen in OBSERVED.items())
    example = f"\n{observed}\nTo {TARGET}:\n\n{''.join(table(plan()))}\n"
    return re.sub(f"(?s)(?<={re.escape(BEGIN)}).*(?={re.escape(END)})", lambda _: example, text)


def _said(seen: Mapping[str, Any]) -> str:
    return f"{' and '.join(seen.get('services', ['agent']))}, {seen.get('version', '15.5.3')}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
