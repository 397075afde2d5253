# Copyright: (c) 2026, Lockstep maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the things that hosts and clusters offend matter on the way that a plan takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings import Finding, finding
from ansible_collections.lockstep.teleport.plugins.plugin_utils.findings_codes import INFO
from ansible_collections.lockstep.teleport.plugins.plugin_utils.planner_checks import Situation
from ansible_collections.lockstep.teleport.plugins.plugin_utils.preflight_rules import Rule, rules
from ansible_collections.lockstep.teleport.plugins.plugin_utils.topology import Concern

_IN_THE_PLAN = "The hop changes it: the plan shows how, with the stage."


def offended_rules(situation: Situation) -> Iterator[Finding]:
    """A rule is about hops into certain lines; it is named once, with the first hop that brings the trouble."""
    for instance in situation.request.topology.instances:
        cured = {edit.rule for edit in instance.config_edits}
        for concern in instance.concerns:
            for found in _judged(situation, concern, instance.line, instance.cluster, instance.host):
                yield replace(found, severity=INFO, hint=_IN_THE_PLAN) if concern.rule in cured else found
    for cluster in situation.clusters:
        reached = min((auth.line for auth in cluster.auths if auth.line is not None), default=None)
        for concern in situation.request.cluster_concerns.get(cluster.name, ()):
            yield from _judged(situation, concern, reached, cluster.name, None)


def _judged(
    situation: Situation, concern: Concern, line: int | None, cluster: str, host: str | None
) -> Iterator[Finding]:
    rule: Rule = rules()[concern.rule]
    for hop in situation.route.hops:
        if (line is None or line < hop.line) and rule.concerns(hop.to.line):
            text = rule.message.format(found=concern.found)
            hint = f"{rule.cure}{_offer(concern)}"
            yield finding(rule.id, f"Before the hop to {hop.to}: {text}", cluster=cluster, host=host, hint=hint)
            return


def _offer(concern: Concern) -> str:
    if not concern.change:
        return ""
    change = "; ".join(concern.change)
    return f" Or name {concern.rule} in teleport_config_cures; the hop then changes teleport.yaml: {change}."
